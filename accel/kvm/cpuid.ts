/**
 * CPUID of a vCPU: what the CPU model says, as far as the host's KVM can do it (KVM_GET_SUPPORTED_CPUID), or the host's
 * own for `host` and `max`. The kernel itself keeps what follows the vCPU's state: OSXSAVE, the enabled APIC, the size
 * of the XSAVE area.
 */

import { apicIdOf, type CpuTopology, ONE_CPU } from "../../core/cpu-topology.ts";
import { CpuModel, type ModelSource } from "../x86/cpuid.ts";
import { FEATURES } from "../x86/features.ts";
import { CPU_MODELS, type CpuModelRow } from "../x86/models.ts";
import { DIES_LEAF, type Registers, withTopology } from "../x86/topology.ts";
import * as abi from "./abi.ts";
import type { KvmSystem } from "./system.ts";

const ENTRIES = 256;
const HYPERVISOR = 0x40000000;
const EXTENDED = 0x80000000;
/** Bits of leaf 0x40000001: kvmclock's MSRs, and that its counters agree. The others need the kernel's APIC, or help none. */
const PARAVIRTUAL = (1 << 3) | (1 << 24);
const SIGNATURE = "KVMKVMKVM\0\0\0";
/** Their registers are in the local APIC: ours has no part in the kernel's MSRs. */
const NOT_WITHOUT_KERNEL_APIC = ["x2apic", "tsc-deadline"];
/** Leaves that have subleaves. */
const SUBLEAVES: Readonly<Record<number, number>> = { 4: 4, 7: 1, 11: 3, 13: 2, 31: 4 };

/** Where each word of FEATURE_WORDS is: leaf, subleaf, register, and QEMU's name for it. */
const WORD_PLACES: readonly (readonly [leaf: number, subleaf: number, register: number, name: string])[] = [
  [1, 0, 3, "CPUID.01H:EDX"],
  [1, 0, 2, "CPUID.01H:ECX"],
  [7, 0, 1, "CPUID.07H:EBX"],
  [7, 0, 2, "CPUID.07H:ECX"],
  [7, 0, 3, "CPUID.07H:EDX"],
  [0x80000001, 0, 3, "CPUID.80000001H:EDX"],
  [0x80000001, 0, 2, "CPUID.80000001H:ECX"],
  [0xd, 1, 0, "CPUID.0DH:EAX"],
];

/** What QEMU calls a feature in messages, where that is not what we call it. */
const QEMU_NAMES: Readonly<Record<string, string>> = { sse3: "pni", abm: "lzcnt" };

export interface CpuidEntry {
  readonly leaf: number;
  readonly subleaf: number;
  /** Whether ECX chooses among several. */
  readonly indexed: boolean;
  readonly registers: Registers;
}

const keyOf = (leaf: number, subleaf: number): string => `${leaf >>> 0} ${subleaf}`;
const wordOf = (text: string, at: number): number => Buffer.from(text, "latin1").readUInt32LE(at);

/** What the host's KVM can show. */
export function supportedCpuid({ library, fd }: KvmSystem): CpuidEntry[] {
  const view = new DataView(new ArrayBuffer(abi.SIZES.kvm_cpuid2 + ENTRIES * abi.SIZES.kvm_cpuid_entry2));
  view.setUint32(0, ENTRIES, true);
  library.check("KVM_GET_SUPPORTED_CPUID", library.ioctlWith(fd, abi.KVM_GET_SUPPORTED_CPUID, view));
  return Array.from({ length: Math.min(view.getUint32(0, true), ENTRIES) }, (_, i): CpuidEntry => {
    const word = (at: number): number =>
      view.getUint32(abi.SIZES.kvm_cpuid2 + i * abi.SIZES.kvm_cpuid_entry2 + at * 4, true);
    const indexed = (word(2) & abi.CPUID_SIGNIFICANT_INDEX) !== 0;
    return { leaf: word(0), subleaf: word(1), indexed, registers: [word(3), word(4), word(5), word(6)] };
  });
}

/** struct kvm_cpuid2. */
export function encodeCpuid(entries: readonly CpuidEntry[]): DataView {
  const { kvm_cpuid2: HEAD, kvm_cpuid_entry2: SIZE } = abi.SIZES;
  const view = new DataView(new ArrayBuffer(HEAD + entries.length * SIZE));
  view.setUint32(0, entries.length, true);
  for (const [i, { leaf, subleaf, indexed, registers }] of entries.entries()) {
    const words = [leaf, subleaf, indexed ? abi.CPUID_SIGNIFICANT_INDEX : 0, ...registers];
    words.forEach((value, at) => {
      view.setUint32(HEAD + i * SIZE + at * 4, value >>> 0, true);
    });
  }
  return view;
}

/** The bits of the words that the host has,. */
function hostWords(supported: readonly CpuidEntry[], { kernelApic, tscDeadline }: ApicPlace): number[] {
  const byKey = new Map(supported.map((entry) => [keyOf(entry.leaf, entry.subleaf), entry.registers]));
  const words = WORD_PLACES.map(([leaf, subleaf, register]) => byKey.get(keyOf(leaf, subleaf))?.[register] ?? 0);
  const set = (name: keyof typeof FEATURES, on: boolean): void => {
    const [word, bit] = FEATURES[name];
    words[word] = on ? words[word] | (1 << bit) : words[word] & ~(1 << bit);
  };
  if (!kernelApic) set("x2apic", false);
  // The kernel tells by a capability only.
  set("tsc-deadline", kernelApic && tscDeadline);
  set("hypervisor", true);
  return words;
}

const featuresOf = (words: readonly number[]): string[] =>
  Object.entries(FEATURES).flatMap(([name, [word, bit]]) => ((words[word] >>> bit) & 1 ? [name] : []));

/** The host's CPU as a model. */
function hostRow(supported: readonly CpuidEntry[], words: readonly number[]): CpuModelRow {
  const registers = (leaf: number): Registers =>
    supported.find((entry) => entry.leaf === leaf)?.registers ?? [0, 0, 0, 0];
  const [level, ...name] = registers(0);
  const signature = registers(1)[0];
  const family = (signature >> 8) & 15;
  const vendor = Buffer.from(new Uint32Array([name[0], name[2], name[1]]).buffer).toString("latin1");
  return {
    name: "host",
    description: "processor with all supported host features ",
    vendor: vendor as CpuModelRow["vendor"],
    family: family === 15 ? family + ((signature >> 20) & 0xff) : family,
    model: ((signature >> 4) & 15) | ((signature >> 12) & 0xf0),
    stepping: signature & 15,
    level,
    extendedLevel: registers(EXTENDED)[0] >>> 0,
    brand: "",
    features: featuresOf(words).join(" "),
  };
}

/** Names of the models, for `-cpu help`. */
export function cpuModels(): { name: string; description: string }[] {
  return [
    ...CPU_MODELS.map(({ name, description }) => ({ name, description })),
    { name: "host", description: "processor with all supported host features " },
    { name: "max", description: "Enables all features supported by the accelerator in the current host" },
  ];
}

/** Where the local APIC is, and whether the kernel's has a TSC deadline. */
export interface ApicPlace {
  readonly kernelApic: boolean;
  readonly tscDeadline: boolean;
}

export interface VcpuCpuid {
  readonly entries: readonly CpuidEntry[];
  /** CPUID(1).EAX. */
  readonly signature: number;
  /** Features of the model that the host lacks, as messages. */
  readonly warnings: readonly string[];
}

/** CPUID for what -cpu says, of the CPU with an index. @throws QemuError for an unknown model or feature. */
export function vcpuCpuid(
  text: string,
  supported: readonly CpuidEntry[],
  apic: ApicPlace,
  topology: CpuTopology = ONE_CPU,
  index = 0,
): VcpuCpuid {
  const words = hostWords(supported, apic);
  const host = hostRow(supported, words);
  const source: ModelSource = {
    models: [...CPU_MODELS, host, { ...host, name: "max" }],
    supported: new Set(featuresOf(words)),
    unsupported: (feature) => `host doesn't support requested feature: ${feature}`,
    signature: SIGNATURE,
  };
  const model = CpuModel.parse(text, source, topology);
  const own = text.startsWith("host") || text.startsWith("max");
  const found = own ? hostEntries(supported, model) : modelEntries(model);
  const place = { topology, apicId: apicIdOf(topology, index), intel: model.vendor === "GenuineIntel" };
  const entries = found
    .map((entry) => withFeatures(entry, model, words, own))
    .map((entry) => ({ ...entry, registers: withTopology(entry.leaf, entry.subleaf, entry.registers, place) }));
  const warnings = [...(own ? [] : missingFeatures(model, words)), ...model.warnings];
  if (model.has("hypervisor")) {
    const offered = supported.find(({ leaf }) => leaf === HYPERVISOR + 1)?.registers[0] ?? 0;
    entries.push(...hypervisorEntries(offered & PARAVIRTUAL));
  }
  return { entries, signature: model.signature, warnings };
}

/** All leaves of the host; those that tell a CPU's place are to be filled. */
function hostEntries(supported: readonly CpuidEntry[], { levels: { basic }, topology }: CpuModel): CpuidEntry[] {
  const entries = supported
    .filter(({ leaf }) => leaf < HYPERVISOR || leaf >= EXTENDED)
    .filter(({ leaf }) => leaf !== 0xb && leaf !== DIES_LEAF)
    .map((entry) => {
      // With several dies there may be more leaves than the host has.
      const [, ...name] = entry.registers;
      return entry.leaf === 0 ? { ...entry, registers: [basic, ...name] as const } : entry;
    });
  const filled = [...(basic >= 0xb ? [0xb] : []), ...(basic >= DIES_LEAF && topology.dies > 1 ? [DIES_LEAF] : [])];
  for (const leaf of filled) entries.push(...subleavesOf(leaf, () => [0, 0, 0, 0]));
  return entries;
}

function subleavesOf(leaf: number, registers: (subleaf: number) => Registers): CpuidEntry[] {
  return Array.from({ length: SUBLEAVES[leaf] ?? 1 }, (_, subleaf): CpuidEntry => {
    return { leaf, subleaf, indexed: leaf in SUBLEAVES, registers: registers(subleaf) };
  });
}

function modelEntries(model: CpuModel): CpuidEntry[] {
  const { basic, extended } = model.levels;
  const leaves: number[] = [];
  for (let leaf = 0; leaf <= basic; leaf++) leaves.push(leaf);
  for (let leaf = EXTENDED; leaf <= extended; leaf++) leaves.push(leaf);
  return leaves.flatMap((leaf) =>
    subleavesOf(leaf, (subleaf) => model.leaf(leaf, subleaf, { apicId: 0, osxsave: false, apic: true })),
  );
}

/** The entry with the model's features, no more than the host has; of the host's own model also bits without a name. */
function withFeatures(entry: CpuidEntry, model: CpuModel, words: readonly number[], own: boolean): CpuidEntry {
  const registers: [number, number, number, number] = [...entry.registers];
  for (const [word, [leaf, subleaf, register]] of WORD_PLACES.entries()) {
    if (leaf !== entry.leaf || subleaf !== entry.subleaf) continue;
    const named = Object.values(FEATURES).reduce((bits, [at, bit]) => (at === word ? bits | (1 << bit) : bits), 0);
    registers[register] = own ? (words[word] & ~named) | model.word(word) : registers[register] & words[word];
  }
  return { ...entry, registers };
}

function missingFeatures(model: CpuModel, words: readonly number[]): string[] {
  return Object.entries(FEATURES).flatMap(([name, [word, bit]]) => {
    if (!model.has(name) || (words[word] >>> bit) & 1 || NOT_WITHOUT_KERNEL_APIC.includes(name)) return [];
    return [`host doesn't support requested feature: ${WORD_PLACES[word][3]}.${QEMU_NAMES[name] ?? name} [bit ${bit}]`];
  });
}

/** KVM's own leaves. */
function hypervisorEntries(features: number): CpuidEntry[] {
  const name = [0, 4, 8].map((at) => wordOf(SIGNATURE, at));
  const entry = (leaf: number, registers: Registers): CpuidEntry => ({ leaf, subleaf: 0, indexed: false, registers });
  return [entry(HYPERVISOR, [HYPERVISOR + 1, name[0], name[1], name[2]]), entry(HYPERVISOR + 1, [features, 0, 0, 0])];
}
