/** The character devices of a command line: -chardev, and the short forms of -serial, -parallel, -monitor, -debugcon. */

import { QemuError } from "../errors.ts";
import { type KeyValue, parseKeyValues, toRecord } from "./keyval.ts";
import { parseBool } from "./values.ts";

/** A character device to open on the I/O thread. */
export interface ChardevPlan {
  readonly id: string;
  readonly backend: string;
  readonly options: Readonly<Record<string, string>>;
  /** Shared by several front ends. */
  readonly mux: boolean;
  /** The option it came from, for messages. */
  readonly option: string;
}

const SOCKET_FLAGS = ["server", "wait", "nodelay", "telnet", "reconnect", "reconnect-ms", "ipv4", "ipv6"];

/** Short spellings of backend names. */
const BACKEND_ALIASES: Readonly<Record<string, string>> = { memory: "ringbuf", parport: "parallel", tty: "serial" };

export class ChardevPlans {
  readonly #plans = new Map<string, ChardevPlan>();

  /** `-chardev backend,id=...`. */
  add(argument: string, option: string): void {
    const pairs = parseKeyValues(argument, "backend");
    const given = toRecord(expandFlags(pairs));
    const { backend = "", id, mux, ...options } = given;
    if (id === undefined) throw new QemuError("bad-option", "Parameter 'id' is missing");
    checkId(id);
    this.#put({
      id,
      backend: BACKEND_ALIASES[backend] ?? backend,
      options,
      mux: mux !== undefined && parseBool("mux", mux),
      option,
    });
  }

  /**
   * `-serial dev` and its kin: makes the device and answers its id; undefined for "none". `role` words the error.
   * `chardev:x` names one made by -chardev, in any order; `mon:` shares it with a monitor, which `share` makes.
   */
  short(device: string, id: string, option: string, role: string, share: (id: string) => void): string | undefined {
    if (device === "none") return undefined;
    if (device.startsWith("chardev:")) return device.slice("chardev:".length);
    const shared = device.startsWith("mon:");
    const parsed = parseShort(shared ? device.slice("mon:".length) : device);
    if (!parsed) {
      throw new QemuError("bad-option", `could not connect ${role} to character backend '${device}'`, {
        hint: "use stdio, null, none, vc, file:path, pipe:path, tcp:host:port, unix:path, ringbuf, mon:device or chardev:id",
      });
    }
    const options = shared && parsed.backend === "stdio" ? { signal: "off", ...parsed.options } : parsed.options;
    this.#put({ id, backend: parsed.backend, options, mux: shared, option });
    if (shared) share(id);
    return id;
  }

  has(id: string): boolean {
    return this.#plans.has(id);
  }

  get(id: string): ChardevPlan | undefined {
    return this.#plans.get(id);
  }

  list(): ChardevPlan[] {
    return [...this.#plans.values()];
  }

  #put(plan: ChardevPlan): void {
    if (this.#plans.has(plan.id)) throw new QemuError("bad-option", `Duplicate ID '${plan.id}' for chardev`);
    this.#plans.set(plan.id, plan);
  }
}

export function checkId(id: string): void {
  if (/^[a-z][a-z0-9._-]*$/i.test(id)) return;
  throw new QemuError("bad-option", "Parameter 'id' expects an identifier", {
    hint: "Identifiers consist of letters, digits, '-', '.', '_', starting with a letter.",
  });
}

/** `server` means server=on and `nowait` wait=off, as older scripts write. */
function expandFlags(pairs: readonly KeyValue[]): KeyValue[] {
  const flags = [...SOCKET_FLAGS, "append", "mux", "signal"];
  return pairs.map((pair) => {
    const positive = pair.key.slice(2);
    return pair.bare && pair.key.startsWith("no") && flags.includes(positive) && !flags.includes(pair.key)
      ? { key: positive, value: "off", bare: true }
      : pair;
  });
}

function parseShort(device: string): { backend: string; options: Record<string, string> } | undefined {
  const plain = ["stdio", "null", "vc", "pty", "ringbuf"];
  const [head] = device.split(",", 1);
  if (plain.includes(head)) return { backend: head, options: flagsOf(device.slice(head.length + 1)) };
  const colon = device.indexOf(":");
  const kind = device.slice(0, colon);
  const rest = device.slice(colon + 1);
  if (colon < 0 || rest === "") return undefined;
  switch (kind) {
    case "vc":
      return { backend: "vc", options: {} };
    case "file":
    case "pipe": {
      const [path, ...flags] = parseKeyValues(rest, "path");
      return { backend: kind, options: { ...(path ? { path: path.value } : {}), ...toRecord(expandFlags(flags)) } };
    }
    case "tcp":
    case "telnet": {
      const match = /^([^,]*):(\d+)(?:,(.*))?$/.exec(rest);
      if (!match) throw new QemuError("bad-option", `address '${rest}' is not host:port`);
      const options = { host: match[1], port: match[2], ...flagsOf(match[3] ?? "") };
      return { backend: "socket", options: kind === "telnet" ? { ...options, telnet: "on" } : options };
    }
    case "unix": {
      const [path, ...flags] = parseKeyValues(rest, "path");
      return { backend: "socket", options: { path: path.value, ...toRecord(expandFlags(flags)) } };
    }
  }
  return undefined;
}

function flagsOf(text: string): Record<string, string> {
  return toRecord(expandFlags(parseKeyValues(text)));
}
