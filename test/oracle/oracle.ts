/** Compares our engine with the host CPU, case by case; a case is a seed. */

import { readFileSync } from "node:fs";
import { format } from "../../accel/tcg/x86/format.ts";
import type { OpcodeRow } from "../../accel/tcg/x86/insn.ts";
import { OPCODE_ROWS } from "../../accel/tcg/x86/rows.ts";
import { OracleEngine } from "./engine.ts";
import { ALL_FLAGS, flagsDefined, flagsRead, flagsUndefined } from "./flags.ts";
import { describeFloat, randomFloatState } from "./float.ts";
import { type Bits, Generator, isEligible, usesFloat, WINDOW, WINDOW_SIZE } from "./generate.ts";
import { type CpuImage, codeAddress, newImage, runNative, SCRATCH_SIZE, scratch, scratchAddress } from "./native.ts";
import { Random } from "./random.ts";

const MAX_STEPS = 6;
const TRIES = 40;
const POOL_SIZE = 65536;
const DF = 0x400n;

/** Features of /proc/cpuinfo by the names that our rows use. */
function hostFeatures(): ReadonlySet<string> {
  const flags = /^flags\s*:\s*(.*)$/m.exec(readFileSync("/proc/cpuinfo", "utf8"))?.[1].split(" ") ?? [];
  const names: Readonly<Record<string, string>> = {
    pni: "sse3",
    sse4_1: "sse4.1",
    sse4_2: "sse4.2",
    lahf_lm: "lahf-lm",
  };
  return new Set(flags.map((flag) => names[flag] ?? flag.replaceAll("_", "-")));
}

interface Case {
  readonly before: CpuImage;
  readonly memory: Uint8Array;
  readonly code: Uint8Array;
  /** Instruction boundaries: bytes of code after each step. */
  readonly ends: readonly number[];
  readonly float: boolean;
  /** Flags undefined after each step. */
  readonly undefinedFlags: readonly number[];
}

const copyImage = (image: CpuImage): CpuImage => ({
  gpr: image.gpr.slice(),
  rflags: image.rflags,
  fx: image.fx.slice(),
});

export class Oracle {
  readonly rows: readonly OpcodeRow[];
  /** Instructions compared so far. */
  instructions = 0;
  /** How often each mnemonic took part. */
  readonly coverage = new Map<string, number>();
  readonly #bits: Bits;
  readonly #engine: OracleEngine;
  readonly #integerRows: readonly OpcodeRow[];
  readonly #floatRows: readonly OpcodeRow[];
  readonly #pool = new Uint8Array(POOL_SIZE);
  readonly #memory = scratch().subarray(WINDOW, WINDOW + WINDOW_SIZE);

  private constructor(engine: OracleEngine, bits: Bits, names?: RegExp) {
    this.#engine = engine;
    this.#bits = bits;
    const features = hostFeatures();
    this.rows = OPCODE_ROWS.filter((row) => isEligible(row, features, bits) && (names?.test(row.name) ?? true));
    this.#integerRows = this.rows.filter((row) => !usesFloat(row));
    this.#floatRows = this.rows.filter(usesFloat);
    const random = new Random(1);
    const view = new DataView(this.#pool.buffer);
    for (let at = 0; at < POOL_SIZE; at += 8) view.setBigUint64(at, random.integer(), true);
  }

  /** `names` limits the instructions. */
  static async create(bits: Bits = 64, names?: RegExp): Promise<Oracle> {
    return new Oracle(await OracleEngine.create(scratchAddress(), SCRATCH_SIZE), bits, names);
  }

  /** Runs the case of a seed; returns a report if the two differ. */
  run(seed: number): string | undefined {
    const made = this.#make(seed);
    if (!made) return undefined;
    this.instructions += made.ends.length;
    if (!this.#differs(made, made.ends.length)) return undefined;
    let steps = 1;
    while (steps < made.ends.length && !this.#differs(made, steps)) steps++;
    return `seed ${seed}:\n${this.#differs(made, steps)}`;
  }

  #make(seed: number): Case | undefined {
    const random = new Random(seed);
    const float = this.#floatRows.length > 0 && (this.#integerRows.length === 0 || random.oneIn(2));
    const rows = float ? this.#floatRows : this.#integerRows;
    const generator = new Generator(rows, random, scratchAddress(), this.#bits);
    const before = newImage();
    if (float) randomFloatState(random, before.fx);
    for (let index = 0; index < 16; index++) before.gpr[index] = BigInt.asUintN(this.#bits, random.integer());
    before.gpr[4] = generator.stackPointer;
    before.rflags = 0x202n | BigInt(random.u32() & ALL_FLAGS) | (random.oneIn(8) ? DF : 0n);
    const poolAt = random.below(POOL_SIZE - WINDOW_SIZE);
    const memory = this.#pool.slice(poolAt, poolAt + WINDOW_SIZE);
    const wanted = random.oneIn(2) ? 1 : 1 + random.below(MAX_STEPS);
    const code: number[] = [];
    const ends: number[] = [];
    const undefinedFlags: number[] = [];
    let undefinedNow = 0;
    let now = copyImage(before);
    this.#memory.set(memory);
    for (let tries = 0; tries < TRIES && ends.length < wanted; tries++) {
      const first = ends.length === 0;
      const address = codeAddress(this.#bits) + BigInt(code.length);
      const image = first ? copyImage(before) : now;
      let bytes: readonly number[] | undefined;
      let name = "";
      if (random.oneIn(12)) {
        bytes = generator.controlFlow(image, address);
        const branch = bytes && generator.decode(Uint8Array.from(bytes), 0);
        if (!bytes || !branch) continue;
        name = branch.row.name;
        if (!this.#wants(name) || flagsRead(name) & undefinedNow) continue;
      } else {
        const made = generator.next(image, scratch(), address, first);
        if (!made) continue;
        name = made.insn.row.name;
        if (flagsRead(name) & undefinedNow) continue;
        bytes = made.bytes;
        undefinedNow &= ~flagsDefined(name);
        undefinedNow |= flagsUndefined(made.insn, Number(image.gpr[1] & 255n));
      }
      if (first)
        for (let index = 0; index < 16; index++) before.gpr[index] = BigInt.asUintN(this.#bits, image.gpr[index]);
      code.push(...bytes);
      ends.push(code.length);
      undefinedFlags.push(undefinedNow);
      this.coverage.set(name, (this.coverage.get(name) ?? 0) + 1);
      if (ends.length < wanted) {
        this.#memory.set(memory);
        now = runNative(Uint8Array.from(code), before, this.#bits);
      }
    }
    if (ends.length === 0) return undefined;
    return { before, memory, code: Uint8Array.from(code), ends, undefinedFlags, float };
  }

  #wants(name: string): boolean {
    return this.rows.length > 300 || this.rows.some((row) => row.name === name);
  }

  /** What differs after the first `steps` steps. */
  #differs(test: Case, steps: number): string | undefined {
    const code = test.code.subarray(0, test.ends[steps - 1]);
    this.#memory.set(test.memory);
    const expected = runNative(code, test.before, this.#bits);
    const data = this.#engine.data.subarray(WINDOW, WINDOW + WINDOW_SIZE);
    data.set(test.memory);
    const actual = copyImage(test.before);
    const problem = this.#engine.run(code, codeAddress(this.#bits), actual, test.float, this.#bits);
    const mask = BigInt(ALL_FLAGS & ~test.undefinedFlags[steps - 1]) | DF;
    let same = problem === undefined && ((expected.rflags ^ actual.rflags) & mask) === 0n;
    for (let index = 0; index < 16; index++) same &&= expected.gpr[index] === actual.gpr[index];
    same &&= Buffer.compare(this.#memory, data) === 0;
    if (test.float) same &&= describeFloat(test.before.fx, expected.fx, actual.fx).length === 0;
    return same ? undefined : this.#report(test, code, expected, actual, mask, problem);
  }

  #report(
    test: Case,
    code: Uint8Array,
    expected: CpuImage,
    actual: CpuImage,
    mask: bigint,
    problem: string | undefined,
  ): string {
    const lines: string[] = [];
    const generator = new Generator(this.rows, new Random(1), scratchAddress(), this.#bits);
    for (let at = 0; at < code.length; ) {
      const insn = generator.decode(code, at);
      const length = insn?.length ?? 1;
      const bytes = Buffer.from(code.subarray(at, at + length)).toString("hex");
      lines.push(`  ${bytes.padEnd(32)} ${insn ? format(insn, codeAddress(this.#bits) + BigInt(at)) : "?"}`);
      at += length;
    }
    if (problem) lines.push(`  ${problem}`);
    const hex = (value: bigint): string => value.toString(16).padStart(16, "0");
    for (let index = 0; index < 16; index++) {
      const [was, want, got] = [test.before.gpr[index], expected.gpr[index], actual.gpr[index]];
      if (want !== got) lines.push(`  register ${index}: was ${hex(was)}, host ${hex(want)}, ours ${hex(got)}`);
      else if (want !== was || code.length < 16)
        lines.push(`  (register ${index}: was ${hex(was)}, both ${hex(want)})`);
    }
    const [want, got] = [expected.rflags & mask, actual.rflags & mask];
    lines.push(`  flags: was ${hex(test.before.rflags)}, host ${hex(want)}, ours ${hex(got)}, mask ${hex(mask)}`);
    if (test.float) lines.push(...describeFloat(test.before.fx, expected.fx, actual.fx, true));
    const data = this.#engine.data.subarray(WINDOW, WINDOW + WINDOW_SIZE);
    for (let at = 0; at < WINDOW_SIZE; at++) {
      if (this.#memory[at] !== data[at])
        lines.push(`  memory +${at}: was ${test.memory[at]}, host ${this.#memory[at]}, ours ${data[at]}`);
    }
    return lines.join("\n");
  }
}
