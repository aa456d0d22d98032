/**
 * "VGA": the standard VGA with the Bochs display interface on PCI (1234:1111). The frame buffer is base address register
 * 0, memory-mapped copies of the registers are base address register 2, the legacy ports and the window at A0000h are
 * always decoded.
 *
 * Invariant: nothing is drawn unless `render` is called; video memory and registers are all there is.
 */

import type { AccessSize, IoRegion } from "../../../core/bus/io.ts";
import { type MemoryBlock, PciDevice, QEMU_SUBSYSTEM } from "../../../core/bus/pci.ts";
import type { Clock } from "../../../core/clock.ts";
import type { Device } from "../../../core/device.ts";
import type { DisplaySource, Surface } from "../../../core/display/surface.ts";
import { QemuError } from "../../../core/errors.ts";
import type { DirtyLog } from "../../../core/memory/dirty-log.ts";
import type { StateArena } from "../../../core/state/state.ts";
import { makeEdid } from "./edid.ts";
import { VgaMemory } from "./memory.ts";
import { VgaPorts } from "./ports.ts";
import { isGraphics } from "./render.ts";
import { Screen } from "./screen.ts";
import { VGA_STATE, type VgaState } from "./state.ts";
import { textRows } from "./text.ts";
import { Vbe } from "./vbe.ts";

export interface VgaOptions {
  readonly name: string;
  readonly arena: StateArena;
  readonly clock: Clock;
  /** Video memory: a power of two, at least 256 KiB. */
  readonly vram: MemoryBlock;
  /** The writes to video memory; without them each picture is drawn whole. */
  readonly log?: DirtyLog;
  /** The VGA BIOS: a power of two. */
  readonly rom?: MemoryBlock;
  /** The monitor's preferred resolution, in its EDID; absent means no monitor answers. */
  readonly preferred?: { readonly width: number; readonly height: number };
}

export const VGA_WINDOW_BASE = 0xa0000;

const MMIO_SIZE = 4096;
const MMIO_PORTS = 0x400;
const MMIO_VBE = 0x500;
const MMIO_EXTENDED = 0x600;
const EXTENDED_SIZE = 8;
const EXTENDED_ENDIAN = 4;
const LITTLE = 0x1e1e;
const BIG = 0xbebe;

export class Vga extends PciDevice implements Device, DisplaySource {
  /** The legacy ports: where each region belongs. */
  readonly ports: readonly { readonly base: number; readonly region: IoRegion }[];
  /** 128 KiB at A0000h. */
  readonly window: IoRegion;
  readonly #state: VgaState;
  readonly #clock: Clock;
  readonly #log: DirtyLog | undefined;
  readonly #screen: Screen;
  readonly #memory: VgaMemory;
  readonly #ports: VgaPorts;
  readonly #vbe: Vbe;
  readonly #edid: Uint8Array;

  constructor(options: VgaOptions) {
    super(options, { vendorId: 0x1234, deviceId: 0x1111, revision: 2, classCode: 0x0300, ...QEMU_SUBSYSTEM });
    const { vram, log, rom, preferred } = options;
    if (vram.size < 0x40000 || (vram.size & (vram.size - 1)) !== 0) {
      throw new QemuError("vga-memory", `${options.name}: video memory of ${vram.size} bytes is not a power of two`);
    }
    this.#clock = options.clock;
    this.#edid = preferred ? makeEdid(preferred.width, preferred.height) : new Uint8Array(0);
    this.#state = options.arena.attach(options.name, VGA_STATE);
    this.#log = log;
    this.#memory = new VgaMemory(this.#state, vram, log);
    this.#vbe = new Vbe(this.#state, vram.bytes, log);
    this.#screen = new Screen(this.#state, this.#memory, this.#vbe, log);
    this.#ports = new VgaPorts(
      this.#state,
      options.clock,
      () => this.#memory.configure(),
      () => this.#vbe.wideDac,
    );
    this.window = this.#memory.window;
    this.ports = [
      { base: 0x3b0, region: this.#portRegion(0x3b0, 12) },
      { base: 0x3c0, region: this.#portRegion(0x3c0, 32) },
      { base: 0x1ce, region: this.#vbeRegion() },
    ];
    this.registerBar(0, { kind: "mem", size: vram.size, prefetchable: true, target: { ram: vram } });
    this.registerBar(2, { kind: "mem", size: MMIO_SIZE, target: { region: this.#mmioRegion() } });
    if (rom) this.registerBar(6, { kind: "mem", size: rom.size, target: { ram: rom } });
    this.#resetRegisters();
  }

  reset(): void {
    this.resetConfig();
    this.#resetRegisters();
  }

  loaded(): void {
    this.updateMappings();
    this.#memory.configure();
    this.#log?.markAll();
  }

  render(): Surface {
    return this.#screen.draw(this.#clock.now());
  }

  text(): string[] | undefined {
    return this.#vbe.enabled || isGraphics(this.#state) ? undefined : textRows(this.#state, this.#memory.words);
  }

  #resetRegisters(): void {
    this.#ports.reset();
    this.#vbe.reset();
    this.#memory.configure();
  }

  #portRegion(base: number, length: number): IoRegion {
    return {
      name: "vga",
      length,
      max: 1,
      coalesced: true,
      handler: {
        read: (offset) => this.#ports.read(base + offset),
        write: (offset, value) => this.#ports.write(base + offset, value),
      },
    };
  }

  /** Index at 1CEh, data at 1CFh and at 1D0h. */
  #vbeRegion(): IoRegion {
    return {
      name: "vbe",
      length: 4,
      max: 2,
      handler: {
        read: (offset) =>
          offset === 0 ? this.#state.vbeIndex : offset < 3 ? this.#vbe.read(this.#state.vbeIndex) : 0xff,
        write: (offset, value) => {
          if (offset === 0) this.#state.vbeIndex = value;
          else if (offset < 3) this.#writeVbe(this.#state.vbeIndex, value);
        },
      },
    };
  }

  #writeVbe(index: number, value: number): void {
    this.#vbe.write(index, value);
    this.#memory.configure();
  }

  /** Base address register 2: EDID, the ports from 3C0h on, the Bochs registers, and the frame buffer's byte order. */
  #mmioRegion(): IoRegion {
    return {
      name: "vga.mmio",
      length: MMIO_SIZE,
      max: 2,
      handler: {
        read: (offset, size) => this.#readMmio(offset, size),
        write: (o, v, size) => this.#writeMmio(o, v, size),
      },
    };
  }

  #readMmio(offset: number, size: AccessSize): number {
    if (size === 2 && (offset & 1 || offset < MMIO_VBE)) {
      return this.#readMmio(offset, 1) | (this.#readMmio(offset + 1, 1) << 8);
    }
    if (offset < MMIO_PORTS) return this.#edid[offset] ?? 0;
    if (offset < MMIO_PORTS + 0x20) return this.#ports.read(0x3c0 + offset - MMIO_PORTS);
    if (offset < MMIO_VBE) return 0;
    const word = this.#readMmioWord(offset & ~1);
    return size === 2 ? word : (word >> ((offset & 1) * 8)) & 0xff;
  }

  #readMmioWord(offset: number): number {
    if (offset < MMIO_EXTENDED) return this.#vbe.read((offset - MMIO_VBE) >> 1);
    switch (offset - MMIO_EXTENDED) {
      case 0:
        return EXTENDED_SIZE;
      case EXTENDED_ENDIAN:
      case EXTENDED_ENDIAN + 2:
        return this.#state.bigEndian ? BIG : LITTLE;
      default:
        return 0;
    }
  }

  #writeMmio(offset: number, value: number, size: AccessSize): void {
    if (offset >= MMIO_PORTS && offset < MMIO_PORTS + 0x20) {
      this.#ports.write(0x3c0 + offset - MMIO_PORTS, value & 0xff);
      if (size === 2) this.#writeMmio(offset + 1, value >>> 8, 1);
    } else if (size === 2 && (offset & 1) === 0) {
      if (offset >= MMIO_VBE && offset < MMIO_EXTENDED) this.#writeVbe((offset - MMIO_VBE) >> 1, value);
      else if (offset === MMIO_EXTENDED + EXTENDED_ENDIAN && (value === BIG || value === LITTLE)) {
        this.#state.bigEndian = value === BIG;
      }
    }
  }
}
