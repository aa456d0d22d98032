import { test } from "uvu";
import * as assert from "uvu/assert";
import { escapeCommands, TelnetInput } from "../../../../plugins/char/socket/telnet.ts";

/** What comes in of these bytes, as text with | for a break, however they are cut into pieces. */
function input(...bytes: number[]): string {
  const results = [1, 2, 100].map((size) => {
    let text = "";
    const telnet = new TelnetInput({
      data: (data) => (text += Buffer.from(data).toString("latin1")),
      break: () => (text += "|"),
    });
    for (let at = 0; at < bytes.length; at += size) telnet.push(Uint8Array.from(bytes.slice(at, at + size)));
    return text;
  });
  assert.is(new Set(results).size, 1, results.join(" "));
  return results[0];
}

const [A, B] = [65, 66];

test("commands are taken out", () => {
  assert.is(input(A, 255, 253, 1, B), "AB");
  assert.is(input(A, 255, 241, B), "AB");
  assert.is(input(255, 251, 255, B), "B", "an option number of 255 is no command");
});

test("a doubled IAC is data", () => {
  assert.is(input(255, 255, 255, 255, A), "\xff\xffA");
  assert.equal([...escapeCommands(Uint8Array.of(1, 255, 2))], [1, 255, 255, 2]);
});

test("a break keeps its place", () => {
  assert.is(input(A, 255, 243, B, 255, 243), "A|B|");
});

test("parameters of options are taken out, a doubled IAC in them too", () => {
  assert.is(input(A, 255, 250, 31, 0, 255, 255, 24, 243, 255, 240, B), "AB");
});

test("CR NUL is a carriage return, until the other end sends binary", () => {
  assert.is(input(13, 0, A, 0), "\rA\0");
  assert.is(input(255, 251, 0, 13, 0, 255, 252, 0, 13, 0), "\r\0\r");
});

test.run();
