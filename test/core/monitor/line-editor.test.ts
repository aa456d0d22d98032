import { test } from "uvu";
import * as assert from "uvu/assert";
import { splitWords } from "../../../core/monitor/commands.ts";
import { LineEditor } from "../../../core/monitor/line-editor.ts";

function setup() {
  const lines: string[] = [];
  let screen = "";
  const editor = new LineEditor({
    write: (text) => (screen += text),
    line: (text) => lines.push(text),
    complete: (text) => ["info status", "info irq"].filter((word) => word.startsWith(text)),
  });
  return {
    lines,
    type: (text: string) => {
      screen = "";
      for (const byte of Buffer.from(text)) editor.key(byte);
      return screen;
    },
  };
}

test("what is typed is echoed; return enters it, whichever way a terminal spells it", () => {
  const { lines, type } = setup();
  assert.is(type("stop\r"), "stop\n");
  type("\ncont\r\nq\n");
  assert.equal(lines, ["stop", "cont", "q"]);
});

test("backspace and kill", () => {
  const { lines, type } = setup();
  assert.is(type("ab\x7f"), "ab\b \b");
  assert.is(type("\x15"), "\b \b");
  assert.is(type("\x7f"), "");
  type("xy\x08z\r");
  assert.equal(lines, ["xz"]);
});

test("arrows walk through the history", () => {
  const { lines, type } = setup();
  type("one\rtwo\r");
  type("\x1b[A\x1b[A\r");
  type("\x1b[A\x1b[A\x1b[B\r");
  type("\x1bOA\x1b[B\r");
  type("\x1b[3~x\r");
  assert.equal(lines, ["one", "two", "one", "one", "", "x"]);
});

test("tab completes a single candidate and lists several", () => {
  const { lines, type } = setup();
  assert.is(type("info s\t"), "info status ");
  type("\r");
  assert.match(type("in\t"), /info status info irq\n\(qemu\) in$/);
  assert.equal(lines, ["info status "]);
});

test("hostile input: any bytes, endless lines", () => {
  const { type, lines } = setup();
  type(Array.from({ length: 20_000 }, (_, i) => String.fromCharCode((i * 7919) % 128)).join(""));
  type(`\x1b${"[1;2;3".repeat(50)}\r${"x".repeat(10_000)}\r`);
  assert.ok(Math.max(...lines.map((line) => line.length)) <= 4096);
});

test("words of a line", () => {
  assert.equal(splitWords('change ide1-cd0  "a b\\"c.iso" raw'), ["change", "ide1-cd0", 'a b"c.iso', "raw"]);
  assert.equal(splitWords('eject "open'), ["eject", "open"]);
});

test.run();
