/**
 * Compiles hot code: takes blocks that the interpreter has found hot, forms regions around them, has a back end compile
 * several at once, and puts them in the place of the blocks they begin with.
 */

import type { Log } from "../../../core/log.ts";
import type { CodeCache, RegionInfo, TranslationBlock } from "../engine/code-cache.ts";
import { HF_CS32, HF_CS64, HF_DEBUG, HF_INHIBIT, HF_RF, HF_SEGCHECK, HF_TF } from "../env.ts";
import type { Lowerer } from "../interp/lower.ts";
import { formRegion, type Surroundings } from "./form.ts";
import { countCells, makeReducible, type Region } from "./region.ts";

/** Address of a region's exit number n is that of its code + CELL_SIZE * (n + 1); its link is 8 bytes further. */
const CELL_SIZE = 16;
/** Regions compiled at once, and slices that fewer of them wait at most. */
const BATCH = 8;
const PATIENCE = 8;
const PAGE_SHIFT = 12;
/** Code that the guest overwrites more often is left to the interpreter. */
const MAX_OVERWRITTEN = 64;
/** Modes whose blocks stay with the interpreter. */
const NEVER = HF_TF | HF_DEBUG | HF_RF | HF_INHIBIT;

/** A region on its way through a back end. */
export interface CompileRequest {
  readonly region: Region;
  /** Place of its function in the table of regions. */
  readonly place: number;
  /** Address of the exit instruction number `index`. */
  cell(index: number): number;
}

interface Request extends CompileRequest {
  readonly block: TranslationBlock;
  /** Where its interpreter code goes. */
  code: number;
  cell: (index: number) => number;
}

/** Turns regions into functions. */
export interface RegionBackend {
  readonly name: string;
  /** Compiles and puts the functions in their places; returns each one's fault points. */
  compile(requests: readonly CompileRequest[]): Int32Array[];
  /** The function in this place will not be called again. */
  release(place: number): void;
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
  batches: number;
  compileMs: number;
}

export class Jit {
  readonly statistics: JitStatistics = {
    regions: 0,
    blocks: 0,
    insns: 0,
    refused: 0,
    killed: 0,
    batches: 0,
    compileMs: 0,
  };
  readonly #backend: RegionBackend;
  readonly #cache: CodeCache;
  readonly #lowerer: Lowerer;
  readonly #around: Surroundings;
  readonly #insns: number;
  readonly #log: Log | undefined;
  /** How often the guest has overwritten compiled code, by page. */
  readonly #overwritten = new Map<number, number>();
  readonly #free: number[] = [];
  readonly #regions = new Map<number, TranslationBlock>();
  #waiting: { readonly block: TranslationBlock; readonly region: Region }[] = [];
  #age = 0;
  #nextId = 1;

  constructor(
    backend: RegionBackend,
    cache: CodeCache,
    lowerer: Lowerer,
    around: Surroundings,
    { places, insns, log }: JitOptions,
  ) {
    this.#log = log;
    this.#insns = insns;
    this.#backend = backend;
    this.#cache = cache;
    this.#lowerer = lowerer;
    this.#around = around;
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
    const started = performance.now();
    const region = formRegion(block, this.#insns, this.#around);
    if (region) {
      makeReducible(region);
      this.#waiting.push({ block, region });
    } else this.statistics.refused++;
    this.statistics.compileMs += performance.now() - started;
    if (this.#waiting.length >= BATCH) this.#compile();
  }

  /** Called once a slice: what waits is compiled after a while, even if it is not many. */
  tick(): void {
    if (this.#waiting.length === 0) return;
    this.#age++;
    if (this.#age >= PATIENCE) this.#compile();
  }

  /** Guest memory that may hold code was written. */
  written(address: number, length: number): void {
    if (this.#waiting.length === 0) return;
    this.#waiting = this.#waiting.filter(({ region }) =>
      region.blocks.every((block) => address >= block.phys + block.length || address + length <= block.phys),
    );
  }

  /** Counters for -d stats and `info jit`. */
  describe(): [string, string][] {
    const { regions, blocks, insns, refused, killed, compileMs } = this.statistics;
    const per = (count: number): string => (count / Math.max(1, regions)).toFixed(1);
    return [
      ["regions", `${regions} compiled, ${this.#regions.size} live, ${killed} dropped, ${refused} refused`],
      ["region size", `${per(blocks)} blocks, ${per(insns)} instructions`],
      ["compile time", `${compileMs.toFixed(0)} ms`],
    ];
  }

  #compile(): void {
    const started = performance.now();
    this.#age = 0;
    const requests: Request[] = [];
    for (const { block, region } of this.#waiting) {
      if (block.dead || block.region) continue;
      const place = this.#free.pop() ?? this.#evictOldest();
      requests.push({ block, region, place, code: 0, cell: () => 0 });
    }
    this.#waiting = [];
    // Room for all of them at once: getting some may give up the blocks of an old segment.
    const sizes = requests.map(({ region }) => CELL_SIZE * (countCells(region) + 1));
    let code = this.#cache.room(sizes.reduce((sum, size) => sum + size + 64, 0));
    requests.forEach((request, index) => {
      const base = code;
      request.code = base;
      request.cell = (cell) => base + CELL_SIZE * (cell + 1);
      code += sizes[index];
    });
    const points = this.#backend.compile(requests);
    requests.forEach((request, index) => {
      if (request.block.dead) {
        this.#backend.release(request.place);
        this.#free.push(request.place);
      } else this.#install(request, sizes[index], points[index]);
    });
    this.statistics.batches++;
    this.statistics.compileMs += performance.now() - started;
  }

  /** A region has died: its place may be used again. `overwritten`: because its guest code changed. */
  killed(block: TranslationBlock, overwritten: boolean): void {
    if (!block.region) return;
    const page = block.phys >>> PAGE_SHIFT;
    if (overwritten) this.#overwritten.set(page, (this.#overwritten.get(page) ?? 0) + 1);
    this.#log?.line("jit", `dropped region ${block.region.id} at ${hex(block.phys)}`);
    this.statistics.killed++;
    this.#regions.delete(block.region.id);
    this.#backend.release(block.region.place);
    this.#free.push(block.region.place);
  }

  /** Gives up the region that was compiled first, for its place. */
  #evictOldest(): number {
    const [oldest] = this.#regions.values();
    this.#cache.kill(oldest);
    return this.#free.pop()!;
  }

  #install({ block, region, place, code }: Request, size: number, points: Int32Array): void {
    const info: RegionInfo = { id: this.#nextId++, place, points, extents: extentsOf(region), insns: insnsOf(region) };
    this.#lowerer.lowerRegion(code, place, info.id);
    for (let at = CELL_SIZE; at < size; at += CELL_SIZE) this.#lowerer.clearCell(code + at);
    const compiled: TranslationBlock = {
      phys: block.phys,
      hflags: block.hflags,
      code,
      codeEnd: code + size,
      length: block.length,
      insns: block.insns,
      secondPage: 0,
      points: new Int32Array(0),
      historyAt: block.historyAt,
      region: info,
      incoming: [],
      dead: false,
    };
    this.#regions.set(info.id, compiled);
    this.#cache.replace(block, compiled);
    this.#log?.line(
      "jit",
      `region ${info.id} at ${hex(block.phys)}: ${region.blocks.length} blocks, ${info.insns} instructions, ` +
        `${region.nodes.length} pieces`,
    );
    this.statistics.regions++;
    this.statistics.blocks += region.blocks.length;
    this.statistics.insns += info.insns;
  }
}

const hex = (address: number): string => `0x${address.toString(16)}`;

const insnsOf = ({ blocks }: Region): number => blocks.reduce((sum, { insns }) => sum + insns, 0);

function extentsOf({ blocks }: Region): Int32Array {
  const extents = new Int32Array(blocks.length * 2);
  blocks.forEach(({ phys, length }, i) => {
    extents[i * 2] = phys;
    extents[i * 2 + 1] = length;
  });
  return extents;
}
