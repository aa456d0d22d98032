/**
 * Ports and memory-mapped registers. A device hands out an `IoHandler`; the space it is mapped into checks and splits
 * accesses, so that the handler only sees sizes it declared. Values are unsigned and little-endian.
 */

export type AccessSize = 1 | 2 | 4;

export interface IoHandler {
  /** `offset` is relative to the region's start. Returns an unsigned value of `size` bytes; excess bits are cut off. */
  read(offset: number, size: AccessSize): number;
  /** `value` is unsigned and fits `size` bytes. */
  write(offset: number, value: number, size: AccessSize): void;
}

/** Somewhere accesses go by address: ports, or the guest's memory map. */
export interface Bus {
  read(address: number, size: AccessSize): number;
  write(address: number, value: number, size: AccessSize): void;
}

export interface IoRegion {
  /** Shown by `info mtree`, e.g. "serial". */
  readonly name: string;
  /** Length in bytes. */
  readonly length: number;
  readonly handler: IoHandler;
  /** Sizes the handler implements (default 1 to 4). Larger accesses are split, smaller ones widened on reads. */
  readonly min?: AccessSize;
  readonly max?: AccessSize;
  /**
   * Writes may come late, in their order, as long as the guest does nothing else that anybody sees; a tenth of a second at
   * most while it computes.
   */
  readonly coalesced?: boolean;
}

/** A region's place in a space. Moving or disabling takes effect at the next access. */
export interface Mapping {
  readonly region: IoRegion;
  readonly base: number;
  readonly enabled: boolean;
  move(base: number): void;
  setEnabled(enabled: boolean): void;
  remove(): void;
}

const ones = (size: number): number => (size === 4 ? 0xffffffff : (1 << (size * 8)) - 1);

/**
 * Reads `size` bytes of a region in pieces its handler implements. Bytes outside the region read as ones.
 * A read narrower than the handler's minimum reads the aligned minimum and cuts out the bytes.
 */
export function readRegion(region: IoRegion, offset: number, size: AccessSize): number {
  const { min = 1, max = 4, handler } = region;
  if (size >= min && size <= max && offset + size <= region.length)
    return (handler.read(offset, size) & ones(size)) >>> 0;
  if (size < min) {
    const start = offset - (offset % min);
    return (handler.read(start, min) >>> ((offset - start) * 8)) & ones(size);
  }
  let value = 0;
  const step = Math.min(size, max) as AccessSize;
  for (let at = 0; at < size; at += step) {
    const piece = offset + at + step <= region.length ? handler.read(offset + at, step) & ones(step) : ones(step);
    value |= piece << (at * 8);
  }
  return value >>> 0;
}

/** Writes `size` bytes in pieces the handler implements. Bytes outside the region are dropped. */
export function writeRegion(region: IoRegion, offset: number, value: number, size: AccessSize): void {
  const { min = 1, max = 4, handler } = region;
  if (size < min) {
    const start = offset - (offset % min);
    handler.write(start, ((value & ones(size)) << ((offset - start) * 8)) >>> 0, min);
    return;
  }
  const step = Math.min(size, max) as AccessSize;
  for (let at = 0; at < size; at += step) {
    if (offset + at + step > region.length) return;
    handler.write(offset + at, ((value >>> (at * 8)) & ones(step)) >>> 0, step);
  }
}

const PORTS = 65536;

interface PortMapping extends Mapping {
  base: number;
  enabled: boolean;
}

/**
 * The 64 KiB of I/O ports. Where regions overlap the one mapped last wins, and the other shows again when it goes.
 * A port nobody claims reads all ones and swallows writes.
 */
export class PortSpace implements Bus {
  readonly #mappings: PortMapping[] = [];
  readonly #table: (PortMapping | undefined)[] = new Array(PORTS).fill(undefined);
  readonly #listeners: (() => void)[] = [];
  readonly #elsewhere: Bus | undefined;

  /** `elsewhere` has what is not mapped here: the devices of another thread. */
  constructor(elsewhere?: Bus) {
    this.#elsewhere = elsewhere;
  }

  map(base: number, region: IoRegion, enabled = true): Mapping {
    const change = (update: () => void): void => {
      update();
      this.#rebuild();
    };
    const mapping: PortMapping = {
      region,
      base,
      enabled,
      move: (to) => change(() => (mapping.base = to)),
      setEnabled: (on) => change(() => (mapping.enabled = on)),
      remove: () => change(() => this.#mappings.splice(this.#mappings.indexOf(mapping), 1)),
    };
    this.#mappings.push(mapping);
    if (enabled) this.#fill(mapping);
    this.#tell();
    return mapping;
  }

  read(port: number, size: AccessSize): number {
    const mapping = this.#table[port];
    if (mapping && (size === 1 || port + size <= mapping.base + mapping.region.length)) {
      return readRegion(mapping.region, port - mapping.base, size);
    }
    if (this.#elsewhere) return this.#elsewhere.read(port, size);
    if (size === 1) return 0xff;
    const half = (size >> 1) as AccessSize;
    return (this.read(port, half) | (this.read((port + half) & 0xffff, half) << (half * 8))) >>> 0;
  }

  write(port: number, value: number, size: AccessSize): void {
    const mapping = this.#table[port];
    if (mapping && (size === 1 || port + size <= mapping.base + mapping.region.length)) {
      writeRegion(mapping.region, port - mapping.base, value, size);
      return;
    }
    if (this.#elsewhere) {
      this.#elsewhere.write(port, value, size);
      return;
    }
    if (size === 1) return;
    const half = (size >> 1) as AccessSize;
    this.write(port, value & ones(half), half);
    this.write((port + half) & 0xffff, value >>> (half * 8), half);
  }

  /** All mappings, in the order they were made. */
  mappings(): readonly Mapping[] {
    return this.#mappings;
  }

  /** Told when ports have got another meaning. */
  onMapChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** The runs of ports that show a region whose writes may come late. */
  late(): { start: number; size: number }[] {
    const runs: { start: number; size: number }[] = [];
    for (const mapping of this.#mappings) {
      if (!mapping.region.coalesced) continue;
      const end = Math.min(mapping.base + mapping.region.length, PORTS);
      for (let port = Math.max(0, mapping.base); port < end; port++) {
        const start = port;
        while (port < end && this.#table[port] === mapping) port++;
        if (port > start) runs.push({ start, size: port - start });
      }
    }
    return runs;
  }

  #fill(mapping: PortMapping): void {
    const end = Math.min(mapping.base + mapping.region.length, PORTS);
    for (let port = Math.max(0, mapping.base); port < end; port++) this.#table[port] = mapping;
  }

  #rebuild(): void {
    this.#table.fill(undefined);
    for (const mapping of this.#mappings) if (mapping.enabled) this.#fill(mapping);
    this.#tell();
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}
