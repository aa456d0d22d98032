/**
 * Starts a Linux bzImage, in two ways: with firmware, by putting the parts where our option ROM finds them (fw_cfg
 * items; real-mode entry), and without, by building the machine's state at the kernel's 64-bit or 32-bit entry
 * (Documentation/arch/x86/boot.rst, "64-bit Boot Protocol" and "32-bit Boot Protocol"; zero-page.rst).
 */

import type { CpuRegisters } from "../../../core/cpu-registers.ts";
import { QemuError } from "../../../core/errors.ts";
import { type FirmwareConfig, FW_CFG, littleEndian } from "../../../core/firmware-config.ts";
import { type E820Entry, encodeE820 } from "../e820.ts";
import {
  type BootState,
  CR0_ET,
  CR0_PE,
  CR0_PG,
  CR4_PAE,
  EFER_LMA,
  EFER_LME,
  FLAT_CODE32,
  FLAT_CODE64,
  FLAT_DATA,
  flatDescriptor,
  flatSegment,
  type MemoryWrite,
  RFLAGS_FIXED,
} from "./boot-state.ts";
import { HEADER_START, type LinuxImage, parseLinuxImage, videoMode } from "./linux-image.ts";

export interface LinuxBootOptions {
  /** The kernel's bytes, and its name for messages. */
  readonly kernel: Uint8Array;
  readonly file: string;
  readonly initrd?: Uint8Array;
  readonly commandLine: string;
  /** Where RAM below 4 GiB ends, less what others (ACPI tables) take from its top. */
  readonly ramEnd: number;
}

// Fields of boot_params and of the setup header in it.
const ACPI_RSDP_ADDR = 0x070;
const E820_ENTRIES = 0x1e8;
const VID_MODE = 0x1fa;
const TYPE_OF_LOADER = 0x210;
const LOADFLAGS = 0x211;
const CODE32_START = 0x214;
const RAMDISK_IMAGE = 0x218;
const RAMDISK_SIZE = 0x21c;
const HEAP_END_PTR = 0x224;
const CMD_LINE_PTR = 0x228;
const E820_TABLE = 0x2d0;
const E820_MAX = 128;
const BOOT_PARAMS_SIZE = 0x1000;

/** Loader id 0xf, version 0xf: none that is registered. */
const LOADER_UNDEFINED = 0xff;
const CAN_USE_HEAP = 0x80;
const ENTRY64_OFFSET = 0x200;

// Where things lie in low memory without firmware.
const GDT_ADDRESS = 0x7000;
const BOOT_PARAMS_ADDRESS = 0x1_0000;
const COMMAND_LINE_ADDRESS = 0x2_0000;
const PAGE_TABLES_ADDRESS = 0x7_0000;
const STACK_ADDRESS = 0x6_fff0;
const COMMAND_LINE_SPACE = 0x1_0000;

// Where the real-mode protocol wants them (firmware's data lies above 0x9a000).
const REAL_MODE_ADDRESS = 0x1_0000;
const REAL_MODE_END = 0x9_a000;
const SETUP_SEGMENT_SIZE = 0x1_0000;

/** What firmware takes from the top of RAM for its tables and its 32-bit data. */
const FIRMWARE_RESERVE = 0x4_0000;

const PAGE = 4096;
const BOOT_CS = 0x10;
const BOOT_DS = 0x18;

interface Placement {
  readonly image: LinuxImage;
  readonly commandLine: Uint8Array;
  readonly initrd: { readonly address: number; readonly data: Uint8Array } | undefined;
}

function tooLarge(what: string, file: string, hint: string): QemuError {
  return new QemuError("kernel-too-large", `not enough memory for ${what} '${file}'`, { context: { file }, hint });
}

/** Checks that everything fits, and places the initrd as high as kernel and RAM allow. */
function place(options: LinuxBootOptions): Placement {
  const { file, ramEnd } = options;
  const image = parseLinuxImage(options.kernel, file);
  const commandLine = new TextEncoder().encode(`${options.commandLine}\0`);
  if (commandLine.length - 1 > image.commandLineMax || commandLine.length > COMMAND_LINE_SPACE) {
    throw new QemuError(
      "kernel-command-line",
      `the kernel '${file}' takes at most ${image.commandLineMax} bytes of -append`,
    );
  }
  const kernelEnd = image.loadAddress + image.kernel.length;
  if (kernelEnd > ramEnd) throw tooLarge("kernel", file, "give the machine more memory with -m");
  const data = options.initrd;
  if (data === undefined || data.length === 0) return { image, commandLine, initrd: undefined };
  const end = Math.min(image.initrdMax + 1, ramEnd);
  const address = Math.floor((end - data.length) / PAGE) * PAGE;
  if (address < Math.max(kernelEnd, image.memoryEnd)) {
    throw tooLarge("the initrd of kernel", file, `it has ${data.length} bytes: give the machine more memory with -m`);
  }
  return { image, commandLine, initrd: { address, data } };
}

/** Fills the header fields that are the loader's. */
function fillHeader(
  header: Uint8Array,
  { image, initrd }: Placement,
  commandLine: string,
  commandLineAddress: number,
): DataView {
  const view = new DataView(header.buffer, header.byteOffset, header.byteLength);
  header[TYPE_OF_LOADER] = LOADER_UNDEFINED;
  view.setUint16(VID_MODE, videoMode(commandLine), true);
  view.setUint32(CODE32_START, image.loadAddress, true);
  view.setUint32(RAMDISK_IMAGE, initrd?.address ?? 0, true);
  view.setUint32(RAMDISK_SIZE, initrd?.data.length ?? 0, true);
  view.setUint32(CMD_LINE_PTR, commandLineAddress, true);
  return view;
}

/** Puts kernel, initrd and command line into the fw_cfg items that the linuxboot option ROM loads and starts. */
export function offerLinux(config: FirmwareConfig, options: LinuxBootOptions): void {
  const placement = place({ ...options, ramEnd: options.ramEnd - FIRMWARE_RESERVE });
  const { image, commandLine, initrd } = placement;
  if (image.setup.length > SETUP_SEGMENT_SIZE / 2) {
    throw new QemuError("kernel-invalid", `invalid kernel '${options.file}': its setup part is larger than 32 KiB`);
  }
  const commandLineAddress = (REAL_MODE_END - commandLine.length) & ~0xf;
  const setup = Uint8Array.from(image.setup);
  const view = fillHeader(setup, placement, options.commandLine, commandLineAddress);
  setup[LOADFLAGS] |= CAN_USE_HEAP;
  // The heap and the stack share the segment with the code; the offset counts from 0x200.
  const heapEnd = Math.min(commandLineAddress - REAL_MODE_ADDRESS, SETUP_SEGMENT_SIZE - 0x1000) - 0x200;
  view.setUint16(HEAP_END_PTR, heapEnd, true);
  const items: [number, Uint8Array][] = [
    [FW_CFG.KERNEL_ADDR, littleEndian(image.loadAddress, 4)],
    [FW_CFG.KERNEL_SIZE, littleEndian(image.kernel.length, 4)],
    [FW_CFG.KERNEL_DATA, image.kernel],
    [FW_CFG.INITRD_ADDR, littleEndian(initrd?.address ?? 0, 4)],
    [FW_CFG.INITRD_SIZE, littleEndian(initrd?.data.length ?? 0, 4)],
    [FW_CFG.CMDLINE_ADDR, littleEndian(commandLineAddress, 4)],
    [FW_CFG.CMDLINE_SIZE, littleEndian(commandLine.length, 4)],
    [FW_CFG.CMDLINE_DATA, commandLine],
    [FW_CFG.SETUP_ADDR, littleEndian(REAL_MODE_ADDRESS, 4)],
    [FW_CFG.SETUP_SIZE, littleEndian(setup.length, 4)],
    [FW_CFG.SETUP_DATA, setup],
  ];
  for (const [key, data] of items) config.addBytes(key, data);
  if (initrd) config.addBytes(FW_CFG.INITRD_DATA, initrd.data);
}

/** Identity-mapping page tables for the first 4 GiB in 2 MiB pages: a PML4, a PDPT and four page directories. */
function pageTables(): MemoryWrite {
  const data = new Uint8Array(6 * PAGE);
  const view = new DataView(data.buffer);
  const TABLE = 0b0000_0011; // present, writable
  const LARGE_PAGE = 0b1000_0011;
  view.setUint32(0, (PAGE_TABLES_ADDRESS + PAGE) | TABLE, true);
  for (let gib = 0; gib < 4; gib++) {
    view.setUint32(PAGE + gib * 8, (PAGE_TABLES_ADDRESS + (2 + gib) * PAGE) | TABLE, true);
    for (let i = 0; i < 512; i++) {
      view.setUint32((2 + gib) * PAGE + i * 8, (gib * 2 ** 30 + i * 2 ** 21 + LARGE_PAGE) >>> 0, true);
    }
  }
  return { address: PAGE_TABLES_ADDRESS, data };
}

/** The zero page. */
function bootParams(placement: Placement, options: LinuxDirectOptions): Uint8Array {
  const { image } = placement;
  const params = new Uint8Array(BOOT_PARAMS_SIZE);
  params.set(image.setup.subarray(HEADER_START, image.headerEnd), HEADER_START);
  const view = fillHeader(params, placement, options.commandLine, COMMAND_LINE_ADDRESS);
  if (options.rsdp !== undefined) view.setBigUint64(ACPI_RSDP_ADDR, BigInt(options.rsdp), true);
  const entries = options.e820.slice(0, E820_MAX);
  params[E820_ENTRIES] = entries.length;
  params.set(encodeE820(entries), E820_TABLE);
  return params;
}

export interface LinuxDirectOptions extends LinuxBootOptions {
  readonly e820: readonly E820Entry[];
  /** Where the ACPI root pointer lies. */
  readonly rsdp?: number;
}

/** The state at the kernel's own entry: 64-bit where it has one, else 32-bit. */
export function bootLinuxDirectly(options: LinuxDirectOptions): BootState {
  const placement = place(options);
  const { image, commandLine, initrd } = placement;
  if (image.memoryEnd > options.ramEnd) {
    const needed = Math.ceil(image.memoryEnd / 2 ** 20);
    throw tooLarge("kernel", options.file, `it needs ${needed} MiB to unpack itself: give the machine more with -m`);
  }
  const code = image.entry64 ? FLAT_CODE64 : FLAT_CODE32;
  const gdt = new Uint8Array(32);
  gdt.set(flatDescriptor(code), BOOT_CS);
  gdt.set(flatDescriptor(FLAT_DATA), BOOT_DS);
  const memory: MemoryWrite[] = [
    { address: GDT_ADDRESS, data: gdt },
    { address: BOOT_PARAMS_ADDRESS, data: bootParams(placement, options) },
    { address: COMMAND_LINE_ADDRESS, data: commandLine },
    { address: image.loadAddress, data: image.kernel },
  ];
  if (initrd) memory.push(initrd);
  if (image.entry64) memory.push(pageTables());
  return { memory, registers: entryRegisters(image, gdt.length) };
}

function entryRegisters({ entry64, loadAddress }: LinuxImage, gdtSize: number): CpuRegisters {
  const data = flatSegment(BOOT_DS, FLAT_DATA);
  return {
    cs: flatSegment(BOOT_CS, entry64 ? FLAT_CODE64 : FLAT_CODE32),
    ds: data,
    es: data,
    fs: data,
    gs: data,
    ss: data,
    gdt: { base: GDT_ADDRESS, limit: gdtSize - 1 },
    idt: { base: 0, limit: 0 },
    cr0: entry64 ? CR0_PG + CR0_ET + CR0_PE : CR0_ET + CR0_PE,
    cr3: entry64 ? PAGE_TABLES_ADDRESS : 0,
    cr4: entry64 ? CR4_PAE : 0,
    efer: entry64 ? EFER_LME | EFER_LMA : 0,
    rflags: RFLAGS_FIXED,
    rip: loadAddress + (entry64 ? ENTRY64_OFFSET : 0),
    rax: 0,
    rbx: 0,
    rcx: 0,
    rdx: 0,
    rsi: BOOT_PARAMS_ADDRESS,
    rdi: 0,
    rbp: 0,
    rsp: STACK_ADDRESS,
  };
}
