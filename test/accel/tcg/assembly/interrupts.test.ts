import { test } from "uvu";
import * as assert from "uvu/assert";
import { HF_CPL, HF_VM } from "../../../../accel/tcg/env.ts";
import {
  CODE0,
  CODE3,
  CODE64,
  DATA0,
  DATA3,
  FREE,
  GDT,
  gate,
  IDT,
  longMode,
  protectedMode,
  STACK0,
  TestCpu,
  TSS,
} from "./protected-cpu.ts";

const cpu = new TestCpu();
const { state } = cpu;
const INT32 = 14;
const TRAP32 = 15;

/** Delivers as the run loop does: repeats while delivery itself faults. */
function deliver(vector: number, error?: number): number {
  state.excVector = vector;
  state.excError = error ?? 0;
  state.excHasError = error === undefined ? 0 : 1;
  for (;;) {
    let result = -1;
    const fault = cpu.fault(() => {
      result = cpu.helpers.deliverException(cpu.env);
    });
    if (fault === undefined) return result;
  }
}

const stack = (count: number, size = 4): number[] =>
  Array.from({ length: count }, (_, i) => cpu.peek(Number(state.regs[4]) + i * size, size === 8 ? 4 : size));
const cpl = (): number => state.hflags & HF_CPL;

test("real mode: three words, IF and TF cleared", () => {
  cpu.reset();
  state.idtLimit = 0x3ff;
  state.segSelector[1] = 0x100;
  state.segSelector[2] = 0x200;
  state.segBase[2] = 0x2000n;
  state.regs[4] = 0x12340002n;
  state.rip = 0x77n;
  cpu.call("setEflags", 0x303n, 0x3f7fd5n);
  cpu.poke(0x21 * 4, 0xf0001234);
  cpu.ir("softwareInterrupt", 0x79n, 0n, 0x21);
  assert.equal([state.rip, state.segSelector[1], state.segBase[1]], [0x1234n, 0xf000, 0xf0000n]);
  assert.is(state.regs[4], 0x1234fffcn, "SP wraps, the upper half stays");
  assert.is(cpu.peek(0x2000 + 0xfffc, 2), 0x79);
  assert.is(cpu.peek(0x2000 + 0xfffe, 2), 0x100);
  assert.is(cpu.peek(0x2000, 2), 0x303);
  assert.is(cpu.call("getEflags") & 0x300n, 0n);
  cpu.ir("interruptReturn", 0n, 0n, 2);
  assert.equal([state.rip, state.segSelector[1], state.regs[4]], [0x79n, 0x100, 0x12340002n]);
  assert.is(cpu.call("getEflags"), 0x303n);
});

test("real mode: an entry beyond the IDT limit ends in a triple fault", () => {
  cpu.reset();
  state.idtLimit = 0;
  assert.is(deliver(6), 1);
});

test("protected mode, same ring: error code, RF in the image of a fault", () => {
  protectedMode(cpu);
  cpu.poke64(IDT + 13 * 8, gate(CODE0, 0x12345678, INT32));
  cpu.call("setEflags", 0x202n, 0x3f7fd5n);
  assert.is(deliver(13, 0x42), 0);
  assert.is(state.rip, 0x12345678n);
  assert.equal(stack(4), [0x42, 0x5000, CODE0, 0x10202]);
  assert.is(cpu.call("getEflags"), 2n);
  assert.is(state.excVector, -1);
});

test("protected mode, inner ring: the TSS's stack, a trap gate keeps IF", () => {
  protectedMode(cpu, 3);
  cpu.poke64(IDT + 0x80 * 8, gate(CODE0, 0x6000, TRAP32, 3));
  cpu.call("setEflags", 0x202n, 0x3f7fd5n);
  cpu.ir("softwareInterrupt", 0x5002n, 0n, 0x80);
  assert.equal([cpl(), state.segSelector[2], state.regs[4]], [0, DATA0, BigInt(STACK0 - 20)]);
  assert.equal(stack(5), [0x5002, CODE3, 0x202, 0x8000, DATA3]);
  assert.is(cpu.call("getEflags"), 0x202n);
  cpu.ir("interruptReturn", 0n, 0n, 4);
  assert.equal([cpl(), state.rip, state.regs[4], state.segSelector[2]], [3, 0x5002n, 0x8000n, DATA3]);
});

test("a return to ring 3 nulls data segments of ring 0", () => {
  protectedMode(cpu);
  state.regs[4] = 0x7000n;
  [0x5002, CODE3, 0x202, 0x8000, DATA3].forEach((value, i) => {
    cpu.poke(0x7000 + i * 4, value);
  });
  cpu.ir("interruptReturn", 0n, 0n, 4);
  assert.equal([state.segSelector[0], state.segSelector[3], cpl()], [0, 0, 3]);
});

test("INT n needs the gate's privilege; exceptions do not ask; errors name the gate", () => {
  protectedMode(cpu, 3);
  cpu.poke64(IDT + 0x80 * 8, gate(CODE0, 0x6000, INT32, 0));
  const int = (vector: number): string | undefined => cpu.fault(() => cpu.ir("softwareInterrupt", 0n, 0n, vector));
  assert.is(int(0x80), "13:402");
  assert.is(int(0x81), "13:40a", "no gate");
  cpu.poke64(IDT + 0x81 * 8, gate(CODE0, 0, INT32, 3) & ~(0x8000n << 32n));
  assert.is(int(0x81), "11:40a", "not present");
  cpu.poke64(IDT + 0x82 * 8, gate(0x1f8, 0, INT32, 3));
  assert.is(int(0x82), "13:1f8", "code selector beyond the GDT");
  assert.is(
    cpu.fault(() => cpu.call("deliverInterrupt", 0x82)),
    "13:1f9",
    "EXT for external interrupts",
  );
  cpu.call("deliverInterrupt", 0x80);
  assert.is(state.rip, 0x6000n);
});

test("a 16-bit gate pushes words and uses 16 bits of offset", () => {
  protectedMode(cpu);
  cpu.poke64(IDT + 0x20 * 8, gate(CODE0, 0xffff6000, 6));
  cpu.call("deliverInterrupt", 0x20);
  assert.is(state.rip, 0x6000n);
  assert.is(state.regs[4], 0x7ffan);
  assert.equal(stack(3, 2), [0x5000, CODE0, 2]);
});

test("double and triple faults", () => {
  protectedMode(cpu);
  cpu.poke64(IDT + 8 * 8, gate(CODE0, 0x8888, INT32));
  assert.is(deliver(13, 0), 0);
  assert.is(state.rip, 0x8888n, "#GP while delivering #GP");
  assert.is(stack(1)[0], 0);
  protectedMode(cpu);
  cpu.poke64(IDT + 8 * 8, gate(CODE0, 0x8888, INT32));
  cpu.poke64(IDT + 13 * 8, gate(CODE0, 0x1313, INT32));
  assert.is(deliver(6), 0);
  assert.is(state.rip, 0x1313n, "#GP while delivering #UD stands for itself");
  assert.is(stack(1)[0], 6 * 8 + 3);
  protectedMode(cpu);
  assert.is(deliver(14, 0), 1);
  assert.is(state.delivering, 0);
});

test("a misaligned ring 3 stack cannot keep #AC going for ever", () => {
  protectedMode(cpu, 3);
  cpu.poke64(IDT + 17 * 8, gate(CODE3, 0x6000, INT32));
  cpu.poke64(IDT + 8 * 8, gate(CODE3, 0x8888, INT32));
  state.cr0 |= 0x40000n;
  cpu.call("setEflags", 0x40002n, 0x3f7fd5n);
  state.regs[4] = 0x8001n;
  assert.is(deliver(17, 0), 1);
});

test("virtual-8086 mode: in through ring 0, out through IRET", () => {
  protectedMode(cpu);
  const frame = [0x1234, 0x2000, 0x23202, 0xabcd, 0x3000, 0x4000, 0x5000, 0x6000, 0x7000];
  state.regs[4] = 0x7000n;
  frame.forEach((value, i) => {
    cpu.poke(0x7000 + i * 4, value);
  });
  cpu.ir("interruptReturn", 0n, 0n, 4);
  assert.is(state.hflags & (HF_VM | HF_CPL), HF_VM | 3);
  assert.equal([...state.segSelector], [0x4000, 0x2000, 0x3000, 0x5000, 0x6000, 0x7000]);
  assert.equal([state.rip, state.segBase[1], state.segLimit[1]], [0x1234n, 0x20000n, 0xffff]);
  cpu.poke64(IDT + 0x20 * 8, gate(CODE0, 0x6000, INT32));
  cpu.call("deliverInterrupt", 0x20);
  assert.is(state.hflags & (HF_VM | HF_CPL), 0);
  assert.equal(stack(9), frame);
  assert.equal([...state.segSelector], [0, CODE0, DATA0, 0, 0, 0]);
});

test("virtual-8086 mode: INT n is an IOPL matter", () => {
  protectedMode(cpu);
  cpu.call("setEflags", 0x20002n, 0x3f7fd5n);
  cpu.poke64(IDT + 0x21 * 8, gate(CODE0, 0x6000, INT32, 3));
  assert.is(
    cpu.fault(() => cpu.ir("softwareInterrupt", 0n, 0n, 0x21)),
    "13:0",
  );
  cpu.ir("softwareInterrupt", 0n, 0n, 0x121);
  assert.is(state.rip, 0x6000n, "INT3 and INTO are not");
});

const gate64 = (vector: number, offset: bigint, ist = 0): void => {
  cpu.poke64(IDT + vector * 16, gate(CODE64, Number(offset & 0xffffffffn), INT32, 3, ist));
  cpu.poke64(IDT + vector * 16 + 8, offset >> 32n);
};

test("long mode: SS:RSP always, aligned to 16 bytes", () => {
  longMode(cpu);
  gate64(14, 0x7000n);
  state.regs[4] = 0x8006n;
  deliver(14, 3);
  assert.is(state.regs[4], 0x8000n - 48n);
  assert.equal(stack(6, 8), [3, 0x5000, CODE64, 0x10002, 0x8006, DATA0]);
  state.regs[4] += 8n;
  cpu.ir("interruptReturn", 0n, 0n, 8);
  assert.equal([state.rip, state.regs[4], state.segSelector[2]], [0x5000n, 0x8006n, DATA0]);
});

test("long mode: from ring 3 with a null SS, IST, canonical checks", () => {
  longMode(cpu, 3);
  gate64(0x20, 0x7000n);
  cpu.call("deliverInterrupt", 0x20);
  assert.equal([cpl(), state.segSelector[2], state.regs[4]], [0, 0, BigInt(STACK0 - 40)]);
  assert.equal(stack(5, 8), [0x5000, CODE3, 2, 0x8000, DATA3]);
  longMode(cpu);
  gate64(0x21, 0x7000n, 2);
  cpu.poke64(TSS + 0x2c, 0xa000n);
  cpu.call("deliverInterrupt", 0x21);
  assert.is(state.regs[4], 0xa000n - 40n);
  gate64(0x22, 0x8000_0000_0000n);
  assert.is(
    cpu.fault(() => cpu.call("deliverInterrupt", 0x22)),
    "13:1",
  );
  cpu.poke64(TSS + 0x2c, 0x8000_0000_0000n);
  assert.is(
    cpu.fault(() => cpu.call("deliverInterrupt", 0x21)),
    "12:1",
  );
});

test("single step, MOV SS shadow and instruction breakpoints", () => {
  protectedMode(cpu);
  cpu.call("setEflags", 0x102n, 0x3f7fd5n);
  assert.is(cpu.call("beforeInstruction"), 0);
  assert.is(cpu.call("afterInstruction"), 1);
  assert.is(state.dr[6] & 0x4000n, 0x4000n);
  assert.is(cpu.call("beforeInstruction"), 0);
  cpu.ir("loadSegment", BigInt(DATA0), 0n, 0x102);
  assert.is(cpu.call("afterInstruction"), 0, "held off behind MOV SS");
  assert.is(cpu.call("beforeInstruction"), 0);
  assert.is(cpu.call("afterInstruction"), 1);
  assert.is(state.inhibit, 0);
  protectedMode(cpu);
  state.dr[0] = 0x5000n;
  state.dr[7] = 0x401n;
  cpu.call("updateHflags");
  assert.is(cpu.call("beforeInstruction"), 1);
  assert.is(state.dr[6] & 0xfn, 1n);
  cpu.call("setEflags", 0x10000n, 0x10000n);
  assert.is(cpu.call("beforeInstruction"), 0, "RF");
  assert.is(cpu.call("beforeInstruction"), 1, "RF lasts one instruction");
});

test("a descriptor's accessed bit is set by a load", () => {
  protectedMode(cpu);
  cpu.poke64(GDT + FREE, 0x00cf92000000ffffn);
  cpu.ir("loadSegment", BigInt(FREE), 0n, 3);
  assert.is(cpu.peek(GDT + FREE + 5, 1), 0x93);
});

test.run();
