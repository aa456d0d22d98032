import { test } from "uvu";
import * as assert from "uvu/assert";
import { disassembleMemory } from "../../../core/monitor/disassembly.ts";

/** One byte says how long its instruction is. */
const disassemble = (bytes: Uint8Array): { length: number; text: string } | undefined =>
  bytes.length < bytes[0] || bytes.length === 0
    ? undefined
    : { length: bytes[0], text: bytes[0] === 1 ? "nop" : "rep movs a, b" };

const memory =
  (...bytes: number[]) =>
  (address: bigint): number | undefined =>
    bytes[Number(address - 0x1000n)];

test("address, bytes and mnemonic stand in columns", () => {
  assert.is(
    disassembleMemory(0x1000n, 2, memory(1, 3, 0xab, 0xcd), disassemble),
    "0x00001000:  01                       nop\n0x00001001:  03 ab cd                 rep movs a, b\n",
  );
});

test("an instruction of more than eight bytes takes two lines", () => {
  assert.is(
    disassembleMemory(0x1000n, 1, memory(9, 2, 3, 4, 5, 6, 7, 8, 9), disassemble),
    "0x00001000:  09 02 03 04 05 06 07 08  rep movs a, b\n0x00001008:  09\n",
  );
});

test("it ends where an instruction cannot be read, and wraps at 2^64", () => {
  assert.is(
    disassembleMemory(0x1000n, 5, memory(1, 4, 4), disassemble),
    "0x00001000:  01                       nop\n0x00001001: unable to read memory\n",
  );
  assert.match(
    disassembleMemory(2n ** 64n - 1n, 2, () => 1, disassemble),
    /^0xffffffffffffffff: .*\n0x00000000: /,
  );
});

test.run();
