/**
 * A TCP or UNIX socket, as client or server. A server takes one client at a time; the next may come when the first has
 * gone. While nobody is connected output has no other end and vanishes, as on an unplugged line.
 */

import { rmSync } from "node:fs";
import { createConnection, createServer, type ListenOptions, type Server, type Socket } from "node:net";
import type { Chardev, ChardevContext, ChardevType } from "../../../core/char/chardev.ts";
import type { CharReceiver } from "../../../core/char/port.ts";
import { InputQueue, StreamOutput } from "../../../core/char/queue.ts";
import { messageOf, QemuError } from "../../../core/errors.ts";
import { escapeCommands, OFFER, TelnetInput } from "./telnet.ts";

interface Address {
  readonly host: string | undefined;
  readonly port: number | undefined;
  readonly path: string | undefined;
  readonly text: string;
}

type Options = Readonly<Record<string, string>>;

function addressOf(options: Options): Address {
  const { host, port, path } = options;
  if (path !== undefined) {
    if (host !== undefined || port !== undefined) {
      throw new QemuError("chardev-socket", "chardev: socket: give either path or host and port");
    }
    return { host: undefined, port: undefined, path, text: `unix:${path}` };
  }
  if (port === undefined) throw new QemuError("chardev-socket", "chardev: socket: no port given");
  if (!/^\d+$/.test(port) || Number(port) > 65535) {
    throw new QemuError("chardev-socket", `chardev: socket: '${port}' is not a port number`);
  }
  const protocol = options.telnet === "on" ? "telnet" : "tcp";
  const text = `${protocol}:${host || "0.0.0.0"}:${port}`;
  return { host: host || undefined, port: Number(port), path: undefined, text };
}

class SocketChardev implements Chardev {
  readonly #address: Address;
  readonly #noDelay: boolean;
  readonly #telnet: boolean;
  readonly #reconnectMs: number;
  readonly #server: Server | undefined;
  readonly #input = new InputQueue((flowing) => void (flowing ? this.#socket?.resume() : this.#socket?.pause()));
  #socket: Socket | undefined;
  #output: StreamOutput | undefined;
  #retry: NodeJS.Timeout | undefined;
  #closed = false;
  #ready: () => void = () => {};
  /** Called at the first connection. */
  connected: () => void = () => {};

  constructor(address: Address, options: Options) {
    this.#address = address;
    this.#noDelay = options.nodelay === "on";
    this.#telnet = options.telnet === "on";
    this.#reconnectMs = options["reconnect-ms"]
      ? Number(options["reconnect-ms"])
      : Number(options.reconnect ?? 0) * 1000;
    if (options.server === "on") this.#server = createServer((socket) => this.#accept(socket));
  }

  get description(): string {
    const text = `${this.#address.text}${this.#server ? ",server=on" : ""}`;
    if (!this.#socket) return `disconnected:${text}`;
    const { remoteAddress, remotePort } = this.#socket;
    return remoteAddress === undefined ? text : `${text} <-> ${remoteAddress}:${remotePort}`;
  }

  listen(): Promise<void> {
    const { host, port, path } = this.#address;
    const server = this.#server!;
    if (path !== undefined) rmSync(path, { force: true });
    const where: ListenOptions = path !== undefined ? { path } : { host: host ?? "0.0.0.0", port };
    return new Promise((resolve, reject) => {
      const failed = (cause: Error): void => reject(this.#failure("Failed to bind socket", cause));
      server.once("error", failed);
      server.listen(where, () => {
        server.off("error", failed);
        resolve();
      });
    });
  }

  dial(): Promise<void> {
    const { host, port, path } = this.#address;
    const socket =
      path !== undefined ? createConnection({ path }) : createConnection({ host: host ?? "127.0.0.1", port: port! });
    return new Promise((resolve, reject) => {
      const failed = (cause: Error): void => {
        if (this.#reconnectMs > 0) {
          this.#redial();
          resolve();
        } else reject(this.#failure("Failed to connect", cause));
      };
      socket.once("error", failed);
      socket.once("connect", () => {
        socket.off("error", failed);
        this.#accept(socket);
        resolve();
      });
    });
  }

  write(data: Uint8Array): number {
    return this.#output ? this.#output.write(data) : data.length;
  }

  onWritable(ready: () => void): void {
    this.#ready = ready;
    this.#output?.onWritable(ready);
  }

  connect(receiver: CharReceiver): void {
    this.#input.connect(receiver);
  }

  acceptInput(): void {
    this.#input.pump();
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#retry);
    await this.#output?.flushed();
    this.#socket?.destroy();
    this.#server?.close();
    if (this.#server && this.#address.path !== undefined) rmSync(this.#address.path, { force: true });
  }

  #accept(socket: Socket): void {
    if (this.#socket || this.#closed) {
      socket.destroy();
      return;
    }
    this.#socket = socket;
    this.#output = this.#telnet ? new StreamOutput(socket, escapeCommands) : new StreamOutput(socket);
    this.#output.onWritable(this.#ready);
    if (this.#noDelay) socket.setNoDelay(true);
    socket.on("error", () => socket.destroy());
    socket.on("data", this.#receiver(socket));
    socket.on("end", () => socket.destroy());
    socket.on("close", () => this.#lost());
    this.#input.event("opened");
    this.connected();
  }

  /** What happens to data that comes in. A Telnet server makes its offer first. */
  #receiver(socket: Socket): (data: Buffer | string) => void {
    const push = (data: Uint8Array): void => this.#input.push(data);
    if (!this.#telnet) return (data) => push(new Uint8Array(data as Buffer));
    if (this.#server) socket.write(OFFER);
    const telnet = new TelnetInput({ data: push, break: () => this.#input.event("break") });
    return (data) => telnet.push(data as Buffer);
  }

  #lost(): void {
    this.#socket = undefined;
    this.#output = undefined;
    if (this.#closed) return;
    this.#input.event("closed");
    this.#ready();
    if (!this.#server && this.#reconnectMs > 0) this.#redial();
  }

  #redial(): void {
    if (!this.#closed) this.#retry = setTimeout(() => void this.dial(), this.#reconnectMs);
  }

  #failure(what: string, cause: Error): QemuError {
    const { path, host, port } = this.#address;
    const where = path ?? `${host ?? ""}:${port}`;
    return new QemuError("chardev-socket", `${what}: '${where}': ${messageOf(cause)}`, { cause });
  }
}

async function open(options: Options, context: ChardevContext): Promise<Chardev> {
  const address = addressOf(options);
  for (const unsupported of ["websocket", "tn3270"]) {
    if (options[unsupported] === "on") {
      throw new QemuError("chardev-socket", `chardev: socket: this program does not have '${unsupported}'`);
    }
  }
  const chardev = new SocketChardev(address, options);
  if (options.server !== "on") {
    if (options.wait !== undefined) {
      throw new QemuError("chardev-socket", "'wait' option is incompatible with socket in client connect mode");
    }
    await chardev.dial();
    return chardev;
  }
  const somebody = new Promise<void>((resolve) => {
    chardev.connected = resolve;
  });
  await chardev.listen();
  if (options.wait !== "off") {
    context.inform(`info: QEMU waiting for connection on: ${chardev.description}`);
    await somebody;
  }
  return chardev;
}

export const SOCKET: ChardevType = {
  name: "socket",
  description: "a TCP or UNIX socket",
  options: {
    host: { type: "str" },
    port: { type: "str" },
    path: { type: "str", description: "path of a UNIX socket" },
    server: { type: "bool", default: false, description: "wait for a client instead of connecting" },
    wait: { type: "bool", default: true, description: "start the machine when the client is there" },
    nodelay: { type: "bool", default: false },
    telnet: { type: "bool", default: false, description: "speak the Telnet protocol" },
    websocket: { type: "bool", default: false },
    tn3270: { type: "bool", default: false },
    reconnect: { type: "uint32", description: "seconds between attempts of a client" },
    "reconnect-ms": { type: "uint32" },
    ipv4: { type: "bool" },
    ipv6: { type: "bool" },
  },
  open,
};
