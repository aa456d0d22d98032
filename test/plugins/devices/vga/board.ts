/** A VGA on a bare bus, and the few things a BIOS does with it. */

import { type AccessSize, PortSpace, readRegion, writeRegion } from "../../../../core/bus/io.ts";
import { type BarTarget, type MemoryBlock, PciBus } from "../../../../core/bus/pci.ts";
import { ManualClock } from "../../../../core/clock.ts";
import type { Surface } from "../../../../core/display/surface.ts";
import { NO_IRQ } from "../../../../core/irq.ts";
import { DirtyLog } from "../../../../core/memory/dirty-log.ts";
import { StateArena } from "../../../../core/state/state.ts";
import { Vga } from "../../../../plugins/devices/vga/vga.ts";
import type { Mode } from "./modes.ts";

export function block(name: string, size: number, readOnly = false): MemoryBlock {
  return { name, size, readOnly, bytes: new Uint8Array(new SharedArrayBuffer(size)) };
}

export class Board {
  readonly arena = StateArena.create();
  readonly clock = new ManualClock();
  readonly ports = new PortSpace();
  readonly vram = block("vga.vram", 2 ** 24);
  readonly mapped = new Map<number, BarTarget>();
  readonly bus: PciBus;
  readonly log: DirtyLog | undefined;
  readonly vga: Vga;

  /** `logged`: only what has changed is drawn anew. */
  constructor(logged = false) {
    if (logged) this.log = new DirtyLog({ ...this.vram, address: 0 }, { collect() {}, trap() {} });
    this.vga = new Vga({
      name: "vga",
      arena: this.arena,
      clock: this.clock,
      vram: this.vram,
      log: this.log,
      rom: block("vga.rom", 0x10000, true),
      preferred: { width: 1280, height: 800 },
    });
    const map = (_kind: string, base: number, _size: number, target: BarTarget): (() => void) => {
      this.mapped.set(base, target);
      return () => this.mapped.delete(base);
    };
    this.bus = new PciBus({ map }, { input: () => 0, inputs: [NO_IRQ] });
    this.bus.plug(this.vga, 0x10);
    for (const { base, region } of this.vga.ports) this.ports.map(base, region);
  }

  /** Writes an indexed register. */
  set(port: number, index: number, value: number): void {
    this.ports.write(port, index | (value << 8), 2);
  }

  get(port: number, index: number): number {
    this.ports.write(port, index, 1);
    return this.ports.read(port + 1, 1);
  }

  attr(index: number, value: number): void {
    this.ports.read(0x3da, 1);
    this.ports.read(0x3ba, 1);
    this.ports.write(0x3c0, index, 1);
    this.ports.write(0x3c0, value, 1);
    this.ports.write(0x3c0, 0x20, 1);
  }

  color(index: number, red: number, green: number, blue: number): void {
    this.ports.write(0x3c8, index, 1);
    for (const value of [red, green, blue]) this.ports.write(0x3c9, value, 1);
  }

  /** Sets a standard mode, and a palette in which entry i is (i, 63 - i, i / 2), all six bits. */
  mode(mode: Mode): void {
    this.ports.write(0x3c2, mode.misc, 1);
    const crtc = mode.misc & 1 ? 0x3d4 : 0x3b4;
    mode.seq.forEach((value, i) => {
      this.set(0x3c4, i, value);
    });
    this.set(crtc, 0x11, mode.crtc[0x11] & 0x7f);
    mode.crtc.forEach((value, i) => {
      this.set(crtc, i, value);
    });
    mode.gc.forEach((value, i) => {
      this.set(0x3ce, i, value);
    });
    mode.attr.forEach((value, i) => {
      this.attr(i, value);
    });
    this.ports.write(0x3c6, 0xff, 1);
    for (let i = 0; i < 256; i++) this.color(i, ...paletteEntry(i));
  }

  vbe(index: number, value: number): void {
    this.ports.write(0x1ce, index, 2);
    this.ports.write(0x1d0, value, 2);
  }

  vbeRead(index: number): number {
    this.ports.write(0x1ce, index, 2);
    return this.ports.read(0x1cf, 2);
  }

  vbeMode(width: number, height: number, bpp: number, flags = 0x41): void {
    this.vbe(4, 0);
    this.vbe(1, width);
    this.vbe(2, height);
    this.vbe(3, bpp);
    this.vbe(4, flags);
    this.ports.read(0x3da, 1);
    this.ports.read(0x3ba, 1);
    this.ports.write(0x3c0, 0x20, 1);
  }

  /** Reads and writes guest memory between A0000h and BFFFFh. */
  poke(address: number, value: number, size: AccessSize = 1): void {
    writeRegion(this.vga.window, address - 0xa0000, value, size);
  }

  peek(address: number, size: AccessSize = 1): number {
    return readRegion(this.vga.window, address - 0xa0000, size);
  }
}

export function paletteEntry(i: number): [number, number, number] {
  return [i & 63, 63 - (i & 63), (i >> 1) & 63];
}

/** What DAC entry `i` looks like: 0xRRGGBB. */
export function dac(i: number): number {
  const [r, g, b] = paletteEntry(i).map((six) => (six << 2) | (six >> 4));
  return (r << 16) | (g << 8) | b;
}

/** The pixel at x, y as 0xRRGGBB. */
export function pixel({ width, data }: Surface, x: number, y: number): number {
  const at = (y * width + x) * 4;
  return (data[at] << 16) | (data[at + 1] << 8) | data[at + 2];
}

/** Compares every pixel with what `expected` says; the message names the first that differs. */
export function differs(surface: Surface, expected: (x: number, y: number) => number): string | undefined {
  for (let y = 0; y < surface.height; y++) {
    for (let x = 0; x < surface.width; x++) {
      const [is, want] = [pixel(surface, x, y), expected(x, y)];
      if (is !== want) return `pixel ${x},${y} is ${is.toString(16)}, not ${want.toString(16)}`;
    }
  }
  return undefined;
}
