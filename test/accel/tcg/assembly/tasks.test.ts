import { test } from "uvu";
import * as assert from "uvu/assert";
import { HF_CPL } from "../../../../accel/tcg/env.ts";
import {
  CODE0,
  CODE3,
  CODE64,
  DATA0,
  DATA3,
  descriptor,
  FREE,
  GDT,
  gate,
  IDT,
  longMode,
  protectedMode,
  STACK0,
  TestCpu,
  TR,
  TSS,
} from "./protected-cpu.ts";

const cpu = new TestCpu();
const { state } = cpu;
const NEW_TSS = 0x6000;
const CALL32 = 12;
const CALL16 = 4;
const TASK_GATE = 5;
const cpl = (): number => state.hflags & HF_CPL;
const busy = (selector: number): boolean => (cpu.peek(GDT + selector + 5, 1) & 2) !== 0;

/** A second 32-bit task behind selector FREE. */
function secondTask(): void {
  cpu.poke64(GDT + FREE, descriptor(NEW_TSS, 0x67, 0x8900));
  cpu.poke(NEW_TSS + 0x20, 0x7777);
  cpu.poke(NEW_TSS + 0x24, 0x202);
  for (let i = 0; i < 8; i++) cpu.poke(NEW_TSS + 0x28 + i * 4, 0x100 + i);
  for (let i = 0; i < 6; i++) cpu.poke(NEW_TSS + 0x48 + i * 4, i === 1 ? CODE0 : DATA0);
}

test("JMP to a TSS: everything saved and loaded, busy bits moved", () => {
  protectedMode(cpu);
  secondTask();
  state.regs[0] = 0xaaaan;
  state.scratch[0] = 0x5007n;
  cpu.ir("farJump", BigInt(FREE), 0n, 4);
  assert.equal([state.rip, state.regs[0], state.regs[4], state.trSelector], [0x7777n, 0x100n, 0x104n, FREE]);
  assert.equal([busy(TR), busy(FREE)], [false, true]);
  assert.equal([cpu.peek(TSS + 0x20), cpu.peek(TSS + 0x28), cpu.peek(TSS + 0x4c, 2)], [0x5007, 0xaaaa, CODE0]);
  assert.is(state.cr0 & 8n, 8n);
  assert.is(cpu.call("getEflags"), 0x202n);
});

test("CALL nests: back link, NT, both busy; IRET returns", () => {
  protectedMode(cpu);
  secondTask();
  state.scratch[0] = 0x5007n;
  cpu.ir("farCall", BigInt(FREE), 0n, 4);
  assert.equal([busy(TR), busy(FREE), cpu.peek(NEW_TSS, 2)], [true, true, TR]);
  assert.is(cpu.call("getEflags"), 0x4202n);
  state.scratch[0] = 0x7780n;
  cpu.ir("interruptReturn", 0n, 0n, 4);
  assert.equal([state.rip, state.trSelector, busy(TR), busy(FREE)], [0x5007n, TR, true, false]);
  assert.is(cpu.peek(NEW_TSS + 0x20), 0x7780);
  assert.is(cpu.peek(NEW_TSS + 0x24) & 0x4000, 0, "NT is cleared in the image of the task that IRET leaves");
});

test("an exception through a task gate pushes its error code on the new stack", () => {
  protectedMode(cpu);
  secondTask();
  cpu.poke(NEW_TSS + 0x38, 0xa000);
  cpu.poke64(IDT + 13 * 8, gate(FREE, 0, TASK_GATE));
  state.excVector = 13;
  state.excError = 0x123;
  state.excHasError = 1;
  assert.is(cpu.helpers.deliverException(cpu.env), 0);
  assert.equal([state.rip, state.regs[4], cpu.peek(0x9ffc)], [0x7777n, 0x9ffcn, 0x123]);
});

test("bad selectors in the new task fault there", () => {
  protectedMode(cpu);
  secondTask();
  cpu.poke(NEW_TSS + 0x50, 0x1f8);
  assert.is(
    cpu.fault(() => cpu.ir("farJump", BigInt(FREE), 0n, 4)),
    "10:1f8",
  );
  assert.equal([state.rip, state.trSelector, state.exactRip], [0x7777n, FREE, 1]);
});

test("a busy or short TSS is refused in the old task", () => {
  protectedMode(cpu);
  secondTask();
  assert.is(
    cpu.fault(() => cpu.ir("farJump", BigInt(TR), 0n, 4)),
    "13:28",
  );
  cpu.poke64(GDT + FREE, descriptor(NEW_TSS, 0x66, 0x8900));
  assert.is(
    cpu.fault(() => cpu.ir("farJump", BigInt(FREE), 0n, 4)),
    "10:40",
  );
  assert.equal([state.exactRip, state.trSelector], [0, TR]);
});

test("the T bit leaves a debug trap pending", () => {
  protectedMode(cpu);
  secondTask();
  cpu.poke(NEW_TSS + 0x64, 1, 2);
  cpu.ir("farJump", BigInt(FREE), 0n, 4);
  assert.is(cpu.call("afterInstruction"), 1);
  assert.is(state.dr[6] & 0x8000n, 0x8000n);
});

test("a 32-bit call gate copies parameters to the inner stack; RET takes them from both", () => {
  protectedMode(cpu, 3);
  cpu.poke64(GDT + FREE, gate(CODE0, 0x7000, CALL32, 3, 2));
  cpu.poke(0x8000, 0x11);
  cpu.poke(0x8004, 0x22);
  state.scratch[0] = 0x5007n;
  cpu.ir("farCall", BigInt(FREE | 3), 0n, 4);
  assert.equal([cpl(), state.rip, state.regs[4]], [0, 0x7000n, BigInt(STACK0 - 24)]);
  const frame = Array.from({ length: 6 }, (_, i) => cpu.peek(STACK0 - 24 + i * 4));
  assert.equal(frame, [0x5007, CODE3, 0x11, 0x22, 0x8000, DATA3]);
  cpu.ir("farReturn", 8n, 0n, 4);
  assert.equal([cpl(), state.rip, state.regs[4], state.segSelector[2]], [3, 0x5007n, 0x8008n, DATA3]);
});

test("a 16-bit call gate uses 16 bits of offset and pushes words", () => {
  protectedMode(cpu);
  cpu.poke64(GDT + FREE, gate(CODE0, 0x12347000, CALL16));
  state.scratch[0] = 0x5007n;
  cpu.ir("farCall", BigInt(FREE), 0n, 4);
  assert.equal([state.rip, state.regs[4], cpu.peek(0x7ffc)], [0x7000n, 0x7ffcn, (CODE0 << 16) | 0x5007]);
});

test("far jumps check privilege, presence and limit", () => {
  protectedMode(cpu);
  const jump = (selector: number, offset = 0n): string | undefined =>
    cpu.fault(() => cpu.ir("farJump", BigInt(selector), offset, 4));
  assert.is(jump(0), "13:0");
  assert.is(jump(DATA0), "13:10");
  assert.is(jump(CODE3), "13:18");
  cpu.poke64(GDT + FREE, descriptor(0, 0xfff, 0x401a00));
  assert.is(jump(FREE), "11:40");
  cpu.poke64(GDT + FREE, descriptor(0, 0xfff, 0x409a00));
  assert.is(jump(FREE, 0x1000n), "13:0");
  assert.is(jump(FREE, 0xfffn), undefined);
  assert.is(state.segLimit[1], 0xfff);
});

test("segment loads: rights, presence, null", () => {
  protectedMode(cpu, 3);
  const loadTo = (segment: number, selector: number): string | undefined =>
    cpu.fault(() => cpu.ir("loadSegment", BigInt(selector), 0n, segment));
  assert.is(loadTo(3, DATA0), "13:10");
  assert.is(loadTo(2, 0), "13:0");
  assert.is(loadTo(3, 0), undefined);
  assert.is(
    cpu.fault(() => cpu.ir("segmentCheck", 0n, 0n, 3 | (3 << 4))),
    "13:0",
    "a null selector cannot be used",
  );
  cpu.poke64(GDT + FREE, descriptor(0, 0xfff, 0x407200));
  assert.is(loadTo(3, FREE | 3), "11:40");
  assert.is(loadTo(2, FREE | 3), "12:40");
  cpu.poke64(GDT + FREE, descriptor(0x1000, 0xfff, 0x40f600));
  assert.is(loadTo(3, FREE | 3), undefined);
  const check = (offset: bigint): string | undefined =>
    cpu.fault(() => cpu.ir("segmentCheck", offset, 0n, 3 | (3 << 4) | (1 << 16)));
  assert.is(check(0xfffn), "13:0", "expand-down: below the limit");
  assert.is(check(0x1000n), undefined);
  assert.is(check(0xfffffffdn), "13:0");
});

test("LAR, LSL, VERR, VERW, ARPL", () => {
  protectedMode(cpu, 3);
  const zero = (): boolean => (Number(cpu.call("getFlags")) & 0x40) !== 0;
  assert.is(cpu.ir("lar", BigInt(CODE3), 5n), 0xcffa00n);
  assert.ok(zero());
  assert.is(cpu.ir("lar", BigInt(CODE0), 5n), 5n);
  assert.not(zero());
  assert.is(cpu.ir("lsl", BigInt(DATA3), 5n), 0xffffffffn);
  cpu.ir("verify", BigInt(CODE3), 0n, 1);
  assert.not(zero());
  cpu.ir("verify", BigInt(DATA3), 0n, 1);
  assert.ok(zero());
  cpu.ir("arpl", 0x11n, 1n);
  assert.not(zero());
  cpu.ir("arpl", 0x10n, 3n);
  assert.ok(zero());
});

test("the I/O permission bitmap", () => {
  protectedMode(cpu, 3);
  cpu.poke(TSS + 0x66, 0x68, 2);
  cpu.poke(TSS + 0x68 + 0x10, 0xfb, 1);
  const input = (port: bigint, size: number): string | undefined => cpu.fault(() => cpu.ir("ioIn", port, 0n, size));
  assert.is(input(0x82n, 1), undefined);
  assert.is(input(0x82n, 2), "13:0");
  assert.is(input(0x90n, 1), undefined);
  cpu.poke(TSS + 0x66, 0x2067, 2);
  assert.is(input(0n, 1), "13:0", "the second byte is beyond the limit");
  cpu.call("setEflags", 0x3000n, 0x3000n);
  assert.is(input(0x83n, 1), undefined, "IOPL 3");
});

test("SYSCALL, SYSRET and SYSENTER", () => {
  longMode(cpu, 3);
  state.features[5] = (1 << 11) | (1 << 29);
  state.star = (0x13n << 48n) | (BigInt(CODE0) << 32n);
  state.lstar = 0xffff_8000_0000_1000n;
  state.sfmask = 0x200n;
  cpu.call("setEflags", 0x203n, 0x3f7fd5n);
  cpu.ir("syscall", 0x5002n);
  assert.equal([state.rip, state.regs[1], state.regs[11]], [state.lstar, 0x5002n, 0x203n]);
  assert.equal([cpl(), state.segSelector[1], state.segSelector[2]], [0, CODE0, DATA0]);
  assert.is(cpu.call("getEflags"), 3n);
  cpu.ir("sysret", 0n, 0n, 1);
  assert.equal([cpl(), state.rip, state.segSelector[1], state.segSelector[2]], [3, 0x5002n, 0x23, 0x1b]);
  assert.is(cpu.call("getEflags"), 0x203n);
  protectedMode(cpu, 3);
  assert.is(
    cpu.fault(() => cpu.ir("sysenter")),
    "13:0",
  );
  state.sysenterCs = BigInt(CODE0);
  state.sysenterEip = 0x1234n;
  state.sysenterEsp = 0x9000n;
  cpu.ir("sysenter");
  assert.equal([cpl(), state.rip, state.regs[4], state.segSelector[2]], [0, 0x1234n, 0x9000n, DATA0]);
});

test("entering and leaving long mode", () => {
  protectedMode(cpu);
  state.features[0] = 1 << 6;
  state.features[5] = (1 << 29) | (1 << 20);
  cpu.poke64(0x100000, 0x101007n);
  cpu.poke64(0x101000, 0x102007n);
  cpu.poke64(0x102000, 0x87n);
  state.regs[1] = 0xc0000080n;
  state.regs[0] = 0x100n;
  cpu.ir("wrmsr");
  const control = (index: number, value: bigint): string | undefined =>
    cpu.fault(() => cpu.ir("writeControl", value, 0n, index));
  assert.is(control(0, 0x80000011n), "13:0", "needs PAE");
  assert.is(control(4, 0x1n), "13:0", "VME does not exist");
  assert.is(control(4, 0x20n), undefined);
  assert.is(control(3, 0x100000n), undefined);
  assert.is(control(0, 0x80000011n), undefined);
  assert.is(state.efer, 0x500n);
  assert.is(
    cpu.fault(() => cpu.ir("wrmsr")),
    undefined,
  );
  state.regs[0] = 0n;
  assert.is(
    cpu.fault(() => cpu.ir("wrmsr")),
    "13:0",
    "LME cannot change under paging",
  );
  cpu.ir("farJump", BigInt(CODE64), 0x5000n, 4);
  assert.is(control(0, 0x11n), "13:0", "not from 64-bit code");
  assert.is(control(4, 0n), "13:0");
  assert.is(control(0, 0x20000001n), "13:0", "NW without CD");
  assert.is(control(3, 1n << 40n), "13:0");
});

test("SMM: state saved, SMBASE relocated, everything back", () => {
  for (const is64 of [true, false]) {
    protectedMode(cpu, 3);
    state.features[5] = is64 ? 1 << 29 : 0;
    state.smbase = 0x30000;
    state.regs[3] = 0x12345678n;
    state.halted = 1;
    cpu.call("setEflags", 0x246n, 0x3f7fd5n);
    cpu.call("enterSmm");
    assert.equal([state.rip, state.segBase[1], state.cr0 & 1n, state.halted], [0x8000n, 0x30000n, 0n, 0]);
    assert.is(cpu.peek(0x3fefc), is64 ? 0x20064 : 0x20000);
    cpu.poke(is64 ? 0x3ff00 : 0x3fef8, 0xa0123);
    state.regs[3] = 0n;
    cpu.ir("rsm");
    assert.equal([state.rip, state.regs[3], state.smbase, state.halted], [0x5000n, 0x12345678n, 0xa0000, 1]);
    assert.equal(
      [cpl(), cpu.call("getEflags"), state.segAttr[1], state.segLimit[1]],
      [3, 0x246n, 0xc0fb00, 0xffffffff],
    );
    assert.equal([state.trBase, state.gdtBase, state.idtLimit], [BigInt(TSS), BigInt(GDT), 0x7ff]);
    assert.equal(cpu.log, ["smm 1", "smm 0"]);
  }
  assert.is(
    cpu.fault(() => cpu.ir("rsm")),
    "6",
  );
});

test("debug registers: aliases, general detect, reserved bits", () => {
  protectedMode(cpu);
  assert.is(cpu.ir("readDebug", 0n, 0n, 4), 0xffff0ff0n);
  state.cr4 = 8n;
  assert.is(
    cpu.fault(() => cpu.ir("readDebug", 0n, 0n, 4)),
    "6",
  );
  cpu.ir("writeDebug", 0xffffffffn, 0n, 6);
  assert.is(state.dr[6], 0xffffefffn);
  cpu.ir("writeDebug", 0x2000n, 0n, 7);
  assert.is(
    cpu.fault(() => cpu.ir("readDebug", 0n, 0n, 0)),
    "1",
  );
  assert.equal([state.dr[6] & 0x2000n, state.dr[7]], [0x2000n, 0x400n]);
});

test.run();
