/**
 * Emit functions of MMX and SSE: availability, operands, moves, and packed operations as IR vector ops or helpers that
 * work in place (see assembly/sse-int.ts).
 *
 * An MMX register is the 64-bit significand of an x87 register; a write sets the sign and exponent to all ones.
 */

import { ENV, HF_EM, HF_OSFXSR, HF_TS, xmmOffset } from "../env.ts";
import { NONE, type Value } from "../ir/builder.ts";
import { OP } from "../ir/ops.ts";
import type { Insn, OpcodeRow } from "../x86/insn.ts";
import { DS, RDI, type Translator } from "./translator.ts";
import { reportPending } from "./x87.ts";

export type Emit = OpcodeRow["emit"];

const UD = 6;
const NM = 7;

/** Raises #UD or #NM where the control registers ask for it. True if it did. */
export function sseUnavailable(t: Translator): boolean {
  if ((t.hflags & HF_EM) !== 0 || (t.hflags & HF_OSFXSR) === 0) t.raise(UD);
  else if ((t.hflags & HF_TS) !== 0) t.raise(NM);
  else return false;
  return true;
}

export function mmxUnavailable(t: Translator): boolean {
  if ((t.hflags & HF_EM) !== 0) t.raise(UD);
  else if ((t.hflags & HF_TS) !== 0) t.raise(NM);
  else return false;
  return true;
}

/** An SSE instruction: `emit` behind the checks. */
export const sse =
  (emit: Emit): Emit =>
  (t, i) => {
    if (!sseUnavailable(t)) emit(t, i);
  };

export const mmx =
  (emit: Emit): Emit =>
  (t, i) => {
    if (!mmxUnavailable(t)) emit(t, i);
  };

const mmOffset = (index: number): number => ENV.fpr + (index & 7) * 16;

/** Two offsets as the helpers' imm has them. */
export const places = (destination: Value, source: Value): number => destination | (source << 16);

/** #GP unless `address` is a multiple of 16. */
function requireAlignment(t: Translator, address: Value): void {
  const { ir } = t;
  const good = ir.label();
  ir.brIf(OP.br_tsteq32, address, ir.const(15), good);
  ir.callVoid("checkAligned16", address);
  ir.bind(good);
}

/** The ModRM.rm operand of 16 bytes: a register's slot, or a temporary loaded from memory. */
export function sourceVector(t: Translator, i: Insn, aligned = true): Value {
  if (t.isReg(i)) return xmmOffset(i.rm);
  const address = t.linear(i, 16, false);
  if (aligned) requireAlignment(t, address);
  const value = t.ir.vtemp();
  t.ir.load128(value, address);
  return value;
}

/** The low `size` bytes (4 or 8) of an XMM register or memory, zero-extended to 64 bits. */
export function sourceScalar(t: Translator, i: Insn, size: number): Value {
  if (!t.isReg(i)) return t.load(t.linear(i, size, false), size);
  return size === 8 ? xmmOffset(i.rm) : t.zext(xmmOffset(i.rm), size);
}

/** A vector temporary with the operand in its low `size` bytes (4, 8 or 16) and zeros above; registers as they are. */
export function sourceLow(t: Translator, i: Insn, size: number): Value {
  if (t.isReg(i)) return xmmOffset(i.rm);
  if (size === 16) return sourceVector(t, i);
  const value = t.ir.vtemp();
  t.ir.mov(value, t.load(t.linear(i, size, false), size));
  t.ir.mov(value + 8, t.ir.const(0));
  return value;
}

/** Replaces the low 4 or 8 bytes of an XMM register. */
export function writeScalar(t: Translator, register: number, value: Value, size: number): void {
  const slot = xmmOffset(register);
  if (size === 8) {
    t.ir.mov(slot, value);
  } else {
    const high = t.ir.binary(OP.and64, slot, t.ir.const(0, -1));
    t.ir.binaryTo(slot, OP.or64, high, t.zext(value, 4));
  }
}

// ---- moves

export const loadVector = (aligned: boolean): Emit =>
  sse((t, i) => {
    t.ir.emit(OP.vmov, xmmOffset(i.reg), sourceVector(t, i, aligned));
  });

export const storeVector = (aligned: boolean): Emit =>
  sse((t, i) => {
    if (t.isReg(i)) {
      t.ir.emit(OP.vmov, xmmOffset(i.rm), xmmOffset(i.reg));
      return;
    }
    const address = t.linear(i, 16, true);
    if (aligned) requireAlignment(t, address);
    t.ir.store128(address, xmmOffset(i.reg));
  });

/** MOVSS and MOVSD: a load clears the rest, a register move keeps it. */
export const loadScalar = (size: 4 | 8): Emit =>
  sse((t, i) => {
    const value = sourceScalar(t, i, size);
    if (t.isReg(i)) {
      writeScalar(t, i.reg, value, size);
    } else {
      t.ir.mov(xmmOffset(i.reg), value);
      t.ir.mov(xmmOffset(i.reg) + 8, t.ir.const(0));
    }
  });

export const storeScalar = (size: 4 | 8): Emit =>
  sse((t, i) => {
    if (t.isReg(i)) writeScalar(t, i.rm, xmmOffset(i.reg), size);
    else t.store(t.linear(i, size, true), xmmOffset(i.reg), size);
  });

/** MOVLPS, MOVHPS and kin: one half to or from memory. */
export const loadHalf = (high: boolean): Emit =>
  sse((t, i) => {
    t.ir.mov(xmmOffset(i.reg) + (high ? 8 : 0), t.load(t.linear(i, 8, false), 8));
  });

export const storeHalf = (high: boolean): Emit =>
  sse((t, i) => {
    t.store(t.linear(i, 8, true), xmmOffset(i.reg) + (high ? 8 : 0), 8);
  });

export const movhlps: Emit = sse((t, i) => t.ir.mov(xmmOffset(i.reg), xmmOffset(i.rm) + 8));
export const movlhps: Emit = sse((t, i) => t.ir.mov(xmmOffset(i.reg) + 8, xmmOffset(i.rm)));

/** MOVD and MOVQ from a general register or memory. */
export const movdLoad: Emit = sse((t, i) => {
  const size = i.rexW ? 8 : 4;
  t.ir.mov(xmmOffset(i.reg), t.zext(t.readE(i, size), size));
  t.ir.mov(xmmOffset(i.reg) + 8, t.ir.const(0));
});

export const movdStore: Emit = sse((t, i) => t.writeE(i, xmmOffset(i.reg), i.rexW ? 8 : 4));

/** MOVQ between XMM registers and memory. */
export const movqLoad: Emit = sse((t, i) => {
  t.ir.mov(xmmOffset(i.reg), sourceScalar(t, i, 8));
  t.ir.mov(xmmOffset(i.reg) + 8, t.ir.const(0));
});

export const movqStore: Emit = sse((t, i) => {
  if (t.isReg(i)) {
    t.ir.mov(xmmOffset(i.rm), xmmOffset(i.reg));
    t.ir.mov(xmmOffset(i.rm) + 8, t.ir.const(0));
  } else {
    t.store(t.linear(i, 8, true), xmmOffset(i.reg), 8);
  }
});

/** MOVDDUP, MOVSLDUP, MOVSHDUP */
export const movddup: Emit = sse((t, i) => {
  const value = sourceScalar(t, i, 8);
  t.ir.mov(xmmOffset(i.reg) + 8, value);
  t.ir.mov(xmmOffset(i.reg), value);
});

export const duplicate = (high: boolean): Emit =>
  sse((t, i) => {
    const source = sourceVector(t, i);
    t.ir.callVoid("pshufd", t.ir.const(high ? 0xf5 : 0xa0), NONE, places(xmmOffset(i.reg), source));
  });

/** MOVNTI */
export const movnti: Emit = (t, i) => t.writeE(i, t.readG(i, i.rexW ? 8 : 4), i.rexW ? 8 : 4);

// ---- packed operations

/** Two-operand vector operation: an IR op by name ("v_..."), or a helper. */
function apply(t: Translator, operation: string, destination: Value, source: Value, immediate: Value = NONE): void {
  if (operation.startsWith("v_")) t.ir.emit(OP[operation], destination, destination, source);
  else t.ir.callVoid(operation, immediate, NONE, places(destination, source));
}

/** xmm = operation(xmm, xmm/m128) */
export const packed = (operation: string): Emit =>
  sse((t, i) => {
    apply(t, operation, xmmOffset(i.reg), sourceVector(t, i));
  });

/** The same with an immediate byte. */
export const packedImmediate = (operation: string): Emit =>
  sse((t, i) => {
    const source = sourceVector(t, i);
    apply(t, operation, xmmOffset(i.reg), source, t.ir.constU(i.imm & 0xff));
  });

/** xmm = operation(xmm/m of `size` bytes), an IR op of one operand. */
export const packedUnary = (operation: string, size: number): Emit =>
  sse((t, i) => {
    t.ir.emit(OP[operation], xmmOffset(i.reg), sourceLow(t, i, size));
  });

/** helper(env, a, b, places) with a source of `size` bytes. */
export const packedLike = (
  helper: string,
  size: 4 | 8 | 16,
  a?: (t: Translator, i: Insn) => Value,
  b?: (t: Translator, i: Insn) => Value,
): Emit =>
  sse((t, i) => {
    const source = sourceLow(t, i, size);
    t.ir.callVoid(helper, a?.(t, i), b?.(t, i), places(xmmOffset(i.reg), source));
  });

/** Operations with the mask in XMM0. */
export const packedByXmm0 = (operation: string): Emit =>
  sse((t, i) => {
    const source = sourceVector(t, i);
    apply(t, operation, xmmOffset(i.reg), source, t.ir.constU(xmmOffset(0)));
  });

/** How an operation on 128 bits yields the MMX one. */
export type MmxForm =
  /** Each half by itself. */
  | "lanes"
  /** Elements of destination, then source: both go into one vector. */
  | "joined"
  /** Interleaved high elements: the upper half of interleaved low ones. */
  | "high";

/** Reads the MMX or memory operand. */
export function mmxSource(t: Translator, i: Insn, size = 8): Value {
  if (t.isReg(i)) return mmOffset(i.rm);
  reportPending(t);
  return t.load(t.linear(i, size, false), size);
}

export function writeMmx(t: Translator, index: number, value: Value): void {
  t.ir.mov(mmOffset(index), value);
  t.ir.mov(mmOffset(index) + 8, t.ir.constU(0xffff));
}

/** mm = operation(mm, mm/m64); `size` of a memory operand is 4 where the manual says m32. */
export const mmxPacked = (operation: string, form: MmxForm = "lanes", size = 8): Emit =>
  mmx((t, i) => {
    const { ir } = t;
    const value = mmxSource(t, i, size);
    const a = ir.vtemp();
    const b = ir.vtemp();
    ir.mov(a, mmOffset(i.reg));
    ir.mov(a + 8, form === "joined" ? value : ir.const(0));
    ir.mov(b, value);
    ir.mov(b + 8, ir.const(0));
    ir.callVoid("mmxEnter");
    apply(t, form === "high" ? operation.replace("_high_", "_low_") : operation, a, b);
    writeMmx(t, i.reg, form === "high" ? a + 8 : a);
  });

/** mm = operation(mm/m64), an IR op of one operand. */
export const mmxUnary = (operation: string): Emit =>
  mmx((t, i) => {
    const { ir } = t;
    const a = ir.vtemp();
    ir.mov(a, mmxSource(t, i));
    ir.mov(a + 8, ir.const(0));
    ir.callVoid("mmxEnter");
    ir.emit(OP[operation], a, a);
    writeMmx(t, i.reg, a);
  });

export const pshufw: Emit = mmx((t, i) => {
  const a = t.ir.vtemp();
  t.ir.mov(a, mmxSource(t, i));
  t.ir.callVoid("mmxEnter");
  t.ir.callVoid("pshufw", t.ir.constU(i.imm & 0xff), NONE, places(a, a));
  writeMmx(t, i.reg, a);
});

export const mmxPalignr: Emit = mmx((t, i) => {
  const value = mmxSource(t, i);
  const a = t.ir.vtemp();
  t.ir.mov(a, mmOffset(i.reg));
  t.ir.callVoid("mmxEnter");
  t.ir.callVoid("palignr64", t.ir.constU(i.imm & 0xff), value, a);
  writeMmx(t, i.reg, a);
});

const SHIFT_KIND = { l: 0, r: 1, a: 2 } as const;
export type ShiftKind = keyof typeof SHIFT_KIND;

/** Shift by an immediate: log2 of the element size in bytes. */
const shiftControl = (i: Insn, kind: ShiftKind, log: number): number =>
  (i.imm & 0xff) | (SHIFT_KIND[kind] << 8) | (log << 10);

export const shiftVector = (kind: ShiftKind, log: number): Emit =>
  sse((t, i) => {
    t.ir.callVoid("shiftImmediate", t.ir.constU(shiftControl(i, kind, log)), NONE, xmmOffset(i.rm));
  });

export const mmxShift = (kind: ShiftKind, log: number): Emit =>
  mmx((t, i) => {
    const a = t.ir.vtemp();
    t.ir.mov(a, mmOffset(i.rm));
    t.ir.mov(a + 8, t.ir.const(0));
    t.ir.callVoid("mmxEnter");
    t.ir.callVoid("shiftImmediate", t.ir.constU(shiftControl(i, kind, log)), NONE, a);
    writeMmx(t, i.rm, a);
  });

/** PSLLDQ, PSRLDQ */
export const shiftBytes = (operation: string): Emit =>
  sse((t, i) => {
    t.ir.callVoid(operation, t.ir.constU(i.imm & 0xff), NONE, xmmOffset(i.rm));
  });

// ---- MMX moves

export const mmxMovdLoad: Emit = mmx((t, i) => {
  const size = i.rexW ? 8 : 4;
  if (!t.isReg(i)) reportPending(t);
  const value = t.zext(t.readE(i, size), size);
  t.ir.callVoid("mmxEnter");
  writeMmx(t, i.reg, value);
});

export const mmxMovdStore: Emit = mmx((t, i) => {
  const size = i.rexW ? 8 : 4;
  if (t.isReg(i)) {
    t.ir.callVoid("mmxEnter");
    t.writeE(i, mmOffset(i.reg), size);
    return;
  }
  reportPending(t);
  const address = t.linear(i, size, true);
  t.ir.callVoid("probeStore", address, NONE, size);
  t.ir.callVoid("mmxEnter");
  t.store(address, mmOffset(i.reg), size);
});

export const mmxMovqLoad: Emit = mmx((t, i) => {
  const value = mmxSource(t, i);
  t.ir.callVoid("mmxEnter");
  writeMmx(t, i.reg, value);
});

export const mmxMovqStore: Emit = mmx((t, i) => {
  if (t.isReg(i)) {
    t.ir.callVoid("mmxEnter");
    writeMmx(t, i.rm, mmOffset(i.reg));
    return;
  }
  reportPending(t);
  const address = t.linear(i, 8, true);
  t.ir.callVoid("probeStore", address, NONE, 8);
  t.ir.callVoid("mmxEnter");
  t.store(address, mmOffset(i.reg), 8);
});

export const movq2dq: Emit = sse((t, i) => {
  t.ir.callVoid("mmxEnter");
  t.ir.mov(xmmOffset(i.reg), mmOffset(i.rm));
  t.ir.mov(xmmOffset(i.reg) + 8, t.ir.const(0));
});

export const movdq2q: Emit = sse((t, i) => {
  t.ir.callVoid("mmxEnter");
  writeMmx(t, i.reg, xmmOffset(i.rm));
});

export const emms: Emit = mmx((t) => t.ir.callVoid("emms"));

/** MASKMOVQ and MASKMOVDQU: to DS:rDI. */
export const maskedStore = (isMmx: boolean): Emit => {
  const emit: Emit = (t, i) => {
    const { ir } = t;
    const segment = i.segment >= 0 && !(t.code64 && i.segment < 4) ? i.segment : DS;
    const rdi = t.reg(RDI);
    const offset = i.addrSize === 8 ? rdi : ir.unary(i.addrSize === 4 ? OP.ext32u : OP.ext16u, rdi);
    const size = isMmx ? 8 : 16;
    if (isMmx) reportPending(t);
    const address = t.segAddress(segment, offset, size, true);
    if (isMmx) ir.callVoid("mmxEnter");
    const [data, mask] = isMmx ? [mmOffset(i.reg), mmOffset(i.rm)] : [xmmOffset(i.reg), xmmOffset(i.rm)];
    ir.callVoid("maskedStore", address, ir.constU(size), places(data, mask));
  };
  return isMmx ? mmx(emit) : sse(emit);
};

// ---- elements and masks

/** PMOVMSKB, MOVMSKPS, MOVMSKPD: log2 of the element size. */
export const moveMask = (log: number): Emit =>
  sse((t, i) => {
    t.writeReg(i.reg, 4, t.ir.call("moveMask", t.ir.constU(log), NONE, xmmOffset(i.rm)), true);
  });

export const mmxMoveMask: Emit = mmx((t, i) => {
  t.ir.callVoid("mmxEnter");
  const mask = t.ir.call("moveMask", t.ir.constU(0), NONE, mmOffset(i.rm));
  t.writeReg(i.reg, 4, t.ir.binary(OP.and32, mask, t.ir.constU(0xff)), true);
});

/** PEXTRB/W/D/Q, EXTRACTPS to a register or memory; `log` is log2 of the element's bytes. */
export const extract = (log: number): Emit =>
  sse((t, i) => {
    const { ir } = t;
    const index = i.imm & ((16 >> log) - 1);
    const value = ir.call("extractElement", ir.constU(log), ir.constU(index), xmmOffset(i.reg));
    if (t.isReg(i)) t.writeReg(i.rm, log === 3 ? 8 : 4, value, true);
    else t.store(t.linear(i, 1 << log, true), value, 1 << log);
  });

/** PEXTRW of SSE2 and of MMX: register only, ModRM.reg is the destination. */
export const extractWord = (isMmx: boolean): Emit => {
  const emit: Emit = (t, i) => {
    const { ir } = t;
    if (isMmx) ir.callVoid("mmxEnter");
    const from = isMmx ? mmOffset(i.rm) : xmmOffset(i.rm);
    const index = i.imm & (isMmx ? 3 : 7);
    t.writeReg(i.reg, 4, ir.call("extractElement", ir.constU(1), ir.constU(index), from), true);
  };
  return isMmx ? mmx(emit) : sse(emit);
};

/** PINSRB/W/D/Q */
export const insert = (log: number): Emit =>
  sse((t, i) => {
    const { ir } = t;
    const value = t.isReg(i) ? t.reg(i.rm) : t.load(t.linear(i, 1 << log, false), 1 << log);
    const index = i.imm & ((16 >> log) - 1);
    ir.callVoid("insertElement", value, ir.constU(log | (index << 8)), xmmOffset(i.reg));
  });

export const mmxInsertWord: Emit = mmx((t, i) => {
  if (!t.isReg(i)) reportPending(t);
  const { ir } = t;
  const value = t.isReg(i) ? t.reg(i.rm) : t.load(t.linear(i, 2, false), 2);
  ir.callVoid("mmxEnter");
  ir.callVoid("insertElement", value, ir.constU(1 | ((i.imm & 3) << 8)), mmOffset(i.reg));
  ir.mov(mmOffset(i.reg) + 8, ir.constU(0xffff));
});

export const insertps: Emit = sse((t, i) => {
  const { ir } = t;
  let value: Value;
  if (t.isReg(i)) value = ir.call("extractElement", ir.constU(2), ir.constU((i.imm >> 6) & 3), xmmOffset(i.rm));
  else value = t.load(t.linear(i, 4, false), 4);
  ir.callVoid("insertps", ir.constU(i.imm & 0xff), value, xmmOffset(i.reg));
});

export const ptest: Emit = sse((t, i) => {
  const source = sourceVector(t, i);
  t.ir.callVoid("ptest", NONE, NONE, places(xmmOffset(i.reg), source));
  t.flagsFromHelper();
});

// ---- state

/** FXSAVE, FXRSTOR: #NM by EM or TS, no pending exception. */
export const stateImage =
  (helper: string): Emit =>
  (t, i) => {
    if ((t.hflags & (HF_EM | HF_TS)) !== 0) t.raise(NM);
    else t.ir.callVoid(helper, t.linear(i, 512, helper === "fxsave"), NONE, i.rexW ? 1 : 0);
  };

export const ldmxcsr: Emit = sse((t, i) => t.ir.callVoid("ldmxcsr", t.readE(i, 4)));
export const stmxcsr: Emit = sse((t, i) => t.writeE(i, t.ir.envLoad(OP.envld32u, ENV.mxcsr), 4));
