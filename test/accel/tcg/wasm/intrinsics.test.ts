/** Every intrinsic against the helper it stands for, on special and random operands: results, flags, MXCSR. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { CC_ADD, CC_CARRY, CC_EFLAGS, CC_POPCNT, ENV, regOffset, xmmOffset } from "../../../../accel/tcg/env.ts";
import { effectOf } from "../../../../accel/tcg/jit/effects.ts";
import { Code, I32, I64, ModuleBuilder, type ValueType } from "../../../../accel/tcg/wasm/encoder.ts";
import { INTRINSIC_HELPERS, intrinsicFor, type Site } from "../../../../accel/tcg/wasm/intrinsics.ts";
import { W } from "../../../../accel/tcg/wasm/opcodes.ts";
import { Fault, TestCpu } from "../assembly/cpu-harness.ts";

const DESTINATION = xmmOffset(1);
const SOURCE = xmmOffset(2);
const PLACES = DESTINATION | (SOURCE << 16);
const ALIASED = DESTINATION | (DESTINATION << 16);
const ROUNDS = 300;

/** A value that only the run knows, for arguments that are no constants. */
const VARIABLE = Symbol("variable");
type Argument = number | typeof VARIABLE;

interface Case {
  readonly helper: string;
  readonly a: Argument;
  readonly b: Argument;
  readonly imm: number;
}

const cases: Case[] = [];
const covered = new Set<string>();

function declare(names: string, a: readonly Argument[] = [0], b: readonly Argument[] = [0], imm = [PLACES]): void {
  for (const helper of names.split(/\s+/)) {
    covered.add(helper);
    for (const i of imm) for (const x of a) for (const y of b) cases.push({ helper, a: x, b: y, imm: i });
  }
}

const both = [PLACES, ALIASED];
const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const controls = [0, 0x1b, 0xe4, 0x4e, 0xb1, 0x72, 0xff];

declare("pshufd pshufw pshuflw pshufhw shufps shufpd pblendw", controls, [0], both);
declare("pslldq psrldq palignr", [0, 1, 7, 8, 15, 16, 17, 31, 32, 255]);
declare("pshufb psllw pslld psllq psrlw psrld psrlq psraw psrad", [0], [0], both);
for (const kind of [0, 1, 2]) {
  for (const log of kind === 2 ? [1, 2] : [1, 2, 3]) {
    declare(
      "shiftImmediate",
      [0, 1, 7, 15, 16, 31, 32, 63, 64, 255].map((n) => n | (kind << 8) | (log << 10)),
      [0],
      [DESTINATION],
    );
  }
}
declare("pmulhw pmulhuw pmulhrsw pmuludq pmuldq pmaddubsw psadbw", [0], [0], both);
declare("phaddw phaddd phaddsw phsubw phsubd phsubsw psignb psignw psignd ptest");
declare("pblendvb blendvps blendvpd", [xmmOffset(0)], [0], both);
declare("moveMask", [0, 2, 3], [0], [DESTINATION, ENV.fpr]);
for (const log of [0, 1, 2, 3]) {
  const indices = [0, 1, (16 >> log) - 1];
  declare("extractElement", [log], indices, [DESTINATION]);
  declare(
    "insertElement",
    [VARIABLE],
    indices.map((index) => log | (index << 8)),
    [DESTINATION],
  );
}
declare("insertps", [0x00, 0x1e, 0x25, 0x3f], [VARIABLE], [DESTINATION]);
declare("fpScalar32 fpScalar64 fpPacked32 fpPacked64", [0, 1, 4, 6, 8, 9, 10], [0], both);
declare("addsubps addsubpd");
declare("fpHorizontal32 fpHorizontal64", [0, 4], [0], both);
declare("fpCompare32", upTo(8), [1, 4]);
declare("fpCompare64", upTo(8), [1, 2]);
declare("fpRound32", upTo(16), [1, 4]);
declare("fpRound64", upTo(16), [1, 2]);
declare("comiss comisd", [0, 1], [0], both);
declare("cvtsi2ss cvtsi2sd", [VARIABLE], [0], [DESTINATION]);
declare("cvtss2si cvtsd2si", [VARIABLE], [0], [32, 64, 0x120, 0x140]);
declare("cvtss2sd cvtsd2ss cvtps2pd cvtpd2ps cvtdq2pd", [0], [0], both);
declare("cvtdq2ps", [0], [2, 4]);
declare("cvtps2dq", [0, 1], [4]);
declare("cvtpd2dq", [0, 1], [2]);
declare("mulHighUnsigned mulHighSigned", [VARIABLE], [VARIABLE], [0]);
declare("divideUnsigned divideSigned", [VARIABLE], [0], [4, 8]);
declare("computeCarry", [0], [0], [0]);

// ---- functions (env, a, b) -> whether the fast way was taken; the result of a call goes to env.star

function build(cpu: TestCpu): ((env: number, a: bigint, b: bigint) => number)[] {
  const module = new ModuleBuilder();
  const pages = cpu.memory.memory.buffer.byteLength / 65536;
  module.importMemory("host", "memory", pages, pages);
  cases.forEach((one, index) => {
    module.function({ params: [I32, I64, I64], results: [I32] }, compile(one), `f${index}`);
  });
  const imports = { host: { memory: cpu.memory.memory } };
  const { exports } = new WebAssembly.Instance(
    new WebAssembly.Module(module.encode() as Uint8Array<ArrayBuffer>),
    imports,
  );
  return cases.map((_, index) => exports[`f${index}`] as () => number);
}

function compile({ helper, a, b, imm }: Case): Code {
  const code = new Code(3);
  const constant = (value: Argument): number | undefined => (value === VARIABLE ? undefined : value);
  const intrinsic = intrinsicFor(helper, { a: constant(a), b: constant(b), imm });
  if (!intrinsic) throw new Error(`no intrinsic for ${helper} ${String(a)} ${String(b)}`);
  const push = (value: Argument, local: number): Code => (value === VARIABLE ? code.get(local) : code.i64(value));
  const site: Site = {
    code,
    destination: () => code.get(0).v128Load(imm & 0xffff),
    source: () => code.get(0).v128Load(imm >>> 16),
    vector: (place) => code.get(0).v128Load(place),
    a: () => push(a, 1),
    b: () => push(b, 2),
    aDouble: () => push(a, 1).op(0xbf),
    slot: (slot) => code.get(0).memory(W.i64_load, slot),
    field: (offset) => code.get(0).memory(W.i32_load, offset),
    local: (type: ValueType) => code.local(type),
    slowIf: () => {
      assert.ok(intrinsic.guarded, helper);
      code.brIfTo(1);
    },
  };
  code.block();
  code.get(0);
  intrinsic.emit(site);
  if (intrinsic.result === "vector") code.v128Store(imm & 0xffff);
  else if (intrinsic.result === "value") code.memory(W.i64_store, ENV.star);
  else if (intrinsic.result === "registers") {
    const remainder = code.local(I64);
    code.set(remainder).memory(W.i64_store, regOffset(0));
    code.get(0).get(remainder).memory(W.i64_store, regOffset(2));
  } else code.memory(W.i64_store, ENV.ccSrc).get(0).i64(CC_EFLAGS).memory(W.i64_store, ENV.ccOp);
  code.i32(1).op(W.return).end().i32(0);
  return code;
}

// ---- operands

let seed = 0x2545f491n;
function random64(): bigint {
  seed ^= (seed << 13n) & 0xffffffffffffffffn;
  seed ^= seed >> 7n;
  seed ^= (seed << 17n) & 0xffffffffffffffffn;
  return seed;
}
const below = (count: number): number => Number(random64() >> 20n) % count;

const DOUBLES = [
  0n,
  1n,
  0x000fffffffffffffn,
  0x0010000000000000n,
  0x0010000000000001n,
  0x3fe0000000000000n,
  0x3ff0000000000000n,
  0x3ff8000000000000n,
  0x3810000000000000n,
  0x380fffffffffffffn,
  0x41dfffffffc00000n,
  0x41dfffffffe00000n,
  0x41e0000000000000n,
  0x43dfffffffffffffn,
  0x43e0000000000000n,
  0x47efffffe0000000n,
  0x47efffffffffffffn,
  0x4340000000000001n,
  0x7fefffffffffffffn,
  0x7ff0000000000000n,
  0x7ff0000000000001n,
  0x7ff8000000000000n,
];
const SINGLES = [
  0, 1, 0x007fffff, 0x00800000, 0x00800001, 0x3f000000, 0x3f800000, 0x3fc00000, 0x4effffff, 0x4f000000, 0x5effffff,
  0x5f000000, 0x7f7fffff, 0x7f800000, 0x7f800001, 0x7fc00000,
];
const scratch = new DataView(new ArrayBuffer(8));

function doubleBits(value: number): bigint {
  scratch.setFloat64(0, value);
  return scratch.getBigUint64(0);
}

function singleBits(value: number): bigint {
  scratch.setFloat32(0, value);
  return BigInt(scratch.getUint32(0));
}

const SMALL = [0, 1, 2, 3, -1, 0.5, -2.25, 1e10, 3.7, -1 / 3];
const pair = (make: () => bigint): bigint => make() | (make() << 32n);

/** 64 bits of operand, by kind of content. */
function operand(kind: number): bigint {
  switch (kind) {
    case 0:
      return random64();
    case 1:
      return DOUBLES[below(DOUBLES.length)] | ((random64() & 1n) << 63n);
    case 2:
      return pair(() => BigInt((SINGLES[below(SINGLES.length)] | (below(2) << 31)) >>> 0));
    case 3:
      return doubleBits(SMALL[below(SMALL.length)]);
    case 4:
      return pair(() => singleBits(SMALL[below(SMALL.length)]));
    case 5:
      return doubleBits((below(2 ** 30) - 2 ** 29) / 1024);
    case 6:
      return pair(() => singleBits((below(2 ** 24) - 2 ** 23) / 1024));
    case 7:
      return BigInt.asUintN(64, BigInt(below(40) - 20));
    case 8:
      return BigInt(below(70));
    case 9:
      return doubleBits(below(2 ** 30) / 512);
    default:
      return pair(() => singleBits(below(2 ** 24) / 512));
  }
}
const KINDS = 11;

const CC_OPS = [CC_EFLAGS, ...upTo(CC_POPCNT + 1).slice(CC_ADD)];
const MXCSR = [0x1f80, 0x1fa0, 0x1fa0, 0x1fbf, 0x3fa0, 0x5fa0, 0x7fa0, 0x9fa0, 0x1fe0, 0x1f20, 0x0020, 0x1e80];

test("each helper with intrinsics is tried", () => {
  assert.equal(
    INTRINSIC_HELPERS.filter((name) => !covered.has(name)),
    [],
  );
});

test("what it does to registers is known of each", () => {
  assert.equal(
    INTRINSIC_HELPERS.filter((name) => effectOf(name).anything),
    [],
  );
});

test("the same results as the helpers'", () => {
  const cpu = new TestCpu();
  const functions = build(cpu);
  const { env, memory } = cpu;
  const image = memory.u8.subarray(env, env + ENV.temps);
  const { view } = memory;
  const start = new Uint8Array(image.length);
  const wanted = new Uint8Array(image.length);
  const vectors = [xmmOffset(0), DESTINATION, SOURCE, ENV.fpr];
  cases.forEach((one, index) => {
    const { helper, imm } = one;
    const { guarded, result } = intrinsicFor(helper, {
      a: one.a === VARIABLE ? undefined : one.a,
      b: one.b === VARIABLE ? undefined : one.b,
      imm,
    })!;
    let fast = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const kind = round % KINDS;
      for (const place of vectors) {
        const other = below(4) === 0 ? below(KINDS) : kind;
        view.setBigUint64(env + place, operand(other), true);
        view.setBigUint64(env + place + 8, operand(other), true);
      }
      if (below(8) === 0) image.copyWithin(SOURCE, DESTINATION, DESTINATION + 16);
      view.setUint32(env + ENV.mxcsr, MXCSR[below(MXCSR.length)], true);
      view.setBigUint64(env + ENV.ccOp, BigInt(CC_OPS[below(CC_OPS.length)] | (below(8) === 0 ? CC_CARRY : 0)), true);
      for (const slot of [ENV.ccDst, ENV.ccSrc, ENV.ccSrc2, ENV.ccCarry])
        view.setBigUint64(env + slot, operand(kind), true);
      const rax = operand(kind);
      view.setBigUint64(env + regOffset(0), rax, true);
      view.setBigUint64(
        env + regOffset(2),
        [0n, operand(kind), BigInt(below(9)), rax >> 63n ? ~0n : 0n][below(4)],
        true,
      );
      const a = one.a === VARIABLE ? operand(below(4) === 0 ? below(KINDS) : kind) : BigInt(one.a);
      const b = one.b === VARIABLE ? operand(kind) : BigInt(one.b);
      cpu.state.excVector = -1;
      start.set(image);
      let faulted = false;
      try {
        const value = BigInt.asUintN(64, cpu.helpers[helper](env, a, b, imm) as bigint);
        if (result === "value") view.setBigUint64(env + ENV.star, value, true);
      } catch (error) {
        if (!(error instanceof Fault)) throw error;
        faulted = true;
      }
      wanted.set(image);
      image.set(start);
      const taken = functions[index](env, a, b) === 1;
      const what = (): string =>
        `${helper} a=${a} b=${b} imm=${imm.toString(16)} mxcsr=${cpu.state.mxcsr.toString(16)}: ` +
        [start, wanted, image]
          .map((bytes) => vectors.map((at) => Buffer.from(bytes.subarray(at, at + 16)).toString("hex")).join(" "))
          .join(" / ");
      if (!taken) {
        assert.ok(guarded, what());
        assert.equal(Buffer.compare(image, start), 0, `${what()}: changed on the slow way`);
        continue;
      }
      fast++;
      assert.not(faulted, what());
      assert.equal(Buffer.compare(image, wanted), 0, what());
    }
    assert.ok(fast > ROUNDS / 40, `${helper} ${String(one.a)} ${String(one.b)}: ${fast} of ${ROUNDS} the fast way`);
  });
});

test.run();
