/** String instructions and port I/O: once as IR, repeated through helpers that work run by run. */

import { ENV } from "../env.ts";
import { NONE, type Value } from "../ir/builder.ts";
import { OP } from "../ir/ops.ts";
import type { Insn } from "../x86/insn.ts";
import { DS, ES, FS, RAX, RDI, RDX, RSI, type Translator } from "./translator.ts";

const REPNE = 0xf2;
const WHILE_EQUAL = 1 << 16;

/** STRING_* of assembly/strings.ts. */
const MOVS = 0;
const STOS = 1;
const LODS = 2;
const SCAS = 3;
const CMPS = 4;
const INS = 5;
const OUTS = 6;

const sourceOf = (t: Translator, i: Insn): number => (i.segment >= 0 && !(t.code64 && i.segment < FS) ? i.segment : DS);

/** Calls the helper, which answers 0 when it wants to be called again; interrupts are looked at in between. */
function repeated(t: Translator, i: Insn, kind: number, size: number): void {
  const { ir } = t;
  const imm = kind | (size << 4) | (i.addrSize << 8) | (sourceOf(t, i) << 12) | (i.rep === REPNE ? 0 : WHILE_EQUAL);
  t.syncCc();
  const finished = ir.call("repeatString", NONE, NONE, imm);
  const done = ir.label();
  ir.brIf(OP.br_ne64, finished, ir.const(0), done);
  t.setRip(t.currentRip());
  ir.exitMain();
  ir.bind(done);
  if (kind === SCAS || kind === CMPS) t.flagsUnknown();
}

/** RSI or RDI at the address size. */
function pointer(t: Translator, i: Insn, register: number): Value {
  if (i.addrSize === 8) return t.reg(register);
  return t.ir.unary(i.addrSize === 4 ? OP.ext32u : OP.ext16u, t.reg(register));
}

/** Moves RSI or RDI on by one element in the direction of DF. */
function moveOn(t: Translator, i: Insn, register: number, size: number): void {
  const { ir } = t;
  const step = size === 1 ? ENV.df : ir.binary(OP.shl64, ENV.df, ir.const(Math.log2(size)));
  t.writeReg(register, i.addrSize, ir.binary(t.op(OP.add32, i.addrSize), t.reg(register), step), true);
}

const loadSource = (t: Translator, i: Insn, size: number): Value =>
  t.load(t.segAddress(sourceOf(t, i), pointer(t, i, RSI), size, false), size);

const targetAddress = (t: Translator, i: Insn, size: number, write: boolean): Value =>
  t.segAddress(ES, pointer(t, i, RDI), size, write);

/** `byte` forms work on one byte, the others on the operand size. */
const sizeOf = (i: Insn, byte: boolean): number => (byte ? 1 : i.opSize);

export const movs =
  (byte: boolean) =>
  (t: Translator, i: Insn): void => {
    const size = sizeOf(i, byte);
    if (i.rep !== 0) {
      repeated(t, i, MOVS, size);
      return;
    }
    const value = loadSource(t, i, size);
    t.store(targetAddress(t, i, size, true), value, size);
    moveOn(t, i, RSI, size);
    moveOn(t, i, RDI, size);
  };

export const stos =
  (byte: boolean) =>
  (t: Translator, i: Insn): void => {
    const size = sizeOf(i, byte);
    if (i.rep !== 0) {
      repeated(t, i, STOS, size);
      return;
    }
    t.store(targetAddress(t, i, size, true), t.reg(RAX), size);
    moveOn(t, i, RDI, size);
  };

export const lods =
  (byte: boolean) =>
  (t: Translator, i: Insn): void => {
    const size = sizeOf(i, byte);
    if (i.rep !== 0) {
      repeated(t, i, LODS, size);
      return;
    }
    t.writeReg(RAX, size, loadSource(t, i, size), true);
    moveOn(t, i, RSI, size);
  };

/** Flags of left - right. */
function compare(t: Translator, left: Value, right: Value, size: number): void {
  t.setCcSub(size, left, right, t.ir.binary(t.op(OP.sub32, size), left, right));
}

export const scas =
  (byte: boolean) =>
  (t: Translator, i: Insn): void => {
    const size = sizeOf(i, byte);
    if (i.rep !== 0) {
      repeated(t, i, SCAS, size);
      return;
    }
    const right = t.load(targetAddress(t, i, size, false), size);
    moveOn(t, i, RDI, size);
    compare(t, t.reg(RAX), right, size);
  };

export const cmps =
  (byte: boolean) =>
  (t: Translator, i: Insn): void => {
    const size = sizeOf(i, byte);
    if (i.rep !== 0) {
      repeated(t, i, CMPS, size);
      return;
    }
    const right = t.load(targetAddress(t, i, size, false), size);
    const left = loadSource(t, i, size);
    moveOn(t, i, RSI, size);
    moveOn(t, i, RDI, size);
    compare(t, left, right, size);
  };

/** A device may have raised an interrupt or changed the memory map: on to the next block, which looks. */
function goOn(t: Translator): void {
  t.setRip(t.nextRip());
  t.endLookup();
}

/** The permission is checked before memory is looked at, and even if nothing is repeated. */
function permitPort(t: Translator, size: number): void {
  if (t.protectedMode && (t.vm86 || t.cpl > t.iopl)) t.ir.callVoid("permitPort", t.reg(RDX), NONE, size);
}

/** INS and OUTS: ports have at most four bytes. */
export const ins =
  (byte: boolean) =>
  (t: Translator, i: Insn): void => {
    const size = Math.min(sizeOf(i, byte), 4);
    permitPort(t, size);
    if (i.rep !== 0) repeated(t, i, INS, size);
    else {
      const address = targetAddress(t, i, size, true);
      t.syncCc();
      // A port must not be read before it is certain that the value can be stored.
      t.ir.callVoid("probeStore", address, NONE, size);
      t.store(address, t.ir.call("ioIn", t.reg(RDX), NONE, size), size);
      moveOn(t, i, RDI, size);
    }
    goOn(t);
  };

export const outs =
  (byte: boolean) =>
  (t: Translator, i: Insn): void => {
    const size = Math.min(sizeOf(i, byte), 4);
    permitPort(t, size);
    if (i.rep !== 0) repeated(t, i, OUTS, size);
    else {
      const value = loadSource(t, i, size);
      t.syncCc();
      t.ir.callVoid("ioOut", t.reg(RDX), value, size);
      moveOn(t, i, RSI, size);
    }
    goOn(t);
  };

/** IN and OUT; the port is an immediate byte or DX. */
export const input =
  (byte: boolean, immediate: boolean) =>
  (t: Translator, i: Insn): void => {
    const size = Math.min(sizeOf(i, byte), 4);
    const port = immediate ? t.ir.constU(i.imm & 0xff) : t.reg(RDX);
    t.syncCc();
    t.writeReg(RAX, size, t.ir.call("ioIn", port, NONE, size), true);
    goOn(t);
  };

export const output =
  (byte: boolean, immediate: boolean) =>
  (t: Translator, i: Insn): void => {
    const size = Math.min(sizeOf(i, byte), 4);
    const port = immediate ? t.ir.constU(i.imm & 0xff) : t.reg(RDX);
    t.syncCc();
    t.ir.callVoid("ioOut", port, t.reg(RAX), size);
    goOn(t);
  };
