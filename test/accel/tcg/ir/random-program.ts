/** Random IR, reproducible by seed: every op, memory inside and across pages, device memory, faults, helpers. */

import { crc32 } from "node:zlib";
import { CC_ADD, ENV, regOffset, xmmOffset } from "../../../../accel/tcg/env.ts";
import { type IrBuilder, NONE, type Value } from "../../../../accel/tcg/ir/builder.ts";
import { CONDITIONS, OP, OP_ROWS } from "../../../../accel/tcg/ir/ops.ts";
import { CODE_PAGE, DATA_PAGE, DATA_SIZE, type IrBlock, type IrMachine } from "./harness.ts";

export type Random = (below: number) => number;

const REGISTERS = 6;
const VECTORS = 3;
/** Counts a program of several blocks down. */
export const COUNTER = regOffset(7);
const PURE = OP_ROWS.filter(({ kind }) => kind === "pure");
export const BINARY = PURE.filter(({ signature }) => /^[il]=(ii|ll)$/.test(signature!));
export const UNARY = PURE.filter(({ signature }) => /^[il]=[il]$/.test(signature!));
const VECTOR = PURE.filter(({ signature }) => signature!.startsWith("v="));
const LOADS = OP_ROWS.filter(({ kind, size }) => kind === "load" && size !== 16);
const STORES = OP_ROWS.filter(({ kind, size }) => kind === "store" && size !== 16);
const PURE_HELPERS = ["mulHighUnsigned", "mulHighSigned", "pdep", "pext", "computeFlags", "computeCarry"];
const VECTOR_HELPERS = ["pshufb", "pmaddubsw", "psadbw", "phaddw", "pmulhw"];
const FIELDS = [ENV.scratch + 256, ENV.segLimit];
const READ_FIELDS = [...FIELDS, ENV.regs + 1, ENV.mxcsr];
const INTERESTING = [
  0n,
  1n,
  2n,
  31n,
  32n,
  63n,
  0x7fn,
  0x80n,
  0xffn,
  0x7fffn,
  0x8000n,
  0x7fffffffn,
  0x80000000n,
  0xffffffffn,
];

/** xorshift32 */
export function randomFrom(seed: number): Random {
  let state = seed | 0 || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

export function randomValue(random: Random): bigint {
  const wide = (BigInt(random(2 ** 32)) << 32n) | BigInt(random(2 ** 32));
  switch (random(4)) {
    case 0:
      return INTERESTING[random(INTERESTING.length)];
    case 1:
      return BigInt.asUintN(64, -INTERESTING[random(INTERESTING.length)]);
    case 2:
      return wide & 0xffffffffn;
    default:
      return wide;
  }
}

/** The registers and memory that programs work on. */
export function fillState({ state, data }: IrMachine, random: Random): void {
  for (let i = 0; i < 16; i++) state.regs[i] = randomValue(random);
  state.regs[7] = BigInt(1 + random(60));
  for (let i = 0; i < 2 * VECTORS; i++) state.xmm[i] = randomValue(random);
  for (const field of ["ccDst", "ccSrc", "ccSrc2"] as const) state[field] = randomValue(random);
  state.ccOp = BigInt(CC_ADD + random(4));
  state.mxcsr = 0x1f80;
  state.segLimit.fill(random(2 ** 32));
  state.scratch[32] = randomValue(random);
  for (let i = 0; i < data.length; i++) data[i] = random(256);
}

/** What a program may have changed. */
export function readState({ state, data, deviceWrites }: IrMachine): unknown {
  const { regs, ccOp, ccDst, ccSrc, ccSrc2, rip, excVector, mxcsr, budget } = state;
  const registers = [...regs, ...state.xmm.slice(0, 2 * VECTORS), ccOp, ccDst, ccSrc, ccSrc2, rip, state.scratch[32]];
  const words = [excVector, mxcsr, budget, ...state.segLimit];
  return { registers, words, writes: deviceWrites.flat(), memory: crc32(data) };
}

/** Emits guest instructions. */
export class Emitter {
  readonly #ir: IrBuilder;
  readonly #random: Random;
  #values: Value[] = [];
  #vectors: Value[] = [];

  constructor(ir: IrBuilder, random: Random) {
    this.#ir = ir;
    this.#random = random;
  }

  instruction(offset: number): void {
    const ir = this.#ir;
    ir.beginInsn(offset, CC_ADD + (offset & 3));
    this.#values = Array.from({ length: REGISTERS }, (_, i) => regOffset(i));
    this.#values.push(xmmOffset(0), xmmOffset(1) + 8, ENV.rip);
    this.#vectors = Array.from({ length: VECTORS }, (_, i) => xmmOffset(i));
    const count = 1 + this.#random(6);
    for (let i = 0; i < count; i++) this.#op();
  }

  any(): Value {
    return this.#random(4) === 0 ? this.#constant() : this.#pick(this.#values);
  }

  condition(prefix: "br" | "sel"): number {
    return OP[`${prefix}_${this.#pick(CONDITIONS)}${this.#random(2) ? 32 : 64}`];
  }

  #pick<T>(list: readonly T[]): T {
    return list[this.#random(list.length)];
  }

  #constant(): Value {
    const value = randomValue(this.#random);
    return this.#ir.const(Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n)));
  }

  #target(): Value {
    return this.#pick([regOffset(this.#random(REGISTERS)), ENV.ccDst, ENV.ccSrc, xmmOffset(1) + 8]);
  }

  /** An op whose result goes to a new temporary, or to a register. */
  #emit(op: number, a: Value, b: Value = NONE, c: number = NONE, e = 0): void {
    if (this.#random(2)) this.#ir.emit(op, this.#target(), a, b, c, e);
    else {
      const temp = this.#ir.temp();
      this.#ir.emit(op, temp, a, b, c, e);
      this.#values.push(temp);
    }
  }

  #vectorResult(): Value {
    if (this.#random(2)) return xmmOffset(this.#random(VECTORS));
    const temp = this.#ir.vtemp();
    // Its old value is no part of the program.
    this.#ir.emit(OP.vmov, temp, this.#pick(this.#vectors));
    this.#vectors.push(temp);
    return temp;
  }

  /** An address: mostly in the data, sometimes across its end into the device, rarely not canonical. */
  #address(): Value {
    const ir = this.#ir;
    switch (this.#random(8)) {
      case 0:
        return ir.const(DATA_PAGE + DATA_SIZE - this.#random(20));
      case 1:
        return ir.const(DATA_PAGE + 4096 - this.#random(20));
      case 2:
        return this.#random(3) ? ir.const(DATA_PAGE + this.#random(4000)) : ir.const(this.#random(64), 0x4000_0000);
      default:
        return ir.lea(64, ir.binary(OP.and64, this.any(), ir.const(0x7ff)), NONE, 0, DATA_PAGE);
    }
  }

  #op(): void {
    const ir = this.#ir;
    const random = this.#random;
    switch (random(15)) {
      case 0:
        this.#emit(OP[this.#pick(UNARY).name], this.any());
        break;
      case 1:
        ir.mov(this.#target(), this.any());
        break;
      case 2: {
        const [a, b, x, y] = [this.any(), this.any(), this.any(), this.any()];
        this.#emit(this.condition("sel"), a, b, x, y);
        break;
      }
      case 3: {
        const [a, b] = [this.any(), random(2) ? NONE : this.any()];
        this.#emit(random(2) ? OP.lea32 : OP.lea64, a, b, random(4), random(2 ** 32) | 0);
        break;
      }
      case 4:
        this.#emit(OP[this.#pick(LOADS).name], this.#address());
        break;
      case 5:
        ir.emit(OP[this.#pick(STORES).name], NONE, this.#address(), this.any());
        break;
      case 6: {
        const skip = ir.label();
        if (random(5)) ir.brIf(this.condition("br"), this.any(), this.any(), skip);
        else ir.brIf(OP.br_canonical, this.any(), NONE, skip);
        ir.mov(this.#target(), this.any());
        ir.bind(skip);
        break;
      }
      case 7:
        if (random(2)) ir.load128(this.#vectorResult(), this.#address());
        else ir.store128(this.#address(), this.#pick(this.#vectors));
        break;
      case 8: {
        const [a, b] = [this.#pick(this.#vectors), this.#pick(this.#vectors)];
        const row = this.#pick(VECTOR);
        ir.emit(OP[row.name], this.#vectorResult(), a, row.signature === "v=v" ? NONE : b);
        break;
      }
      case 9:
        ir.emit(OP.vmov, this.#vectorResult(), this.#pick(this.#vectors));
        break;
      case 10: {
        const size = this.#pick([8, 16, 32]);
        if (random(2)) this.#values.push(ir.envLoad(OP[`envld${size}u`], this.#pick(READ_FIELDS)));
        else ir.envStore(OP[`envst${size}`], this.#pick(FIELDS), this.any());
        break;
      }
      case 11:
        this.#values.push(ir.call(this.#pick(PURE_HELPERS), this.any(), this.any()));
        break;
      case 12: {
        const [to, from] = [this.#vectorResult(), this.#pick(this.#vectors)];
        ir.callVoid(this.#pick(VECTOR_HELPERS), NONE, NONE, to | (from << 16));
        break;
      }
      case 13: {
        const skip = ir.label();
        const done = ir.label();
        ir.brIf(this.condition("br"), this.any(), this.any(), skip);
        ir.mov(this.#target(), this.any());
        ir.br(done);
        ir.bind(skip);
        ir.mov(this.#target(), this.any());
        ir.bind(done);
        break;
      }
      default: {
        const [a, b] = [this.any(), this.any()];
        this.#emit(OP[this.#pick(BINARY).name], a, b);
      }
    }
  }
}

/** One block of some instructions. */
export function randomBlock(ir: IrBuilder, random: Random): void {
  const emitter = new Emitter(ir, random);
  ir.reset();
  for (let insn = 0; insn < 4; insn++) emitter.instruction(insn * 3);
  ir.emit(OP.lea64, ENV.rip, ENV.rip, NONE, 0, 12);
  ir.exitMain();
}

/**
 * Blocks that lead to each other in random ways until COUNTER is used up; `bits` is how wide rip is. `finish` is called
 * when the IR of one is complete.
 */
export function randomBlocks(ir: IrBuilder, random: Random, bits: 32 | 64, finish: () => void): IrBlock[] {
  const move = bits === 64 ? OP.lea64 : OP.lea32;
  const deltas = [0];
  const count = 2 + random(6);
  while (deltas.length < count) {
    const delta = random(64) * 128;
    if (!deltas.includes(delta)) deltas.push(delta);
  }
  const anyDelta = (): number => deltas[random(deltas.length)];
  return deltas.map((delta) => {
    const targets = [anyDelta(), anyDelta()];
    const emitter = new Emitter(ir, random);
    ir.reset();
    emitter.instruction(0);
    emitter.instruction(4);
    ir.beginInsn(8, CC_ADD);
    const enough = ir.label();
    const other = ir.label();
    ir.binaryTo(COUNTER, OP.sub64, COUNTER, ir.const(1));
    ir.brIf(OP.br_eq64, COUNTER, ir.const(0), enough);
    const goto = (target: number): void => {
      if (target !== delta) ir.emit(move, ENV.rip, ENV.rip, NONE, 0, target - delta);
      ir.exitChain(0);
    };
    const computed = random(3) === 0;
    if (computed) {
      const [x, y] = targets.map((target) => ir.const(CODE_PAGE + target));
      ir.mov(ENV.rip, ir.select(emitter.condition("sel"), emitter.any(), emitter.any(), x, y));
      ir.exitLookup();
    } else {
      ir.brIf(emitter.condition("br"), emitter.any(), emitter.any(), other);
      goto(targets[0]);
      ir.bind(other);
      goto(targets[1]);
    }
    ir.bind(enough);
    ir.emit(move, ENV.rip, ENV.rip, NONE, 0, 12);
    ir.exitMain();
    finish();
    return { delta, ir: ir.snapshot(), targets: computed ? targets : [] };
  });
}
