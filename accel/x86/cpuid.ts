/**
 * The CPU model of a machine and its CPUID leaves. Intel SDM volume 2, CPUID; AMD APM volume 3, appendix E; the
 * hypervisor leaves from 0x40000000 on name the accelerator.
 */

import { type CpuTopology, ONE_CPU } from "../../core/cpu-topology.ts";
import { QemuError } from "../../core/errors.ts";
import { didYouMean } from "../../core/options/near.ts";
import { parseBool } from "../../core/options/values.ts";
import { FEATURES } from "./features.ts";
import type { CpuModelRow } from "./models.ts";
import { DIES_LEAF, type Registers, withTopology } from "./topology.ts";

/** What an accelerator can give its CPUs. */
export interface ModelSource {
  readonly models: readonly CpuModelRow[];
  /** Features a user may switch on. */
  readonly supported: ReadonlySet<string>;
  /** The message about any other. */
  unsupported(feature: string): string;
  /** Twelve characters that name the hypervisor. */
  readonly signature: string;
}

/** What CPUID shows of one CPU and its present state. */
export interface CpuidState {
  readonly apicId: number;
  readonly osxsave: boolean;
  readonly apic: boolean;
}

const ZERO: Registers = [0, 0, 0, 0];
const CPUID_OSXSAVE = 1 << 27;
const CPUID_APIC = 1 << 9;
const HYPERVISOR_LEAF = 0x40000000;
const HYPERVISOR_LAST = 0x40000001;
const INTEL = "GenuineIntel";
const PHYSICAL_BITS = 40;
const LINEAR_BITS = 48;
const X87_AND_SSE = 0b11;
const XSAVE_LEGACY_SIZE = 512 + 64;
/** Other spellings that -cpu takes. */
const ALIASES: Readonly<Record<string, string>> = {
  pni: "sse3",
  "sse4-1": "sse4.1",
  "sse4-2": "sse4.2",
  lzcnt: "abm",
  i64: "lm",
  xd: "nx",
  ffxsr: "fxsr-opt",
};

export class CpuModel {
  readonly #row: CpuModelRow;
  readonly #features: ReadonlySet<string>;
  readonly #hypervisor: string;
  readonly #topology: CpuTopology;

  private constructor(row: CpuModelRow, features: ReadonlySet<string>, hypervisor: string, topology: CpuTopology) {
    // Only Intel has a leaf that tells dies.
    const level = topology.dies > 1 && row.vendor === INTEL ? Math.max(row.level, DIES_LEAF) : row.level;
    this.#row = { ...row, level };
    this.#topology = topology;
    this.#features = features;
    this.#hypervisor = hypervisor;
  }

  /** Reads "qemu64,+aes,-sse3,popcnt=off". */
  static parse(text: string, source: ModelSource, topology: CpuTopology = ONE_CPU): CpuModel {
    const { models, signature } = source;
    const [name, ...changes] = text.split(",");
    const row = models.find((model) => model.name === name);
    if (!row) {
      throw new QemuError("unknown-cpu", `unable to find CPU model '${name}'`, {
        hint: didYouMean(
          name,
          models.map((model) => model.name),
        ),
      });
    }
    const features = new Set(row.features.split(" ").filter((feature) => feature !== ""));
    for (const change of changes) applyChange(features, change, source);
    return new CpuModel(row, features, signature, topology);
  }

  has(feature: string): boolean {
    return this.#features.has(feature);
  }

  get vendor(): string {
    return this.#row.vendor;
  }

  /** What guests may make little of. */
  get warnings(): readonly string[] {
    const { threads } = this.#topology;
    if (threads === 1 || this.vendor === INTEL) return [];
    return [`This family of AMD CPU doesn't support hyperthreading(${threads})`];
  }

  get topology(): CpuTopology {
    return this.#topology;
  }

  /** The highest basic and extended leaf. */
  get levels(): { readonly basic: number; readonly extended: number } {
    return { basic: this.#row.level, extended: this.#row.extendedLevel };
  }

  /** EAX, EBX, ECX and EDX of a leaf. Beyond the last leaf the highest basic one answers, as Intel CPUs do. */
  leaf(leaf: number, subleaf: number, state: CpuidState): Registers {
    const row = this.#row;
    const hypervisor = this.has("hypervisor");
    if (leaf >= 0x80000000) {
      if (leaf > row.extendedLevel) return this.leaf(row.level, subleaf, state);
    } else if (leaf >= HYPERVISOR_LEAF && hypervisor) {
      return hypervisorLeaf(leaf, this.#hypervisor);
    } else if (leaf > row.level) {
      return row.level === leaf ? ZERO : this.leaf(row.level, subleaf, state);
    }
    const place = { topology: this.#topology, apicId: state.apicId, intel: this.vendor === INTEL };
    return withTopology(leaf, subleaf, this.#ownLeaf(leaf, subleaf, state), place);
  }

  /** A leaf as that of a single CPU. */
  #ownLeaf(leaf: number, subleaf: number, state: CpuidState): Registers {
    const row = this.#row;
    switch (leaf) {
      case 0:
        return [row.level, chars(row.vendor, 0), chars(row.vendor, 8), chars(row.vendor, 4)];
      case 1:
        return this.#leaf1(state);
      case 2:
        return this.vendor === INTEL ? [1, 0, 0x4d, 0x2c307d] : ZERO;
      case 4:
        return this.vendor === INTEL ? cacheLeaf(subleaf) : ZERO;
      case 6:
        return [4, 0, 0, 0]; // the APIC timer never stops
      case 7:
        return subleaf === 0 ? [0, this.word(2), this.word(3), this.word(4)] : ZERO;
      case 0xd:
        return this.#leafD(subleaf);
      case 0x80000000:
        return [row.extendedLevel | 0, chars(row.vendor, 0), chars(row.vendor, 8), chars(row.vendor, 4)];
      case 0x80000001:
        return [this.signature, 0, this.word(6), this.#extendedEdx()];
      case 0x80000002:
      case 0x80000003:
      case 0x80000004: {
        const at = (leaf - 0x80000002) * 16;
        return [chars(row.brand, at), chars(row.brand, at + 4), chars(row.brand, at + 8), chars(row.brand, at + 12)];
      }
      case 0x80000005:
        return [0x01ff01ff, 0x01ff01ff, 0x40020140, 0x40020140];
      case 0x80000006:
        return [0, 0x42004200, 0x02008140, 0x00808140];
      case 0x80000008:
        return [this.has("lm") ? PHYSICAL_BITS | (LINEAR_BITS << 8) : 32 | (32 << 8), 0, 0, 0];
    }
    return ZERO;
  }

  /** A word of features: see FEATURE_WORDS. */
  word(index: number): number {
    let value = 0;
    for (const [name, [word, bit]] of Object.entries(FEATURES)) {
      if (word === index && this.#features.has(name)) value |= 1 << bit;
    }
    return value >>> 0;
  }

  /** CPUID(1).EAX: family, model and stepping. */
  get signature(): number {
    const { family, model, stepping } = this.#row;
    const extended = family > 15 ? family - 15 : 0;
    return (extended << 20) | ((model >> 4) << 16) | (Math.min(family, 15) << 8) | ((model & 15) << 4) | stepping;
  }

  #leaf1(state: CpuidState): Registers {
    let edx = this.word(0);
    let ecx = this.word(1);
    if (!state.apic) edx &= ~CPUID_APIC;
    if (state.osxsave) ecx |= CPUID_OSXSAVE;
    const clflush = this.has("clflush") ? 8 << 8 : 0;
    return [this.signature, clflush, ecx, edx];
  }

  /** AMD CPUs repeat most of leaf 1's EDX here. */
  #extendedEdx(): number {
    const COMMON = 0x0183f3ff;
    const amd = this.#row.vendor === "AuthenticAMD" ? this.word(0) & COMMON : 0;
    return this.word(5) | amd;
  }

  #leafD(subleaf: number): Registers {
    if (!this.has("xsave")) return ZERO;
    if (subleaf === 0) return [X87_AND_SSE, XSAVE_LEGACY_SIZE, XSAVE_LEGACY_SIZE, 0];
    if (subleaf === 1) return [this.word(7), 0, 0, 0];
    return ZERO;
  }
}

function applyChange(features: Set<string>, change: string, source: ModelSource): void {
  const [key, value] = change.split("=");
  const signed = key.startsWith("+") || key.startsWith("-");
  const spelled = (signed ? key.slice(1) : key).replaceAll("_", "-");
  const feature = ALIASES[spelled] ?? spelled;
  if (!Object.hasOwn(FEATURES, feature)) {
    throw new QemuError("unknown-cpu-feature", `Property 'x86_64-cpu.${spelled}' not found`, {
      hint: didYouMean(feature, Object.keys(FEATURES)),
    });
  }
  const on = signed ? key.startsWith("+") : value === undefined || parseBool(feature, value);
  if (!on) features.delete(feature);
  else if (source.supported.has(feature)) features.add(feature);
  else throw new QemuError("cpu-feature", source.unsupported(feature));
}

/** Four characters of a string as a little-endian word. */
function chars(text: string, at: number): number {
  let value = 0;
  for (let i = 0; i < 4; i++) value |= (text.charCodeAt(at + i) || 0) << (i * 8);
  return value;
}

function hypervisorLeaf(leaf: number, name: string): Registers {
  if (leaf > HYPERVISOR_LAST) return ZERO;
  return leaf === HYPERVISOR_LEAF ? [HYPERVISOR_LAST, chars(name, 0), chars(name, 4), chars(name, 8)] : ZERO;
}

/** Deterministic cache parameters: 32 KiB L1 data and instruction, 4 MiB L2, 16 MiB L3. */
function cacheLeaf(subleaf: number): Registers {
  const LINE = 63;
  const cache = (type: number, level: number, ways: number, sets: number, edx: number): Registers => [
    type | (level << 5) | (1 << 8),
    LINE | ((ways - 1) << 22),
    sets - 1,
    edx,
  ];
  const caches = [cache(1, 1, 8, 64, 1), cache(2, 1, 8, 64, 1), cache(3, 2, 16, 4096, 1), cache(3, 3, 16, 16384, 6)];
  return caches[subleaf] ?? ZERO;
}
