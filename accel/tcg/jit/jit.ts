/**
 * Compiles hot code: plans regions around blocks that the interpreter has found hot, hands the plans to a queue, and
 * puts what comes back into the places of the blocks they begin with.
 *
 * Invariant: the guest runs on while a plan is compiled, so its code is compared with the plan's before anything is
 * put in place.
 */

import type { Log } from "../../../core/log.ts";
import type { CodeCache, RegionInfo, TranslationBlock } from "../engine/code-cache.ts";
import { HF_CS32, HF_CS64, HF_DEBUG, HF_INHIBIT, HF_RF, HF_SEGCHECK, HF_TF } from "../env.ts";
import type { Lowerer } from "../interp/lower.ts";
import { CELL_SIZE, type CompiledRegion, type CompileQueue, type Finished, type RegionTable } from "./backend.ts";
import { formRegion, isCurrent, type RegionPlan, type Surroundings } from "./form.ts";

const PAGE_SHIFT = 12;
/** Code that the guest overwrites more often is left to the interpreter. */
const MAX_OVERWRITTEN = 64;
/** Bytes kept free after a region's exits; see PATCH_ROOM of the code cache. */
const ROOM_BETWEEN = 64;
/** Modes whose blocks stay with the interpreter. */
const NEVER = HF_TF | HF_DEBUG | HF_RF | HF_INHIBIT;

/** A plan on its way through the queue. */
interface Pending {
  readonly block: TranslationBlock;
  readonly plan: RegionPlan;
}

export interface JitOptions {
  /** Most guest instructions in a region. */
  readonly insns: number;
  /** Most functions that live at once. */
  readonly places: number;
  readonly log?: Log;
}

export interface JitStatistics {
  regions: number;
  blocks: number;
  insns: number;
  refused: number;
  killed: number;
  /** Time (ms) spent on compiling in the machine's thread, and beside it. */
  hereMs: number;
  elsewhereMs: number;
}

export class Jit {
  readonly statistics: JitStatistics = {
    regions: 0,
    blocks: 0,
    insns: 0,
    refused: 0,
    killed: 0,
    hereMs: 0,
    elsewhereMs: 0,
  };
  readonly #table: RegionTable;
  readonly #queue: CompileQueue;
  readonly #cache: CodeCache;
  readonly #lowerer: Lowerer;
  readonly #around: Surroundings;
  readonly #insns: number;
  readonly #log: Log | undefined;
  /** How often the guest has overwritten compiled code, by page. */
  readonly #overwritten = new Map<number, number>();
  readonly #free: number[] = [];
  readonly #regions = new Map<number, TranslationBlock>();
  readonly #pending = new Map<number, Pending>();
  /** Blocks with which regions begin that are being compiled, and how many instructions those have. */
  readonly #underway = new Map<TranslationBlock, number>();
  #nextId = 1;

  /** What `queue` compiles goes into `table`. */
  constructor(
    table: RegionTable,
    queue: CompileQueue,
    cache: CodeCache,
    lowerer: Lowerer,
    around: Omit<Surroundings, "regionInsns">,
    { places, insns, log }: JitOptions,
  ) {
    this.#log = log;
    this.#insns = insns;
    this.#table = table;
    this.#queue = queue;
    this.#cache = cache;
    this.#lowerer = lowerer;
    this.#around = { ...around, regionInsns: (block) => block.region?.insns ?? this.#underway.get(block) ?? 0 };
    for (let place = places - 1; place >= 0; place--) this.#free.push(place);
  }

  /** The region with a number, live or dead as long as it may still run. */
  region(id: number): TranslationBlock | undefined {
    return this.#regions.get(id);
  }

  /** The block at CS:rip is hot. */
  hot(block: TranslationBlock): void {
    const { hflags } = block;
    const wide = (hflags & HF_CS64) !== 0;
    const suits = wide || ((hflags & HF_CS32) !== 0 && (hflags & HF_SEGCHECK) === 0);
    const restless = (this.#overwritten.get(block.phys >>> PAGE_SHIFT) ?? 0) > MAX_OVERWRITTEN;
    if (block.region || block.dead || !suits || (hflags & NEVER) !== 0 || restless) {
      this.statistics.refused++;
      this.#log?.line("jit", `refused ${hex(block.phys)}${restless ? ": overwritten too often" : ""}`);
      return;
    }
    if (this.#underway.has(block)) return;
    const started = performance.now();
    const plan = formRegion(block, this.#insns, this.#around);
    if (plan) {
      const id = this.#nextId++;
      this.#pending.set(id, { block, plan });
      this.#underway.set(block, insnsOf(plan));
      this.#queue.submit(id, plan);
    } else this.statistics.refused++;
    this.statistics.hereMs += performance.now() - started;
  }

  /** Called once a slice: takes what has been compiled. */
  tick(): void {
    const started = this.#pending.size > 0 ? performance.now() : 0;
    const finished = this.#queue.poll();
    if (!finished) return;
    this.#take(finished);
    this.statistics.elsewhereMs += finished.elsewhere;
    this.statistics.hereMs += performance.now() - started;
  }

  /** Counters for -d stats and `info jit`. */
  describe(): [string, string][] {
    const { regions, blocks, insns, refused, killed, hereMs, elsewhereMs } = this.statistics;
    const per = (count: number): string => (count / Math.max(1, regions)).toFixed(1);
    return [
      ["regions", `${regions} compiled, ${this.#regions.size} live, ${killed} dropped, ${refused} refused`],
      ["region size", `${per(blocks)} blocks, ${per(insns)} instructions`],
      ["compile time", `${hereMs.toFixed(0)} ms, ${elsewhereMs.toFixed(0)} ms beside the guest`],
    ];
  }

  #take({ ids, batch, refused }: Finished): void {
    this.statistics.refused += refused.length;
    for (const id of refused) this.#forget(id);
    const entries = ids.map((id) => ({ id, ...this.#forget(id) }));
    const sizes = batch.regions.map(({ cells }) => CELL_SIZE * (cells + 1));
    // Room for all of them at once: getting some may give up the blocks of an old segment.
    let code = this.#cache.room(sizes.reduce((sum, size) => sum + size + ROOM_BETWEEN, 0));
    const destinations = entries.map(({ block, plan }, index) => {
      if (block.dead || !isCurrent(plan, this.#around.memory)) return undefined;
      const at = code;
      code += sizes[index] + ROOM_BETWEEN;
      return { code: at, cells: at + CELL_SIZE, place: this.#free.pop() ?? this.#evictOldest() };
    });
    batch.install(destinations);
    destinations.forEach((destination, index) => {
      if (destination) this.#install(entries[index], destination, batch.regions[index]);
    });
  }

  #forget(id: number): Pending {
    const pending = this.#pending.get(id)!;
    this.#pending.delete(id);
    this.#underway.delete(pending.block);
    return pending;
  }

  /** A region has died: its place may be used again. `overwritten`: because its guest code changed. */
  killed(block: TranslationBlock, overwritten: boolean): void {
    if (!block.region) return;
    const page = block.phys >>> PAGE_SHIFT;
    if (overwritten) this.#overwritten.set(page, (this.#overwritten.get(page) ?? 0) + 1);
    this.#log?.line("jit", `dropped region ${block.region.id} at ${hex(block.phys)}`);
    this.statistics.killed++;
    this.#regions.delete(block.region.id);
    this.#table.release(block.region.place);
    this.#free.push(block.region.place);
  }

  /** Gives up the region that was compiled first, for its place. */
  #evictOldest(): number {
    const [oldest] = this.#regions.values();
    this.#cache.kill(oldest);
    return this.#free.pop()!;
  }

  #install(
    { id, block, plan }: Pending & { readonly id: number },
    { code, place }: { readonly code: number; readonly place: number },
    { points, cells }: CompiledRegion,
  ): void {
    const { blocks } = plan;
    const insns = insnsOf(plan);
    const info: RegionInfo = { id, place, points, extents: extentsOf(plan), insns };
    this.#lowerer.lowerRegion(code, place, id);
    for (let n = 1; n <= cells; n++) this.#lowerer.clearCell(code + CELL_SIZE * n);
    const compiled: TranslationBlock = {
      phys: block.phys,
      hflags: block.hflags,
      code,
      codeEnd: code + CELL_SIZE * (cells + 1),
      length: block.length,
      insns: block.insns,
      secondPage: 0,
      points: new Int32Array(0),
      lastInsn: block.lastInsn,
      historyAt: block.historyAt,
      region: info,
      incoming: [],
      dead: false,
    };
    this.#regions.set(id, compiled);
    this.#cache.replace(block, compiled);
    this.#log?.line("jit", `region ${id} at ${hex(block.phys)}: ${blocks.length} blocks, ${insns} instructions`);
    this.statistics.regions++;
    this.statistics.blocks += blocks.length;
    this.statistics.insns += insns;
  }
}

const hex = (address: number): string => `0x${address.toString(16)}`;

const insnsOf = ({ blocks }: RegionPlan): number => blocks.reduce((sum, { insns }) => sum + insns, 0);

function extentsOf({ blocks }: RegionPlan): Int32Array {
  const extents = new Int32Array(blocks.length * 2);
  blocks.forEach(({ phys, length }, i) => {
    extents[i * 2] = phys;
    extents[i * 2 + 1] = length;
  });
  return extents;
}
