import { PassThrough } from "node:stream";
import type { WriteStream } from "node:tty";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { progressBar } from "../../../bin/bundle/progress.ts";

function stream(isTTY: boolean, columns = 80): { stream: WriteStream; text: () => string } {
  const through = new PassThrough({ encoding: "utf8" });
  return { stream: Object.assign(through, { isTTY, columns }) as never, text: () => (through.read() as string) ?? "" };
}

test("a bar on a terminal, which goes at the end", () => {
  const terminal = stream(true);
  const progress = progressBar(2, terminal.stream);
  progress.step("one");
  progress.step("two");
  progress.end();
  const bars = terminal.text().split("\r\x1b[K").slice(1);
  assert.equal(bars, [`[${" ".repeat(24)}] one`, `[${"=".repeat(12)}${" ".repeat(12)}] two`, ""]);
});

test("it stays on its line", () => {
  const terminal = stream(true, 10);
  progressBar(1, terminal.stream).step("a long text");
  assert.is(terminal.text().length, "\r\x1b[K".length + 9);
});

test("nothing on a pipe", () => {
  const pipe = stream(false);
  const progress = progressBar(1, pipe.stream);
  progress.step("one");
  progress.end();
  assert.is(pipe.text(), "");
});

test.run();
