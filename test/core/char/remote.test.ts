import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { createRemoteCharPlan, RemoteCharHost, RemoteCharPort, RemoteCharSender } from "../../../core/char/remote.ts";
import { Doorbell } from "../../../core/thread/doorbell.ts";
import { Lock } from "../../../core/thread/lock.ts";
import { FakeChardev, FakeReceiver } from "./fakes.ts";

function setup() {
  const chardev = new FakeChardev();
  const plan = createRemoteCharPlan("serial0");
  const mainBell = new Doorbell();
  const workerBell = new Doorbell();
  const host = new RemoteCharHost(chardev, plan, workerBell);
  const port = new RemoteCharPort(plan, mainBell);
  const sender = new RemoteCharSender(plan, mainBell, workerBell);
  const device = new FakeReceiver();
  port.connect(device);
  const settle = (): void => {
    for (let again = true; again; ) {
      again = false;
      if (mainBell.take()) {
        again = true;
        host.poll();
      }
      if (workerBell.take()) {
        again = true;
        port.poll();
      }
    }
  };
  return { chardev, host, port, sender, device, settle };
}

test("output reaches the backend in order", () => {
  const { chardev, host, port, settle } = setup();
  assert.is(port.write(Buffer.from("Hello ")), 6);
  assert.is(port.write(Buffer.from("world")), 5);
  assert.is(host.drained, false);
  settle();
  assert.is(chardev.text, "Hello world");
  assert.is(host.drained, true);
});

test("a backend that takes nothing stops the device, which hears when there is room; nothing is lost", () => {
  const { chardev, port, settle } = setup();
  chardev.room = 10;
  let ready = 0;
  port.onWritable(() => ready++);
  const data = Buffer.alloc(70_000, "x");
  const taken = port.write(data);
  assert.is(taken, 65536);
  settle();
  assert.is(chardev.text.length, 10);
  assert.is(ready, 1, "ten bytes of room");
  assert.is(port.write(data.subarray(taken)), 10);
  chardev.drain();
  settle();
  assert.is(ready, 2);
  assert.is(port.write(data.subarray(taken + 10)), data.length - taken - 10);
  settle();
  assert.is(chardev.text.length, 70_000);
});

test("input waits until the device takes it, and events keep their place", () => {
  const { chardev, port, device, settle } = setup();
  device.room = 2;
  chardev.type("abc");
  chardev.receiver!.event!("break");
  chardev.type("d");
  settle();
  assert.is(device.text, "ab");
  assert.equal(device.events, []);
  device.room = 1;
  port.acceptInput();
  assert.equal(device.events, ["break"]);
  assert.is(device.text, "abc");
  device.room = 5;
  port.acceptInput();
  assert.is(device.text, "abcd");
});

test("a device that takes nothing stops the backend, and starts it again", () => {
  const { chardev, host, port, device, settle } = setup();
  device.room = 0;
  let sent = 0;
  for (let room = host.canReceive(); room > 0; room = host.canReceive()) {
    const count = Math.min(room, 100);
    chardev.type("y".repeat(count));
    sent += count;
    settle();
  }
  assert.ok(sent > 3900 && sent < 4096, `${sent}`);
  host.event("closed");
  chardev.accepts = 0;
  device.room = Number.POSITIVE_INFINITY;
  port.acceptInput();
  settle();
  assert.is(device.text.length, sent);
  assert.ok(chardev.accepts > 0, "the backend was asked for more");
  assert.equal(device.events, ["closed"]);
});

test("another thread's end sends for the same device; the machine's thread hears when there is room", () => {
  const { chardev, port, sender, settle } = setup();
  chardev.room = 10;
  let ready = 0;
  port.onWritable(() => ready++);
  sender.onWritable();
  assert.is(sender.write(Buffer.from("ab")), 2);
  assert.is(port.write(Buffer.from("cd")), 2);
  settle();
  assert.is(chardev.text, "abcd");
  assert.is(sender.write(Buffer.alloc(70_000, "x")), 65536);
  settle();
  assert.is(ready, 1);
  assert.is(chardev.text.length, 10);
});

test("another thread's end gets the machine's thread to deliver input", () => {
  const { chardev, device, sender, settle } = setup();
  device.room = 1;
  chardev.type("ab");
  settle();
  assert.is(device.text, "a");
  sender.connect();
  device.room = 1;
  sender.acceptInput();
  settle();
  assert.is(device.text, "ab");
});

test("the device's lock is held from the question for room until the device has the bytes", () => {
  const { chardev, port, settle } = setup();
  const lock = new Lock(new SharedArrayBuffer(16), 0);
  let asked: boolean | undefined;
  port.connect(
    {
      canReceive: () => {
        asked = lock.mine;
        return 1;
      },
      receive: () => {
        assert.is(lock.mine && asked, true);
      },
    },
    lock,
  );
  chardev.type("ab");
  settle();
  assert.is(asked, true);
  assert.is(lock.mine, false);
});

test("two devices of two threads share a channel", async () => {
  const COUNT = 100_000;
  const plan = createRemoteCharPlan("mux", true);
  const mainBell = new Doorbell();
  const chardev = new FakeChardev();
  const host = new RemoteCharHost(chardev, plan, new Doorbell());
  const port = new RemoteCharPort(plan, mainBell);
  const workerData = { plan, bell: mainBell.buffer, count: COUNT };
  const worker = new Worker(new URL("./sender.worker.ts", import.meta.url), { workerData });
  const ended = once(worker, "exit");
  await once(worker, "online");
  const data = Buffer.from("a");
  for (let sent = 0; sent < COUNT || chardev.text.length < 2 * COUNT; host.poll()) {
    for (let i = 0; i < 500 && sent < COUNT; i++) sent += port.write(data);
  }
  await ended;
  host.poll();
  assert.is(chardev.text.length, 2 * COUNT);
  assert.is(chardev.text.replaceAll("a", ""), "b".repeat(COUNT));
});

test.run();
