import { execFileSync } from "node:child_process";
import { closeSync, constants, mkdtempSync, openSync, readFileSync, readSync, rmSync, writeSync } from "node:fs";
import { type AddressInfo, createConnection, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { ChardevContext, ChardevType } from "../../../core/char/chardev.ts";
import { PluginHost } from "../../../core/plugin/host.ts";
import type { Plugin } from "../../../core/plugin/plugin.ts";
import file from "../../../plugins/char/file/index.ts";
import nothing from "../../../plugins/char/null/index.ts";
import pipe from "../../../plugins/char/pipe/index.ts";
import pty from "../../../plugins/char/pty/index.ts";
import type { PtyChardev } from "../../../plugins/char/pty/pty.ts";
import ringbuf from "../../../plugins/char/ringbuf/index.ts";
import socket from "../../../plugins/char/socket/index.ts";
import { FakeReceiver } from "../../core/char/fakes.ts";
import { withTimeout } from "../../tools/with-timeout.ts";

const directory = mkdtempSync(join(tmpdir(), "qemu-next-char-"));
const failures: string[] = [];
const announced: string[] = [];
const context: ChardevContext = {
  id: "test",
  fail: (error) => failures.push(error.message),
  inform: () => {},
  announce: (line) => announced.push(line),
  interrupt: () => {},
};

async function type(plugin: Plugin, name: string): Promise<ChardevType> {
  const host = new PluginHost();
  await host.use(plugin);
  return host.require("chardev", name);
}

const until = async (what: string, done: () => boolean): Promise<void> => {
  const poll = async (): Promise<void> => {
    while (!done()) await new Promise((resolve) => setImmediate(resolve));
  };
  await withTimeout(what, 5000, poll());
};

test("file: output is in the file at once; append keeps what was there", async () => {
  const path = join(directory, "out.log");
  const FILE = await type(file, "file");
  const first = await FILE.open({ path }, context);
  assert.is(first.write(Buffer.from("one\n")), 4);
  assert.is(readFileSync(path, "utf8"), "one\n");
  await first.close();
  const second = await FILE.open({ path, append: "on" }, context);
  second.write(Buffer.from("two\n"));
  await second.close();
  assert.is(readFileSync(path, "utf8"), "one\ntwo\n");
});

test("file: a path that cannot be opened, a full disk", async () => {
  const FILE = await type(file, "file");
  try {
    await FILE.open({ path: join(directory, "no/such") }, context);
    assert.unreachable();
  } catch (error) {
    assert.match((error as Error).message, /Could not open '.*no\/such'/);
  }
  const full = await FILE.open({ path: "/dev/full" }, context);
  assert.is(full.write(Buffer.from("x")), 1);
  full.write(Buffer.from("y"));
  assert.is(failures.length, 1);
  assert.match(failures.pop()!, /could not write to '\/dev\/full': ENOSPC/);
  await full.close();
});

test("null and vc swallow output", async () => {
  for (const name of ["null", "vc"]) {
    const chardev = await (await type(nothing, name)).open({}, context);
    assert.is(chardev.write(Buffer.from("abc")), 3);
    await chardev.close();
  }
});

test("ringbuf keeps the last bytes and gives input", async () => {
  const RINGBUF = await type(ringbuf, "ringbuf");
  const chardev = await RINGBUF.open({ size: "8" }, context);
  chardev.write(Buffer.from("0123456789"));
  assert.is(Buffer.from(chardev.takeOutput!(3)).toString(), "234");
  assert.is(Buffer.from(chardev.takeOutput!(100)).toString(), "56789");
  assert.is(chardev.takeOutput!(100).length, 0);
  const receiver = new FakeReceiver();
  chardev.connect(receiver);
  chardev.inject!(Buffer.from("hi"));
  assert.is(receiver.text, "hi");
  for (const size of ["0", "12", "-8", "x"]) {
    await RINGBUF.open({ size }, context).then(
      () => assert.unreachable(size),
      (error: Error) => assert.match(error.message, /power of two/),
    );
  }
});

test("socket: a server takes one client after the other, waits for the first one", async () => {
  const path = join(directory, "server.sock");
  const opening = (await type(socket, "socket")).open({ path, server: "on" }, context);
  let client: Socket | undefined;
  for (let tries = 0; !client; tries++) {
    client = await new Promise<Socket | undefined>((resolve) => {
      const attempt: Socket = createConnection({ path }, () => resolve(attempt));
      attempt.once("error", () => setImmediate(() => resolve(undefined)));
    });
    assert.ok(tries < 10_000);
  }
  const chardev = await withTimeout("open", 5000, opening);
  const device = new FakeReceiver();
  chardev.connect(device);
  let heard = "";
  client.on("data", (data) => (heard += data));
  client.write("input");
  chardev.write(Buffer.from("output"));
  await until("both ways", () => heard === "output" && device.text === "input");
  client.destroy();
  await until("close", () => device.events.includes("closed"));
  assert.is(chardev.write(Buffer.from("nobody hears")), 12);
  const next = createConnection({ path });
  await until("the next client", () => device.events.filter((event) => event === "opened").length === 2);
  next.destroy();
  await chardev.close();
});

test("socket: a client, and nobody there", async () => {
  const SOCKET = await type(socket, "socket");
  const path = join(directory, "client.sock");
  await SOCKET.open({ path }, context).then(
    () => assert.unreachable(),
    (error: Error) => assert.match(error.message, /Failed to connect: '.*client.sock'/),
  );
  const server = await SOCKET.open({ path, server: "on", wait: "off" }, context);
  const client = await SOCKET.open({ path }, context);
  const device = new FakeReceiver();
  server.connect(device);
  const large = Buffer.alloc(300_000, "z");
  let sent = 0;
  const send = (): void => {
    while (sent < large.length) {
      const taken = client.write(large.subarray(sent));
      sent += taken;
      if (taken === 0) return;
    }
  };
  client.onWritable(send);
  send();
  await until("300 KB", () => device.text.length === large.length);
  await client.close();
  await server.close();
});

test("socket: a Telnet server", async () => {
  const SOCKET = await type(socket, "socket");
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  const options = { host: "127.0.0.1", port: String(port), server: "on", wait: "off", telnet: "on" };
  const chardev = await SOCKET.open(options, context);
  assert.is(chardev.description, `disconnected:telnet:127.0.0.1:${port},server=on`);
  const device = new FakeReceiver();
  chardev.connect(device);
  const client = createConnection(port, "127.0.0.1");
  let heard = Buffer.alloc(0);
  client.on("data", (data) => (heard = Buffer.concat([heard, data as Buffer])));
  await until("the offer", () => heard.length === 12);
  assert.is(heard.toString("hex"), "fffb01fffb03fffb00fffd00");
  const { localPort } = client;
  assert.is(chardev.description, `telnet:127.0.0.1:${port},server=on <-> 127.0.0.1:${localPort}`);
  client.write(Buffer.from([255, 251, 0, 65, 255, 243, 255, 255, 66]));
  await until("input", () => device.text.length === 3);
  assert.is(device.text, "A\xffB");
  assert.equal(device.events, ["opened", "break"]);
  chardev.write(Uint8Array.of(255, 1));
  await until("output", () => heard.length === 15);
  assert.is(heard.toString("hex", 12), "ffff01");
  client.destroy();
  await chardev.close();
});

test("pty: a raw terminal for whoever opens it; output before vanishes", async () => {
  const PTY = await type(pty, "pty");
  const chardev = (await PTY.open({}, context)) as PtyChardev;
  const path = /^pty:(\/dev\/pts\/\d+)$/.exec(chardev.description)?.[1] ?? "";
  assert.equal(announced, [`char device redirected to ${path} (label test)`]);
  const device = new FakeReceiver();
  chardev.connect(device);
  assert.is(chardev.write(Buffer.from("nobody hears")), 12);
  for (const text of ["one\n", "two\r"]) {
    const other = openSync(path, constants.O_RDWR | constants.O_NOCTTY);
    chardev.look();
    chardev.write(Buffer.from(text));
    const heard = Buffer.alloc(100);
    assert.is(heard.toString("latin1", 0, readSync(other, heard)), text);
    writeSync(other, text);
    await until("input", () => device.text.endsWith(text));
    closeSync(other);
    await until("the end", () => device.events.at(-1) === "closed");
  }
  assert.is(device.text, "one\ntwo\r", "no echo, nothing translated");
  assert.equal(device.events, ["opened", "closed", "opened", "closed"]);
  await chardev.close();
});

test("pipe: two FIFOs", async () => {
  const path = join(directory, "fifo");
  execFileSync("mkfifo", [`${path}.in`, `${path}.out`]);
  const chardev = await (await type(pipe, "pipe")).open({ path }, context);
  const device = new FakeReceiver();
  chardev.connect(device);
  execFileSync("sh", ["-c", `printf typed > ${path}.in`]);
  await until("input", () => device.text === "typed");
  chardev.write(Buffer.from("said\n"));
  assert.is(execFileSync("head", ["-n1", `${path}.out`]).toString(), "said\n");
  await chardev.close();
  assert.equal(failures, []);
});

test.after(() => rmSync(directory, { recursive: true, force: true }));
test.run();
