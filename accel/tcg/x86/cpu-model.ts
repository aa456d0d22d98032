/** The CPU models of the translator: those that all accelerators have, and `max`; how env shows them to its helpers. */

import type { LocalApicPort } from "../../../core/cpu.ts";
import type { CpuTopology } from "../../../core/cpu-topology.ts";
import type { State } from "../../../core/state/state.ts";
import { CpuModel, type ModelSource } from "../../x86/cpuid.ts";
import { FEATURE_WORDS } from "../../x86/features.ts";
import { CPU_MODELS, type CpuModelRow } from "../../x86/models.ts";
import type { CPU_STATE } from "../env.ts";

type CpuState = State<typeof CPU_STATE>;

const CR4_OSXSAVE = 1 << 18;
const APIC_BASE_ENABLE = 0x800;

/** Everything this translator has. */
const ALL =
  "fpu de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2 ss " +
  "sse3 pclmulqdq monitor ssse3 cx16 sse4.1 sse4.2 x2apic movbe popcnt tsc-deadline aes xsave rdrand hypervisor " +
  "fsgsbase bmi1 smep bmi2 erms rdseed adx smap clflushopt clwb umip rdpid fsrm " +
  "syscall nx pdpe1gb rdtscp lm lahf-lm abm xsaveopt";

const MAX: CpuModelRow = {
  name: "max",
  description: "Enables all features supported by the accelerator in the current host",
  vendor: "AuthenticAMD",
  family: 15,
  model: 107,
  stepping: 1,
  level: 0xd,
  extendedLevel: 0x80000008,
  brand: "QEMU TCG CPU version 2.5+",
  features: ALL,
};

const MODELS = [...CPU_MODELS, MAX].sort((a, b) => (a.name < b.name ? -1 : 1));

const SOURCE: ModelSource = {
  models: MODELS,
  supported: new Set(ALL.split(" ")),
  unsupported: (feature) => `TCG doesn't support requested feature: ${feature}`,
  signature: "TCGTCGTCGTCG",
};

/** Lines of `-cpu help`. */
export function cpuModels(): { name: string; description: string }[] {
  return MODELS.map(({ name, description }) => ({ name, description }));
}

/** Reads what -cpu says. */
export function parseModel(text: string, topology?: CpuTopology): CpuModel {
  return CpuModel.parse(text, SOURCE, topology);
}

/** Stores the feature words where helpers look; in the word after them, whether it is an Intel CPU. */
export function applyModel(model: CpuModel, state: CpuState): void {
  for (let index = 0; index < FEATURE_WORDS.length; index++) state.features[index] = model.word(index);
  state.features[FEATURE_WORDS.length] = model.vendor === "GenuineIntel" ? 1 : 0;
}

/** CPUID as the helpers ask for it: fills env.scratch. */
export function cpuid(
  model: CpuModel,
  state: CpuState,
  leaf: number,
  subleaf: number,
  apicId: number,
  apic: LocalApicPort | undefined,
): void {
  const osxsave = (Number(state.cr4) & CR4_OSXSAVE) !== 0;
  const enabled = apic !== undefined && (apic.base & APIC_BASE_ENABLE) !== 0;
  model.leaf(leaf, subleaf, { apicId, osxsave, apic: enabled }).forEach((value, i) => {
    state.scratch[i] = BigInt(value >>> 0);
  });
}
