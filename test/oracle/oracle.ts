/** Compares our engine with the host CPU, case by case; a case is a seed. */

import { readFileSync } from "node:fs";
import { format } from "../../accel/tcg/x86/format.ts";
import type { OpcodeRow } from "../../accel/tcg/x86/insn.ts";
import { OPCODE_ROWS } from "../../accel/tcg/x86/rows.ts";
import { type MakeBackend, OracleEngine } from "./engine.ts";
import { ALL_FLAGS, flagsDefined, flagsRead, flagsUndefined } from "./flags.ts";
import { describeFloat, randomFloatState } from "./float.ts";
import { Generator } from "./generate.ts";
import { Layout, PAGE, type Range } from "./layout.ts";
import {
  ABSENT_PAGE,
  type Bits,
  type CpuImage,
  codeAddress,
  copyImage,
  type Fault,
  newImage,
  READ_ONLY_PAGE,
  readOnlyByte,
  runNative,
  SCRATCH_SIZE,
  scratch,
  scratchAddress,
  segments,
  useSegments,
} from "./native.ts";
import { Random } from "./random.ts";
import { isEligible, usesFloat, usesMmx } from "./rows.ts";
import { farTransfer, nearTransfer } from "./transfers.ts";

const MAX_STEPS = 6;
const TRIES = 40;
const POOL_SIZE = 65536;
const MAX_LINES = 80;
const DF = 0x400n;
const NT = 0x4000n;
const AC = 0x40000n;
const ID = 0x200000n;
const PAGE_FAULT = 14;

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
  readonly layout: Layout;
  readonly before: CpuImage;
  /** What lies in the layout's memory, one range after the other. */
  readonly memory: Uint8Array;
  readonly code: Uint8Array;
  /** Instruction boundaries: bytes of code after each step. */
  readonly ends: readonly number[];
  readonly float: boolean;
  /** Flags undefined after each step. */
  readonly undefinedFlags: readonly number[];
  /** Offsets in scratch that may differ. */
  readonly ignored: ReadonlySet<number>;
  /** Whether the x87 state has to be the same. */
  readonly x87: boolean;
}

const sizeOf = (ranges: readonly Range[]): number => ranges.reduce((sum, { size }) => sum + size, 0);

/** Copies bytes to ranges of a region, one after the other. */
function fill(region: Uint8Array, ranges: readonly Range[], bytes: Uint8Array): void {
  let from = 0;
  for (const { at, size } of ranges) {
    region.set(bytes.subarray(from, from + size), at);
    from += size;
  }
}

const collect = (region: Uint8Array, ranges: readonly Range[]): Uint8Array =>
  Buffer.concat(ranges.map(({ at, size }) => region.subarray(at, at + size)));

export interface OracleOptions {
  readonly bits: Bits;
  /** Instructions may fault. */
  readonly faults?: boolean;
  /** Limits the instructions. */
  readonly names?: RegExp;
  /** Compiles the code. */
  readonly backend?: MakeBackend;
}

export class Oracle {
  readonly rows: readonly OpcodeRow[];
  /** Instructions compared so far, and cases that ended in a fault. */
  instructions = 0;
  faults = 0;
  /** How often each mnemonic took part. */
  readonly coverage = new Map<string, number>();
  readonly #bits: Bits;
  readonly #mayFault: boolean;
  readonly #descriptors: boolean;
  readonly #engine: OracleEngine;
  readonly #integerRows: readonly OpcodeRow[];
  readonly #floatRows: readonly OpcodeRow[];
  readonly #pool = new Uint8Array(POOL_SIZE);

  private constructor(engine: OracleEngine, { bits, faults = false, names }: OracleOptions) {
    this.#engine = engine;
    this.#bits = bits;
    this.#mayFault = faults;
    this.#descriptors = useSegments() === undefined;
    const features = hostFeatures();
    const eligible = OPCODE_ROWS.filter((row) => isEligible(row, features, bits, faults, this.#descriptors));
    this.rows = eligible.filter((row) => names?.test(row.name) ?? true);
    this.#integerRows = this.rows.filter((row) => !usesFloat(row));
    this.#floatRows = this.rows.filter(usesFloat);
    const random = new Random(1);
    const view = new DataView(this.#pool.buffer);
    for (let at = 0; at < POOL_SIZE; at += 8) view.setBigUint64(at, random.integer(), true);
  }

  static async create(options: OracleOptions): Promise<Oracle> {
    const { backend } = options;
    const descriptors = useSegments() === undefined ? Object.values(segments()) : [];
    const layout = { absent: ABSENT_PAGE, readOnly: READ_ONLY_PAGE, descriptors, backend };
    const engine = await OracleEngine.create(scratchAddress(), SCRATCH_SIZE, layout);
    for (let at = 0; at < PAGE; at++) engine.data[READ_ONLY_PAGE + at] = readOnlyByte(at);
    return new Oracle(engine, options);
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
    const bits = this.#bits;
    const float = this.#floatRows.length > 0 && (this.#integerRows.length === 0 || random.oneIn(2));
    const rows = float ? this.#floatRows : this.#integerRows;
    const layout = Layout.random(bits, this.#mayFault, this.#descriptors, random);
    let current = layout;
    let generator = new Generator(rows, random, layout);
    const before = newImage();
    if (float) randomFloatState(random, before.fx, layout.faults);
    const width = bits === 64 ? 64 : 32;
    for (let index = 0; index < 16; index++) before.gpr[index] = BigInt.asUintN(width, random.integer());
    before.gpr[4] = generator.stackPointer();
    before.rflags = 0x202n | BigInt(random.u32() & ALL_FLAGS) | (random.oneIn(8) ? DF : 0n);
    if (random.oneIn(8)) before.rflags |= NT | ID;
    if (layout.faults && random.oneIn(6)) before.rflags |= AC;
    const size = sizeOf(layout.memory);
    const poolAt = random.below(POOL_SIZE - size);
    let memory: Uint8Array = this.#pool.subarray(poolAt, poolAt + size);
    const wanted = random.oneIn(2) ? 1 : 1 + random.below(MAX_STEPS);
    const code: number[] = [];
    const ends: number[] = [];
    const undefinedFlags: number[] = [];
    const ignored = new Set<number>();
    let undefinedNow = 0;
    let mmx = false;
    let now = copyImage(before);
    fill(scratch(), layout.memory, memory);
    for (let tries = 0; tries < TRIES && ends.length < wanted && !now.fault && ignored.size === 0; tries++) {
      const first = ends.length === 0;
      const address = codeAddress(bits) + BigInt(code.length);
      const image = first ? copyImage(before) : now;
      let bytes: readonly number[] | undefined;
      let name = "";
      let undefinedAfter = undefinedNow;
      mmx = false;
      const far = layout.faults && this.#descriptors && undefinedNow === 0 && random.oneIn(24);
      const transfer = far ? farTransfer(current, random, image, address) : undefined;
      if (transfer) {
        ({ bytes, name } = transfer);
      } else if (random.oneIn(12)) {
        bytes = nearTransfer(current, random, image, address);
        const branch = bytes && generator.decode(Uint8Array.from(bytes), 0);
        if (!bytes || !branch) continue;
        name = branch.row.name;
        if (!this.#wants(name) || flagsRead(name) & undefinedNow) continue;
      } else {
        const made = generator.next(image, address, first);
        if (!made) continue;
        name = made.insn.row.name;
        if (flagsRead(name) & undefinedNow) continue;
        bytes = made.bytes;
        mmx = usesMmx(made.insn.row);
        undefinedAfter &= ~flagsDefined(name);
        undefinedAfter |= flagsUndefined(made.insn, Number(image.gpr[1] & 255n));
        for (const offset of generator.examiner.undefinedBytes(made.insn, image, address)) ignored.add(offset);
      }
      if (first) {
        for (let index = 0; index < 16; index++) before.gpr[index] = BigInt.asUintN(width, image.gpr[index]);
        memory = collect(scratch(), layout.memory);
      }
      code.push(...bytes);
      ends.push(code.length);
      this.coverage.set(name, (this.coverage.get(name) ?? 0) + 1);
      fill(scratch(), layout.memory, memory);
      now = runNative(Uint8Array.from(code), before, bits, layout.loaded);
      if (!now.fault) undefinedNow = undefinedAfter;
      current = layout.reloaded(now.selectors ?? []);
      generator = new Generator(rows, random, current);
      undefinedFlags.push(undefinedNow);
    }
    if (ends.length === 0) return undefined;
    if (now.fault) this.faults++;
    return {
      layout,
      before,
      memory,
      code: Uint8Array.from(code),
      ends,
      undefinedFlags,
      float,
      ignored,
      x87: !(now.fault && mmx),
    };
  }

  #wants(name: string): boolean {
    return this.rows.length > 300 || this.rows.some((row) => row.name === name);
  }

  /** What differs after the first `steps` steps. */
  #differs(test: Case, steps: number): string | undefined {
    const { layout, before } = test;
    const bits = this.#bits;
    const code = test.code.subarray(0, test.ends[steps - 1]);
    fill(scratch(), layout.memory, test.memory);
    const expected = runNative(code, before, bits, layout.loaded);
    const { data } = this.#engine;
    fill(data, layout.memory, test.memory);
    const actual = copyImage(before);
    const problem = this.#engine.run(code, codeAddress(bits), actual, test.float, bits, layout.loaded);
    const mask = BigInt(ALL_FLAGS & ~test.undefinedFlags[steps - 1]) | DF | NT | ID | AC;
    let same = sameFault(expected.fault, actual.fault) && (problem === undefined || actual.fault !== undefined);
    same &&= ((expected.rflags ^ actual.rflags) & mask) === 0n;
    for (let index = 0; index < 16; index++) same &&= expected.gpr[index] === actual.gpr[index];
    same &&= `${selectorsOf(expected)}` === `${selectorsOf(actual)}`;
    if (test.float) same &&= describeFloat(before.fx, expected.fx, actual.fx, test.x87).length === 0;
    same &&= this.#memoryDiffers(test).next().done === true;
    return same ? undefined : this.#report(test, code, expected, actual, mask, problem);
  }

  /** Offsets in scratch where the two sides differ. */
  *#memoryDiffers({ layout, ignored }: Case): IterableIterator<number> {
    const host = scratch();
    const { data } = this.#engine;
    for (const { at, size } of layout.memory) {
      if (Buffer.compare(host.subarray(at, at + size), data.subarray(at, at + size)) === 0) continue;
      for (let k = at; k < at + size; k++) if (host[k] !== data[k] && !ignored.has(k)) yield k;
    }
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
    const generator = new Generator(this.rows, new Random(1), test.layout);
    for (let at = 0; at < code.length; ) {
      const insn = generator.decode(code, at);
      const length = insn?.length ?? 1;
      const bytes = Buffer.from(code.subarray(at, at + length)).toString("hex");
      lines.push(`  ${bytes.padEnd(32)} ${insn ? format(insn, codeAddress(this.#bits) + BigInt(at)) : "?"}`);
      at += length;
    }
    if (problem && !actual.fault) lines.push(`  ${problem}`);
    if (expected.fault || actual.fault)
      lines.push(`  fault: host ${describeFault(expected.fault)}, ours ${describeFault(actual.fault)}`);
    if (test.layout.faults)
      lines.push(
        `  segments ${test.layout.loaded.map(({ selector, base }) => `${selector.toString(16)}:${hex(base)}`)}`,
      );
    const [host, ours] = [selectorsOf(expected), selectorsOf(actual)];
    if (`${host}` !== `${ours}`) lines.push(`  selectors: host ${host}, ours ${ours}`);
    for (let index = 0; index < 16; index++) {
      const [was, want, got] = [test.before.gpr[index], expected.gpr[index], actual.gpr[index]];
      if (want !== got) lines.push(`  register ${index}: was ${hex(was)}, host ${hex(want)}, ours ${hex(got)}`);
      else if (want !== was || code.length < 16)
        lines.push(`  (register ${index}: was ${hex(was)}, both ${hex(want)})`);
    }
    const [want, got] = [expected.rflags & mask, actual.rflags & mask];
    lines.push(`  flags: was ${hex(test.before.rflags)}, host ${hex(want)}, ours ${hex(got)}, mask ${hex(mask)}`);
    if (test.float) lines.push(...describeFloat(test.before.fx, expected.fx, actual.fx, test.x87, true));
    const was = new Uint8Array(SCRATCH_SIZE);
    fill(was, test.layout.memory, test.memory);
    const [theirs, data] = [scratch(), this.#engine.data];
    for (const at of this.#memoryDiffers(test))
      lines.push(`  memory ${at.toString(16)}: was ${was[at]}, host ${theirs[at]}, ours ${data[at]}`);
    return lines.slice(0, MAX_LINES).join("\n");
  }
}

const hex = (value: bigint): string => value.toString(16).padStart(16, "0");

/**
 * Whether two faults are the same, in what is defined: the error code where there is one, and the page of CR2 for page
 * faults.
 */
function sameFault(host: Fault | undefined, ours: Fault | undefined): boolean {
  if (!host || !ours) return host === ours;
  if (host.vector !== ours.vector || host.rip !== ours.rip) return false;
  if (host.vector !== PAGE_FAULT) return host.error === ours.error;
  return host.error === ours.error && host.address >> 12n === ours.address >> 12n;
}

/** Selectors in hexadecimal. Null ones lose their RPL on the way to a fault's handler and back. */
const selectorsOf = ({ selectors = [], fault }: CpuImage): string[] =>
  selectors.map((selector) => (fault && selector < 4 ? 0 : selector).toString(16));

const describeFault = (fault: Fault | undefined): string =>
  fault ? `#${fault.vector} (${fault.error}) at ${hex(fault.rip)}, cr2 ${hex(fault.address)}` : "none";
