/** CPUID features by name, and where each one is: leaf word and bit. Names are those of QEMU's -cpu option. */

/** Words of `env.features`. */
export const FEATURE_WORDS = [
  "1.edx",
  "1.ecx",
  "7.0.ebx",
  "7.0.ecx",
  "7.0.edx",
  "80000001.edx",
  "80000001.ecx",
  "d.1.eax",
] as const;

const word = (index: number, names: string): Record<string, readonly [word: number, bit: number]> =>
  Object.fromEntries(names.split(" ").flatMap((name, bit) => (name === "-" ? [] : [[name, [index, bit] as const]])));

/** Intel SDM volume 2, CPUID, leaves 1, 7 and 0xd; AMD APM volume 3, appendix E, leaf 0x80000001. */
export const FEATURES = {
  ...word(
    0,
    "fpu vme de pse tsc msr pae mce cx8 apic - sep mtrr pge mca cmov pat pse36 pn clflush - ds acpi mmx fxsr sse sse2 ss ht tm ia64 pbe",
  ),
  ...word(
    1,
    "sse3 pclmulqdq dtes64 monitor ds-cpl vmx smx est tm2 ssse3 cid - fma cx16 xtpr pdcm - pcid dca sse4.1 sse4.2 x2apic movbe popcnt tsc-deadline aes xsave osxsave avx f16c rdrand hypervisor",
  ),
  ...word(
    2,
    "fsgsbase tsc-adjust sgx bmi1 hle avx2 - smep bmi2 erms invpcid rtm - - mpx - avx512f avx512dq rdseed adx smap avx512ifma pcommit clflushopt clwb intel-pt avx512pf avx512er avx512cd sha-ni avx512bw avx512vl",
  ),
  ...word(
    3,
    "- avx512vbmi umip pku ospke - avx512vbmi2 - gfni vaes vpclmulqdq avx512vnni avx512bitalg - avx512-vpopcntdq - la57 - - - - - rdpid",
  ),
  ...word(4, "- - avx512-4vnniw avx512-4fmaps fsrm"),
  ...word(
    5,
    "- - - - - - - - - - - syscall - - - - - - - mp nx - mmxext - - fxsr-opt pdpe1gb rdtscp - lm 3dnowext 3dnow",
  ),
  ...word(
    6,
    "lahf-lm cmp-legacy svm extapic cr8legacy abm sse4a misalignsse 3dnowprefetch osvw ibs xop skinit wdt - lwp fma4 tce - nodeid-msr - tbm topoext perfctr-core perfctr-nb",
  ),
  ...word(7, "xsaveopt xsavec xgetbv1 xsaves"),
} as const;

export type Feature = string;
