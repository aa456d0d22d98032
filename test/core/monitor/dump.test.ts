import { test } from "uvu";
import * as assert from "uvu/assert";
import { dumpMemory, evaluate, formatValue, parseDumpFormat } from "../../../core/monitor/dump.ts";

const memory = (address: bigint): number | undefined => (address < 0x1000n ? Number(address & 0xffn) : undefined);
const noRegister = (): undefined => undefined;

test("formats: count, letter, size", () => {
  assert.equal(parseDumpFormat(""), { count: 1, format: "x", size: 4 });
  assert.equal(parseDumpFormat("/8xb"), { count: 8, format: "x", size: 1 });
  assert.equal(parseDumpFormat("/gd"), { count: 1, format: "d", size: 8 });
  assert.equal(parseDumpFormat("/3c"), { count: 3, format: "c", size: 1 });
  assert.throws(() => parseDumpFormat("/8z"), /invalid char in format/);
  assert.throws(() => parseDumpFormat("/99999999x"), /at most/);
});

test("dumps are lines of 16 bytes, of 8 characters", () => {
  assert.is(
    dumpMemory(0x10n, parseDumpFormat("/6xw"), memory),
    "0000000000000010: 0x13121110 0x17161514 0x1b1a1918 0x1f1e1d1c\n0000000000000020: 0x23222120 0x27262524\n",
  );
  assert.is(
    dumpMemory(0x41n, parseDumpFormat("/9c"), memory),
    "0000000000000041: 'A' 'B' 'C' 'D' 'E' 'F' 'G' 'H'\n0000000000000049: 'I'\n",
  );
  assert.is(dumpMemory(0n, parseDumpFormat("/xg"), memory), "0000000000000000: 0x0706050403020100\n");
});

test("a dump ends where nothing is mapped, and wraps at 2^64", () => {
  assert.is(dumpMemory(0xffcn, parseDumpFormat("/2xw"), memory), "0000000000000ffc: 0xfffefdfc Cannot access memory\n");
  assert.match(
    dumpMemory(2n ** 64n - 1n, parseDumpFormat("/xb"), () => 7),
    /^ffffffffffffffff: 0x07\n$/,
  );
});

test("values are as wide as their type needs", () => {
  assert.is(formatValue(255n, { count: 1, format: "d", size: 1 }), " -1");
  assert.is(formatValue(5n, { count: 1, format: "u", size: 2 }), "    5");
  assert.is(formatValue(8n, { count: 1, format: "o", size: 1 }), "010");
  assert.is(formatValue(10n, { count: 1, format: "c", size: 1 }), "'\\n'");
  assert.is(formatValue(200n, { count: 1, format: "c", size: 1 }), "'\\xc8'");
});

test("expressions", () => {
  const registers = (name: string): bigint | undefined => (name === "rax" ? 10n : undefined);
  assert.is(evaluate("1+2*3", noRegister), 7n);
  assert.is(evaluate("(1+2)*3", noRegister), 9n);
  assert.is(evaluate("$rax + 0x10", registers), 26n);
  assert.is(evaluate("-1", noRegister), 2n ** 64n - 1n);
  assert.is(evaluate("~0 & 0xff", noRegister), 0xffn);
  assert.throws(() => evaluate("$rbx", registers), /unknown register '\$rbx'/);
  for (const text of ["", "1+", "(1", "1 2", "1/0", "foo", "0xzz", "$"])
    assert.throws(() => evaluate(text, noRegister), text);
});

test.run();
