/** CPU models that every accelerator has: what `-cpu NAME` stands for. Names, signatures and feature sets are those of QEMU's models. */

export interface CpuModelRow {
  readonly name: string;
  readonly description: string;
  readonly vendor: "AuthenticAMD" | "GenuineIntel";
  readonly family: number;
  readonly model: number;
  readonly stepping: number;
  /** Highest basic and extended leaf. */
  readonly level: number;
  readonly extendedLevel: number;
  readonly brand: string;
  /** Blank-separated feature names. */
  readonly features: string;
}

const VIRTUAL_CPU = "QEMU Virtual CPU version 2.5+";
const PPRO = "fpu de pse tsc msr mce cx8 pge cmov pat fxsr mmx sse sse2 pae sep apic";
const P64 = `${PPRO} mtrr clflush mca pse36 sse3 cx16 lm syscall nx`;

export const CPU_MODELS: readonly CpuModelRow[] = [
  {
    name: "486",
    description: "",
    vendor: "GenuineIntel",
    family: 4,
    model: 8,
    stepping: 0,
    level: 1,
    extendedLevel: 0,
    brand: "",
    features: "fpu pse",
  },
  {
    name: "base",
    description: "base CPU model type with no features enabled",
    vendor: "AuthenticAMD",
    family: 6,
    model: 6,
    stepping: 3,
    level: 0xd,
    extendedLevel: 0x80000008,
    brand: VIRTUAL_CPU,
    features: "",
  },
  {
    name: "kvm64",
    description: "Common KVM processor",
    vendor: "GenuineIntel",
    family: 15,
    model: 6,
    stepping: 1,
    level: 0xd,
    extendedLevel: 0x80000008,
    brand: "Common KVM processor",
    features: `${P64} hypervisor x2apic`,
  },
  {
    name: "pentium3",
    description: "",
    vendor: "GenuineIntel",
    family: 6,
    model: 8,
    stepping: 3,
    level: 3,
    extendedLevel: 0,
    brand: "",
    features: "fpu de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 mmx fxsr sse",
  },
  {
    name: "qemu32",
    description: VIRTUAL_CPU,
    vendor: "GenuineIntel",
    family: 6,
    model: 6,
    stepping: 3,
    level: 4,
    extendedLevel: 0x80000004,
    brand: VIRTUAL_CPU,
    features: `${PPRO} sse3 hypervisor`,
  },
  {
    name: "qemu64",
    description: VIRTUAL_CPU,
    vendor: "AuthenticAMD",
    family: 15,
    model: 107,
    stepping: 1,
    level: 0xd,
    extendedLevel: 0x80000008,
    brand: VIRTUAL_CPU,
    features: `${P64} lahf-lm hypervisor x2apic`,
  },
];
