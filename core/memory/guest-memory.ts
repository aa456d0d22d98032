/**
 * The one shared WebAssembly.Memory of a machine. Everything the guest can see lives in it: accelerator state, device
 * state, video RAM, main RAM. Sections are handed out once, in the same order in every thread, and never freed.
 *
 *     0 .. 1 MiB     static data of wasm modules
 *     ...            sections reserved by name (state arena, CPU, TLBs, code)
 *     ...            guest RAM blocks, page aligned
 */

import type { MemoryBlock } from "../bus/pci.ts";
import { QemuError } from "../errors.ts";

export const PAGE_SIZE = 4096;
const WASM_PAGE = 65536;
/** Bytes at the start that belong to the static data of wasm modules. */
export const STATIC_DATA_SIZE = 0x10_0000;
const MAX_WASM_PAGES = 65536;

export interface MemoryPlan {
  /** Bytes for reserved sections (state, CPU, code, video RAM). */
  readonly reserved: number;
  /** Bytes of guest RAM. */
  readonly ram: number;
}

export class GuestMemory {
  readonly memory: WebAssembly.Memory;
  readonly buffer: SharedArrayBuffer;
  readonly u8: Uint8Array;
  readonly view: DataView;
  #at = STATIC_DATA_SIZE;
  readonly #sections = new Map<string, { address: number; size: number }>();

  private constructor(memory: WebAssembly.Memory) {
    this.memory = memory;
    this.buffer = memory.buffer as SharedArrayBuffer;
    this.u8 = new Uint8Array(this.buffer);
    this.view = new DataView(this.buffer);
  }

  /** Makes the memory. At most 4 GiB in all: wasm addresses are 32-bit. */
  static create(plan: MemoryPlan): GuestMemory {
    const pages = Math.ceil((STATIC_DATA_SIZE + plan.reserved + plan.ram + WASM_PAGE) / WASM_PAGE);
    if (pages > MAX_WASM_PAGES) {
      throw new QemuError(
        "memory-too-large",
        `cannot set up guest memory: ${plan.ram / 2 ** 20} MiB is more than this build supports`,
        {
          hint: "use -m with at most 3584 MiB",
        },
      );
    }
    try {
      return new GuestMemory(new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true }));
    } catch (cause) {
      throw new QemuError("memory-unavailable", `cannot set up guest memory: ${plan.ram / 2 ** 20} MiB not available`, {
        cause,
      });
    }
  }

  /** The same memory in another thread; sections are then reserved again in the same order. */
  static attach(memory: WebAssembly.Memory): GuestMemory {
    return new GuestMemory(memory);
  }

  /** Reserves a section and returns its address. `align` is a power of two. */
  reserve(name: string, size: number, align = 64): number {
    const address = Math.ceil(this.#at / align) * align;
    if (this.#sections.has(name)) throw new QemuError("memory-section", `memory section '${name}' reserved twice`);
    if (address + size > this.buffer.byteLength) {
      throw new QemuError("memory-section", `no room for memory section '${name}' (${size} bytes)`);
    }
    this.#at = address + size;
    this.#sections.set(name, { address, size });
    return address;
  }

  /** Reserves guest-visible memory (RAM, video RAM, ROM): page aligned, a multiple of the page size. */
  allocateBlock(name: string, size: number, readOnly = false): GuestBlock {
    const rounded = Math.ceil(size / PAGE_SIZE) * PAGE_SIZE;
    const address = this.reserve(name, rounded, PAGE_SIZE);
    return { name, size: rounded, readOnly, address, bytes: this.u8.subarray(address, address + rounded) };
  }

  sections(): ReadonlyMap<string, { address: number; size: number }> {
    return this.#sections;
  }
}

/** A block of guest-visible memory and its address in the shared memory. */
export interface GuestBlock extends MemoryBlock {
  readonly address: number;
}
