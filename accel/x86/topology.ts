/**
 * What CPUID says of sockets, cores and threads: Intel SDM volume 2, CPUID; AMD APM volume 3, appendix E. Logical CPUs of
 * a package are counted per die, as QEMU does.
 */

import { apicIdShifts, type CpuTopology } from "../../core/cpu-topology.ts";

/** EAX, EBX, ECX and EDX of a leaf. */
export type Registers = readonly [eax: number, ebx: number, ecx: number, edx: number];

/** A CPU in its machine. */
export interface CpuPlace {
  readonly topology: CpuTopology;
  readonly apicId: number;
  readonly intel: boolean;
}

/** The leaf that tells dies, of Intel CPUs that have several. */
export const DIES_LEAF = 0x1f;
/** Leaf 1, EDX: EBX tells how many logical CPUs the package has. */
const HTT = 1 << 28;
/** AMD, leaf 80000001h, ECX: these are cores, not threads. */
const CMP_LEGACY = 1 << 1;
// Types of levels in leaves 0xb and 0x1f.
const LEVEL_THREAD = 1;
const LEVEL_CORE = 2;
const LEVEL_DIE = 5;

/** A level: its type, by how much the APIC ID is shifted for the number of the next one, CPUs in it. */
type Level = readonly [type: number, shift: number, cpus: number];

/** The leaf of a CPU that does not know its place, with what its place changes in it. */
export function withTopology(leaf: number, subleaf: number, registers: Registers, place: CpuPlace): Registers {
  const [eax, ebx, ecx, edx] = registers;
  const { topology, apicId, intel } = place;
  const { cores, threads, dies } = topology;
  const shifts = apicIdShifts(topology);
  const cpus = cores * threads;
  const several = cpus > 1;
  switch (leaf) {
    case 1: {
      const count = several ? Math.min(cpus, 255) << 16 : 0;
      return [eax, (ebx & 0xffff) | count | (apicId << 24), ecx, several ? edx | HTT : edx & ~HTT];
    }
    case 4:
      return (eax & 0x1f) === 0 ? registers : [(eax & 0x3fff) | cacheSharing(eax, topology), ebx, ecx, edx];
    case 0xb:
      return levelsLeaf(subleaf, apicId, [
        [LEVEL_THREAD, shifts.core, threads],
        [LEVEL_CORE, shifts.socket, cpus],
      ]);
    case DIES_LEAF:
      return levelsLeaf(subleaf, apicId, [
        [LEVEL_THREAD, shifts.core, threads],
        [LEVEL_CORE, shifts.die, cpus],
        [LEVEL_DIE, shifts.socket, dies * cpus],
      ]);
    case 0x80000001:
      return [eax, ebx, several && !intel ? ecx | CMP_LEGACY : ecx & ~CMP_LEGACY, edx];
    case 0x80000008:
      return [eax, ebx, several ? (shifts.socket << 12) | ((cpus - 1) & 0xff) : 0, edx];
  }
  return registers;
}

/** Bits 31 to 14 of leaf 4, EAX: cores of the package, and logical CPUs that share the cache, less one each. */
function cacheSharing(eax: number, topology: CpuTopology): number {
  const level = (eax >> 5) & 7;
  const sharing = level === 1 ? 1 : level === 2 ? topology.threads : 1 << apicIdShifts(topology).die;
  return ((Math.min(topology.cores, 64) - 1) << 26) | ((sharing - 1) << 14);
}

/** Extended topology enumeration. */
function levelsLeaf(subleaf: number, apicId: number, levels: readonly Level[]): Registers {
  const [type, shift, cpus] = levels[subleaf] ?? [0, 0, 0];
  return [shift, cpus, (subleaf & 0xff) | (type << 8), apicId];
}
