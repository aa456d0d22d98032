import { test } from "uvu";
import * as assert from "uvu/assert";
import { DEFAULT_ESCAPE, Mux } from "../../../core/char/mux.ts";
import { FakeChardev, FakeReceiver } from "./fakes.ts";

function setup(escapeCode = DEFAULT_ESCAPE) {
  const chardev = new FakeChardev();
  const quits: number[] = [];
  const mux = new Mux(chardev, { escapeCode, quit: () => quits.push(1), commit: () => "no changes" });
  const serial = new FakeReceiver();
  const monitor = new FakeReceiver();
  const focus: boolean[] = [];
  const serialPort = mux.port();
  serialPort.connect(serial);
  const monitorPort = mux.port((focused) => focus.push(focused));
  monitorPort.connect(monitor);
  return { chardev, mux, serial, monitor, focus, quits, serialPort, monitorPort };
}

test("the first front end has the focus; C-a c switches", () => {
  const { chardev, serial, monitor, focus } = setup();
  chardev.type("abc\x01cinfo\x01cde");
  assert.is(serial.text, "abcde");
  assert.is(monitor.text, "info");
  assert.equal(focus, [true, false]);
});

test("an escape split over two reads", () => {
  const { chardev, serial, monitor } = setup();
  chardev.type("a\x01");
  chardev.type("cb");
  assert.is(serial.text, "a");
  assert.is(monitor.text, "b");
});

test("C-a C-a sends one, an unknown key is swallowed", () => {
  const { chardev, serial } = setup();
  chardev.type("x\x01\x01y\x01zw");
  assert.is(serial.text, "x\x01yw");
});

test("C-a x ends, C-a b breaks, C-a h helps", () => {
  const { chardev, serial, quits } = setup();
  chardev.type("\x01b\x01h\x01x");
  assert.equal(serial.events, ["break"]);
  assert.is(quits.length, 1);
  assert.match(chardev.text, /C-a x +ends the emulator\r\n/);
  assert.match(chardev.text, /Terminated/);
});

test("-echr moves the escape character", () => {
  const { chardev, serial, monitor } = setup(0x14);
  chardev.type("\x01c\x14cq");
  assert.is(serial.text, "\x01c");
  assert.is(monitor.text, "q");
});

test("everybody's output goes out, and everybody hears of room", () => {
  const { chardev, serialPort, monitorPort } = setup();
  const ready: string[] = [];
  serialPort.onWritable(() => ready.push("serial"));
  monitorPort.onWritable(() => ready.push("monitor"));
  serialPort.write(Buffer.from("1"));
  monitorPort.write(Buffer.from("2"));
  chardev.room = 1;
  assert.is(serialPort.write(Buffer.from("345")), 1);
  assert.is(chardev.text, "123");
  chardev.drain();
  assert.equal(ready, ["serial", "monitor"]);
});

test("input for a device that is full waits, and the monitor stays reachable", () => {
  const { chardev, mux, serial, monitor, serialPort } = setup();
  serial.room = 2;
  chardev.type("abcd\x01chelp");
  assert.is(serial.text, "ab");
  assert.is(monitor.text, "help");
  assert.ok(mux.canReceive() > 0);
  serial.room = 10;
  serialPort.acceptInput();
  assert.is(serial.text, "abcd");
});

test("C-a t stamps lines", () => {
  const { chardev, serialPort } = setup();
  chardev.type("\x01t");
  serialPort.write(Buffer.from("a\nb"));
  assert.match(chardev.text, /^\[0\.\d{3}\] a\n\[0\.\d{3}\] b$/);
});

test.run();
