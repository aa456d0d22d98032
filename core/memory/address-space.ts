/**
 * The guest-physical address space: regions of RAM, ROM and registers with priorities, flattened to a page table that
 * translators look up and to a list for everything that is not plain memory.
 *
 * Where regions overlap, the higher priority wins, and among equals the one mapped last. Disabling or moving a region
 * shows what lies beneath. Addresses are numbers up to 2^52.
 *
 * The page map holds a 32-bit word per 4 KiB page of the first 4 GiB:
 *
 *     bits 31..12   address of the page in the shared memory (plain memory only)
 *     bit 0  PAGE_READ    reads (and fetches) go straight to memory
 *     bit 1  PAGE_WRITE   writes go straight to memory
 *     bit 2  PAGE_CODE    translated code was made from this page: writes must be told to the translator
 *     bit 3  PAGE_LOG     the next write is logged (dirty-log.ts: video RAM)
 *
 * A page with neither READ nor WRITE, and every address from 4 GiB up, goes through `read` and `write` here.
 */

import type { AccessSize, Bus, IoRegion } from "../bus/io.ts";
import { readRegion, writeRegion } from "../bus/io.ts";
import type { BarTarget } from "../bus/pci.ts";
import { DirtyLog } from "./dirty-log.ts";
import type { Dma } from "./dma.ts";
import { type GuestBlock, type GuestMemory, PAGE_SIZE } from "./guest-memory.ts";
import { MemoryDma } from "./memory-dma.ts";

export const PAGE_READ = 1;
export const PAGE_WRITE = 2;
export const PAGE_CODE = 4;
export const PAGE_LOG = 8;

const PAGE_SHIFT = 12;
const MAP_PAGES = 2 ** 20;

/** What a region maps. `offset` is where in the block the region starts. */
export type RegionTarget =
  | { readonly kind: "ram"; readonly block: GuestBlock; readonly offset?: number }
  /** Reads memory; writes are dropped. */
  | { readonly kind: "rom"; readonly block: GuestBlock; readonly offset?: number }
  /** Reads memory; writes go to registers (flash, or dropped and reported). */
  | { readonly kind: "romd"; readonly block: GuestBlock; readonly offset?: number; readonly write: IoRegion }
  | { readonly kind: "io"; readonly region: IoRegion };

export interface AddressRegion {
  readonly name: string;
  readonly base: number;
  readonly size: number;
  readonly target: RegionTarget;
  readonly priority: number;
  readonly enabled: boolean;
  setEnabled(enabled: boolean): void;
  move(base: number): void;
  setTarget(target: RegionTarget): void;
  remove(): void;
}

interface Region extends AddressRegion {
  base: number;
  enabled: boolean;
  target: RegionTarget;
  order: number;
}

/** Told when the meaning of an address range changed: translators drop their TLBs. */
export type MapListener = () => void;
/** Told of a write to a page that carries PAGE_CODE or PAGE_LOG. Address in the shared memory, length in bytes. */
export type WriteListener = (address: number, length: number) => void;
/** Told when a page of shared memory begins to carry PAGE_CODE or PAGE_LOG, and when it carries neither any more. */
export type WatchListener = (address: number, watched: boolean) => void;
/** Adds to a log what it does not know. */
export type LogSource = (log: DirtyLog) => void;

/** Consecutive pages of the page map: page number times page size + delta is the address in the shared memory. */
interface Run {
  readonly first: number;
  readonly last: number;
  readonly delta: number;
  readonly rights: number;
}

export class AddressSpace implements Bus {
  readonly memory: GuestMemory;
  /** One word per page of the first 4 GiB, see the head of this file. */
  readonly pageMap: Uint32Array;
  /** Address of `pageMap` in the shared memory. */
  readonly pageMapAddress: number;
  readonly dma: Dma;
  readonly #regions: Region[] = [];
  readonly #mapListeners: MapListener[] = [];
  readonly #writeListeners: WriteListener[] = [];
  readonly #watchListeners: WatchListener[] = [];
  readonly #logs = new Map<GuestBlock, DirtyLog>();
  readonly #logSources: LogSource[] = [];
  #order = 0;
  #batch = 0;
  #changed = false;
  /** What the page map shows. */
  #runs: ReadonlyMap<string, Run> = new Map();
  /** Blocks' pages that carry CODE or LOG, by page of shared memory: survives remapping. */
  readonly #pageFlags = new Map<number, number>();
  readonly #elsewhere: Bus | undefined;

  /**
   * `elsewhere` is the address space of another thread: it has everything but the registers that are mapped here, and the
   * shared page map is its own.
   */
  constructor(memory: GuestMemory, elsewhere?: Bus) {
    this.memory = memory;
    this.pageMapAddress = memory.reserve("page-map", MAP_PAGES * 4, PAGE_SIZE);
    this.pageMap = elsewhere
      ? new Uint32Array(MAP_PAGES)
      : new Uint32Array(memory.buffer, this.pageMapAddress, MAP_PAGES);
    this.dma = new MemoryDma(this);
    this.#elsewhere = elsewhere;
  }

  /** Maps a region. RAM and ROM regions must be page aligned and a multiple of the page size to be reached directly. */
  map(name: string, base: number, size: number, target: RegionTarget, priority = 0, enabled = true): AddressRegion {
    const region: Region = {
      name,
      base,
      size,
      target,
      priority,
      enabled,
      order: this.#order++,
      setEnabled: (on) => {
        if (region.enabled === on) return;
        region.enabled = on;
        this.#update();
      },
      move: (to) => {
        region.base = to;
        this.#update();
      },
      setTarget: (to) => {
        region.target = to;
        this.#update();
      },
      remove: () => {
        this.#regions.splice(this.#regions.indexOf(region), 1);
        this.#update();
      },
    };
    this.#regions.push(region);
    this.#regions.sort((a, b) => b.priority - a.priority || b.order - a.order);
    this.#update();
    return region;
  }

  /** Maps what a PCI base address register points at, until the returned function is called. */
  mapBar(base: number, size: number, target: BarTarget): () => void {
    const to: RegionTarget =
      "ram" in target
        ? { kind: target.ram.readOnly ? "rom" : "ram", block: target.ram as GuestBlock }
        : { kind: "io", region: target.region };
    const name = "ram" in target ? target.ram.name : target.region.name;
    const mapped = this.map(name, base, Math.min(size, regionLength(to)), to, 1);
    return () => mapped.remove();
  }

  /** Makes several changes and rebuilds the page map once. */
  batch(change: () => void): void {
    this.#batch++;
    try {
      change();
    } finally {
      this.#batch--;
      if (this.#batch === 0 && this.#changed) this.#update();
    }
  }

  onMapChange(listener: MapListener): void {
    this.#mapListeners.push(listener);
  }

  onWrite(listener: WriteListener): void {
    this.#writeListeners.push(listener);
  }

  onWatch(listener: WatchListener): void {
    this.#watchListeners.push(listener);
  }

  /** Asked before dirty pages are taken from a log, by those who write without telling. */
  onDirtyCollect(source: LogSource): void {
    this.#logSources.push(source);
  }

  /** The log of writes to `block`, which begins with the first call. */
  logWrites(block: GuestBlock): DirtyLog {
    const kept = this.#logs.get(block);
    if (kept) return kept;
    const log = new DirtyLog(block, {
      collect: (of) => {
        for (const source of this.#logSources) source(of);
      },
      trap: (address, on) => {
        // Without a translator nobody would look at the flag.
        if (this.#watchListeners.length > 0) this.setPageFlag(address, PAGE_LOG, on);
      },
    });
    this.#logs.set(block, log);
    for (const listener of this.#mapListeners) listener();
    return log;
  }

  /** The log of a block whose writes are logged. */
  dirtyLog(block: GuestBlock): DirtyLog | undefined {
    return this.#logs.get(block);
  }

  /** Sets or clears PAGE_CODE or PAGE_LOG for a page of shared memory, wherever it is mapped. */
  setPageFlag(address: number, flag: number, on: boolean): void {
    const page = address >>> PAGE_SHIFT;
    const before = this.#pageFlags.get(page) ?? 0;
    const after = on ? before | flag : before & ~flag;
    if (before === after) return;
    if (after === 0) this.#pageFlags.delete(page);
    else this.#pageFlags.set(page, after);
    this.#showFlags(page, after);
    if ((before === 0) === (after === 0)) return;
    for (const listener of this.#watchListeners) listener(address, after !== 0);
  }

  /** Tells the write listeners and the logs, after a write that bypassed the translator (DMA, loaders). */
  notifyWrite(address: number, length: number): void {
    for (const listener of this.#writeListeners) listener(address, length);
    for (const log of this.#logs.values()) log.written(address, length);
  }

  /** The region that answers at `address`, if any. */
  find(address: number): AddressRegion | undefined {
    for (const region of this.#regions) {
      if (region.enabled && address >= region.base && address < region.base + region.size) return region;
    }
    return undefined;
  }

  /** Where plain memory lies in the shared memory, valid to the end of its page; undefined where there is none. */
  direct(address: number, forWrite: boolean): number | undefined {
    const inPage = address % PAGE_SIZE;
    const page = (address - inPage) / PAGE_SIZE;
    const word = page < MAP_PAGES ? this.pageMap[page] : 0;
    return word & (forWrite ? PAGE_WRITE : PAGE_READ) ? ((word & ~0xfff) | inPage) >>> 0 : undefined;
  }

  /** A read of 1, 2 or 4 bytes at any address; what nobody claims reads as ones. */
  read(address: number, size: AccessSize): number {
    const region = this.find(address);
    if (this.#elsewhere && region?.target.kind !== "io") return this.#elsewhere.read(address, size);
    if (!region) return size === 4 ? 0xffffffff : (1 << (size * 8)) - 1;
    if (address + size > region.base + region.size && size > 1) return this.#split(address, size);
    const offset = address - region.base;
    if (region.target.kind === "io") return readRegion(region.target.region, offset, size);
    const at = region.target.block.address + (region.target.offset ?? 0) + offset;
    const { view } = this.memory;
    return size === 1 ? view.getUint8(at) : size === 2 ? view.getUint16(at, true) : view.getUint32(at, true);
  }

  /** A write of 1, 2 or 4 bytes at any address. */
  write(address: number, value: number, size: AccessSize): void {
    const region = this.find(address);
    if (this.#elsewhere && region?.target.kind !== "io") {
      this.#elsewhere.write(address, value, size);
      return;
    }
    if (!region) return;
    if (address + size > region.base + region.size && size > 1) {
      for (let i = 0; i < size; i++) this.write(address + i, (value >>> (i * 8)) & 0xff, 1);
      return;
    }
    const offset = address - region.base;
    const { target } = region;
    if (target.kind === "io" || target.kind === "romd") {
      writeRegion(target.kind === "io" ? target.region : target.write, offset, value, size);
      return;
    }
    if (target.kind === "rom") return;
    const at = target.block.address + (target.offset ?? 0) + offset;
    const { view } = this.memory;
    if (size === 1) view.setUint8(at, value);
    else if (size === 2) view.setUint16(at, value, true);
    else view.setUint32(at, value, true);
    this.notifyWrite(at, size);
  }

  /** The regions that are visible, as flat non-overlapping ranges in ascending order: `info mtree -f`. */
  flatten(): { start: number; end: number; region: AddressRegion }[] {
    const cuts = new Set<number>();
    const active = this.#regions.filter((region) => region.enabled);
    for (const { base, size } of active) cuts.add(base).add(base + size);
    const points = [...cuts].sort((a, b) => a - b);
    const flat: { start: number; end: number; region: AddressRegion }[] = [];
    points.slice(0, -1).forEach((start, i) => {
      const region = this.find(start);
      const last = flat.at(-1);
      if (!region) return;
      if (last && last.region === region && last.end === start) last.end = points[i + 1];
      else flat.push({ start, end: points[i + 1], region });
    });
    return flat;
  }

  /** All regions, highest priority first. */
  regions(): readonly AddressRegion[] {
    return this.#regions;
  }

  #split(address: number, size: AccessSize): number {
    let value = 0;
    for (let i = 0; i < size; i++) value |= this.read(address + i, 1) << (i * 8);
    return value >>> 0;
  }

  #update(): void {
    this.#changed = true;
    if (this.#batch > 0) return;
    this.#changed = false;
    const before = this.#runs;
    this.#runs = this.#directRuns();
    for (const [key, { first, last }] of before) if (!this.#runs.has(key)) this.pageMap.fill(0, first, last);
    for (const [key, { first, last, delta, rights }] of this.#runs) {
      if (before.has(key)) continue;
      for (let page = first; page < last; page++) this.pageMap[page] = (page * PAGE_SIZE + delta) | rights;
    }
    for (const [page, flags] of this.#pageFlags) this.#showFlags(page, flags);
    for (const listener of this.#mapListeners) listener();
  }

  /** The pages that are memory now, by a key that says all about them. */
  #directRuns(): Map<string, Run> {
    const runs = new Map<string, Run>();
    for (const { start, end, region } of this.flatten()) {
      const { target } = region;
      if (target.kind === "io") continue;
      const first = Math.ceil(start / PAGE_SIZE);
      const last = Math.min(Math.floor(end / PAGE_SIZE), MAP_PAGES);
      const delta = target.block.address + (target.offset ?? 0) - region.base;
      if (delta % PAGE_SIZE !== 0 || first >= last) continue;
      const rights = target.kind === "ram" ? PAGE_READ | PAGE_WRITE : PAGE_READ;
      runs.set(`${first} ${last} ${delta} ${rights}`, { first, last, delta, rights });
    }
    return runs;
  }

  /** Puts a page's flags into the page map, wherever the page is mapped. */
  #showFlags(page: number, flags: number): void {
    const at = (page << PAGE_SHIFT) >>> 0;
    for (const { base, size, target, enabled } of this.#regions) {
      if (!enabled || target.kind === "io") continue;
      const start = target.block.address + (target.offset ?? 0);
      if (at < start || at >= start + size) continue;
      const index = (base + at - start) / PAGE_SIZE;
      if (index >= MAP_PAGES) continue;
      const word = this.pageMap[index];
      if (word >>> PAGE_SHIFT === page) this.pageMap[index] = (word & ~(PAGE_CODE | PAGE_LOG)) | flags;
    }
  }
}

function regionLength(target: RegionTarget): number {
  return target.kind === "io" ? target.region.length : target.block.size - (target.offset ?? 0);
}
