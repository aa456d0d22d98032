import { test } from "uvu";
import * as assert from "uvu/assert";
import { lastWord, parseMark, watch } from "./watch.ts";

const say = (...lines: string[]) => ({ file: process.execPath, args: ["-e", lines.join("\n")] });

test("marks in lines of the console", () => {
  assert.equal(parseMark("@@ end sieve 0123\r", 2), { kind: "end", name: "sieve", check: "0123", at: 2 });
  assert.equal(parseMark("[  0.1] @@ at init", 1), { kind: "at", name: "init", check: undefined, at: 1 });
  assert.is(parseMark("@@ other init", 1), undefined);
  assert.is(parseMark("at init", 1), undefined);
});

test("a program's marks come in order, with its status", async () => {
  const { marks, status, problem } = await watch(
    say("console.log('@@ begin a\\n@@ end a 5\\nrest'); process.exit(3)"),
    {
      seconds: 30,
    },
  );
  assert.equal(
    marks.map(({ kind, name, check }) => [kind, name, check]),
    [
      ["begin", "a", undefined],
      ["end", "a", "5"],
    ],
  );
  assert.is(status, 3);
  assert.is(problem, undefined);
});

test("CPU time leaves out what was slept", async () => {
  const command = say("setTimeout(() => console.log('@@ at end'), 1500)");
  const { marks, seconds } = await watch({ ...command, clock: "cpu" }, { seconds: 30 });
  assert.ok(marks[0].at < 1.4);
  assert.is(seconds, marks[0].at);
});

test("answers are typed when the text before them is out", async () => {
  const echo = say(
    "process.stdin.once('data', (d) => { console.log('@@ at ' + d); process.exit() }); console.log('login:')",
  );
  const { marks } = await watch(echo, { seconds: 30, answers: [{ when: "login:", type: "root\n" }] });
  assert.is(marks[0].name, "root");
});

test("the last word is the error's first line, or the guest's last", () => {
  assert.is(lastWord("one\r\ntwo\r\n", ""), "two");
  assert.is(lastWord("one\n", "qemu-next: no\n    at there (file)\n"), "qemu-next: no");
  assert.is(
    lastWord("[1] Kernel panic - not syncing: no init\r\n[1] Rebooting\n", ""),
    "[1] Kernel panic - not syncing: no init",
  );
  assert.is(lastWord("", ""), "");
});

test("a program that does not end is ended, one that does not exist is a problem", async () => {
  const { problem } = await watch(say("setInterval(() => {}, 1000)"), { seconds: 0.5 });
  assert.is(problem, "no end within 0.5 s");
  assert.match((await watch({ file: "/nonexistent", args: [] }, { seconds: 5 })).problem!, "ENOENT");
});

test.run();
