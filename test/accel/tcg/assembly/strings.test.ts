import { test } from "uvu";
import * as assert from "uvu/assert";
import { TestCpu } from "./cpu-harness.ts";
import { protectedMode } from "./protected-cpu.ts";

const cpu = new TestCpu();
const { state } = cpu;
const [RAX, RCX, RDX, RSI, RDI] = [0, 1, 2, 6, 7];
const [MOVS, STOS, LODS, SCAS, CMPS, INS, OUTS] = [0, 1, 2, 3, 4, 5, 6];
const REPE = 1 << 16;

/** Repeats until finished; returns the number of calls. */
function repeat(op: number, size: number, flags = 0, addressSize = 4): number {
  const imm = op | (size << 4) | (addressSize << 8) | (3 << 12) | flags;
  for (let calls = 1; ; calls++) if (cpu.ir("repeatString", 0n, 0n, imm)) return calls;
}

function set(count: number, source: number, destination: number, down = false): void {
  state.regs[RCX] = BigInt(count);
  state.regs[RSI] = BigInt(source);
  state.regs[RDI] = BigInt(destination);
  state.df = down ? 0xffffffffffffffffn : 1n;
}

const pattern = (address: number, length: number): void => {
  cpu.bytes(address, length).forEach((_, i, bytes) => {
    bytes[i] = (i * 7 + (i >> 8)) & 0xff;
  });
};

test("MOVS copies as element after element would, for every overlap and direction", () => {
  for (const size of [1, 2, 4]) {
    for (const down of [false, true]) {
      for (const distance of [-9, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 8, 64, 5000, -5000]) {
        protectedMode(cpu);
        const count = 2000;
        const base = 0x20f03;
        pattern(base - 8192, 30000);
        const model = cpu.bytes(0, 0x40000).slice();
        const first = down ? base + (count - 1) * size : base;
        for (let i = 0; i < count; i++) {
          const at = first + (down ? -i : i) * size;
          model.copyWithin(at + distance, at, at + size);
        }
        set(count, first, first + distance, down);
        repeat(MOVS, size);
        const what = `size ${size} distance ${distance} down ${down}`;
        assert.ok(Buffer.from(cpu.bytes(0, 0x40000)).equals(model), what);
        const end = first + (down ? -1 : 1) * count * size;
        assert.equal(
          [state.regs[RCX], state.regs[RSI], state.regs[RDI]],
          [0n, BigInt(end), BigInt(end + distance)],
          what,
        );
      }
    }
  }
});

test("STOS fills with any element, and long fills come back for interrupts", () => {
  for (const size of [1, 2, 4]) {
    for (const down of [false, true]) {
      protectedMode(cpu);
      state.regs[RAX] = 0x44332211n;
      const last = 0x30001 + 2999 * size;
      set(3000, 0, down ? last : 0x30001, down);
      repeat(STOS, size);
      for (let i = 0; i < 3000 * size; i++) assert.is(cpu.peek(0x30001 + i, 1), 0x11 * ((i % size) + 1));
      assert.is(cpu.peek(0x30000, 1) | cpu.peek(0x30001 + 3000 * size, 1), 0);
    }
  }
  set(300_000, 0, 0x100000);
  assert.ok(repeat(STOS, 4) > 10);
  assert.is(state.eflags & 0x10000n, 0n);
});

test("a fault in the middle leaves the registers at the element that faulted", () => {
  protectedMode(cpu);
  cpu.poke(0x1000, 0x2007);
  for (let i = 0; i < 1024; i++) cpu.poke(0x2000 + i * 4, i === 0x12 ? 0 : (i << 12) | 7);
  state.cr3 = 0x1000n;
  state.cr0 = 0x80000001n;
  cpu.call("updateHflags");
  cpu.call("flushTlb", 1);
  set(0x1000, 0x20000, 0x11002);
  assert.is(
    cpu.fault(() => repeat(MOVS, 4)),
    "14:2",
  );
  assert.equal([state.regs[RCX], state.regs[RSI], state.regs[RDI]], [0x1000n - 0x3ffn, 0x20ffcn, 0x11ffen]);
  assert.is(state.cr2, 0x12000n);
});

test("16-bit addresses wrap, and only the low halves of the registers change", () => {
  cpu.reset();
  pattern(0, 0x10000);
  set(0x20, 0xfff0, 0x8000);
  state.regs[RSI] |= 0xaaaa0000n;
  state.regs[RCX] |= 0xbbbb0000n;
  repeat(MOVS, 1, 0, 2);
  assert.is(state.regs[RSI], 0xaaaa0010n);
  assert.is(state.regs[RCX], 0xbbbb0000n);
  const want = [...cpu.bytes(0xfff0, 16), ...cpu.bytes(0, 16)];
  assert.equal([...cpu.bytes(0x8000, 32)], want);
});

test("segment limits hold inside a run", () => {
  protectedMode(cpu);
  state.segLimit[0] = 0x4fff;
  cpu.call("updateHflags");
  set(0x100, 0x20000, 0x4f80);
  assert.is(
    cpu.fault(() => repeat(MOVS, 1)),
    "13:0",
  );
  assert.is(state.regs[RDI], 0x5000n);
});

test("SCAS and CMPS stop where they should, with the flags of the last comparison", () => {
  protectedMode(cpu);
  pattern(0x20000, 9000);
  pattern(0x30000, 9000);
  cpu.poke(0x30000 + 8000, 0xee, 1);
  set(9000, 0x20000, 0x30000);
  repeat(CMPS, 1, REPE);
  assert.equal([state.regs[RCX], state.regs[RDI]], [999n, 0x30000n + 8001n]);
  assert.is(Number(cpu.call("getFlags")) & 0x40, 0);
  state.regs[RAX] = 0xeen;
  cpu.bytes(0x30000, 8000).fill(1);
  set(9000, 0, 0x30000);
  repeat(SCAS, 1);
  assert.is(state.regs[RDI], 0x30000n + 8001n);
  assert.is(Number(cpu.call("getFlags")) & 0x40, 0x40);
  state.ccOp = 0n;
  state.ccSrc = 0x81n;
  set(0, 0, 0);
  repeat(CMPS, 4, REPE);
  assert.is(Number(cpu.call("getFlags")), 0x81, "a count of zero leaves the flags");
});

test("LODS ends with the last element", () => {
  protectedMode(cpu);
  cpu.poke(0x23ffe, 0xcafe1234);
  set(1000, 0x23ffe - 999 * 4, 0);
  repeat(LODS, 4);
  assert.is(state.regs[RAX], 0xcafe1234n);
});

test("INS and OUTS, device memory, code pages", () => {
  protectedMode(cpu);
  cpu.input = 0xabcd;
  state.regs[RDX] = 0x1f0n;
  set(2, 0x5000, 0x5000);
  repeat(INS, 2);
  assert.is(cpu.peek(0x5000), 0xabcdabcd);
  set(1, 0x5000, 0);
  repeat(OUTS, 1);
  assert.equal(cpu.log, ["in 1f0 2", "in 1f0 2", "out 1f0 1 cd"]);
  cpu.log.length = 0;
  set(2, 0x5000, 0xa0000000);
  repeat(MOVS, 2);
  assert.equal(cpu.log, ["mmioWrite 0:a0000000 2 abcd", "mmioWrite 0:a0000002 2 abcd"]);
  cpu.log.length = 0;
  cpu.setCode(0x7000);
  set(0x100, 0, 0x7000);
  repeat(STOS, 1);
  cpu.pageMap[7] &= ~4;
  assert.equal(cpu.log, ["notify 7000 256"]);
});

test("while stepping, one element a call with RF set in between", () => {
  protectedMode(cpu);
  cpu.call("setEflags", 0x102n, 0x3f7fd5n);
  set(3, 0x5000, 0x6000);
  assert.is(cpu.ir("repeatString", 0n, 0n, MOVS | (1 << 4) | (4 << 8) | (3 << 12)), 0n);
  assert.equal([state.regs[RCX], state.eflags & 0x10000n], [2n, 0x10000n]);
  assert.is(repeat(MOVS, 1), 2);
  assert.is(state.eflags & 0x10000n, 0n);
});

test.run();
