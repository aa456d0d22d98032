/**
 * How CPUs lie in sockets, dies, cores and threads, and the APIC IDs that follow: each level has a bit field just wide
 * enough for its count (Intel SDM volume 3, section 9.9), so numbers may be left out between two cores or sockets.
 */

/** Each count is that within one of the level above. */
export interface CpuTopology {
  readonly sockets: number;
  readonly dies: number;
  readonly cores: number;
  readonly threads: number;
}

export const ONE_CPU: CpuTopology = { sockets: 1, dies: 1, cores: 1, threads: 1 };

const bitsFor = (count: number): number => Math.ceil(Math.log2(count));

/** Where in an APIC ID the number of the core, of the die and of the socket begin. */
export function apicIdShifts({ dies, cores, threads }: CpuTopology): { core: number; die: number; socket: number } {
  const core = bitsFor(threads);
  const die = core + bitsFor(cores);
  return { core, die, socket: die + bitsFor(dies) };
}

/** The APIC ID of the CPU with an index: threads of a core come first, then cores, dies, sockets. */
export function apicIdOf(topology: CpuTopology, index: number): number {
  const { dies, cores, threads } = topology;
  const { core, die, socket } = apicIdShifts(topology);
  const inCores = Math.floor(index / threads);
  const inDies = Math.floor(inCores / cores);
  const inSockets = Math.floor(inDies / dies);
  return (inSockets << socket) | ((inDies % dies) << die) | ((inCores % cores) << core) | (index % threads);
}
