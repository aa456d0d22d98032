/**
 * Starts Multiboot 1 kernels (Multiboot specification 0.6.96): ELF32, or any file whose header says where it goes
 * (the "a.out kludge"); with modules, command line, memory map and boot loader name. With firmware through fw_cfg and
 * our option ROM, or without by building the state that section 3.2 describes.
 *
 * DEVIATION: a kernel that asks for a video mode (flag 2) is started in the mode the machine is in, without video
 * information, as QEMU starts it.
 *
 * Everything in the file is checked: nothing is placed outside RAM, over the loader's own data or over the BIOS.
 */

import { QemuError } from "../../../core/errors.ts";
import { type FirmwareConfig, FW_CFG, littleEndian } from "../../../core/firmware-config.ts";
import { E820_RAM, type E820Entry } from "../e820.ts";
import {
  type BootState,
  CR0_ET,
  CR0_PE,
  FLAT_CODE32,
  FLAT_DATA,
  flatDescriptor,
  flatSegment,
  type MemoryWrite,
  RFLAGS_FIXED,
} from "./boot-state.ts";
import { MULTIBOOT_INFO_ADDRESS, MULTIBOOT_INFO_END } from "./option-rom.ts";

export interface MultibootModule {
  /** The file's name and its arguments, as the kernel sees them. */
  readonly commandLine: string;
  readonly data: Uint8Array;
}

export interface MultibootOptions {
  readonly kernel: Uint8Array;
  /** The kernel's name, for messages and as the first word of its command line. */
  readonly file: string;
  readonly commandLine: string;
  readonly modules: readonly MultibootModule[];
  /** Where usable RAM below 4 GiB ends. */
  readonly ramEnd: number;
}

interface Header {
  /** Offset in the file. */
  readonly offset: number;
  readonly flags: number;
}

interface Segment {
  readonly address: number;
  readonly data: Uint8Array;
  /** Bytes it occupies, zeros after `data` included. */
  readonly size: number;
}

interface Plan {
  readonly segments: readonly Segment[];
  readonly entry: number;
  readonly modules: readonly { readonly start: number; readonly end: number; readonly module: MultibootModule }[];
}

const SEARCH_SIZE = 8192;
const HEADER_MAGIC = 0x1bad_b002;
const LOADER_MAGIC = 0x2bad_b002;
const FLAG_PAGE_ALIGN = 1 << 0;
const FLAG_MEMORY = 1 << 1;
const FLAG_VIDEO = 1 << 2;
const FLAG_ADDRESSES = 1 << 16;
const MUST_UNDERSTAND = 0xffff;

const INFO_SIZE = 116;
const INFO_MEMORY = 1 << 0;
const INFO_BOOT_DEVICE = 1 << 1;
const INFO_COMMAND_LINE = 1 << 2;
const INFO_MODULES = 1 << 3;
const INFO_MMAP = 1 << 6;
const INFO_LOADER_NAME = 1 << 9;
/** The first disk, no partition. */
const BOOT_DEVICE = 0x8000_ffff;
const LOADER_NAME = "qemu-next";

const PAGE = 4096;
/** Below lie the loader's stack and data. */
const LOW_START = 0x1_0000;
/** Extended BIOS data area, video memory and ROMs. */
const HOLE_START = 0x9_f000;
const HOLE_END = 0x10_0000;
/** What firmware takes from the top of RAM for its tables and its 32-bit data. */
const FIRMWARE_RESERVE = 0x4_0000;
const SPAN_MAX = 2 ** 29;
const MMAP_ENTRY_SIZE = 24;
const MMAP_ENTRIES = 64;
const GDT_ADDRESS = 0x7000;
const STACK_ADDRESS = 0x7c00;

const PT_LOAD = 1;
const PROGRAM_HEADER_SIZE = 32;

function bad(file: string, reason: string): QemuError {
  return new QemuError("kernel-invalid", `invalid multiboot kernel '${file}': ${reason}`, { context: { file } });
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The Multiboot header, within the first 8192 bytes, aligned to 4. */
function findHeader(image: Uint8Array): Header | undefined {
  const view = viewOf(image);
  for (let offset = 0; offset + 12 <= Math.min(image.length, SEARCH_SIZE); offset += 4) {
    if (view.getUint32(offset, true) !== HEADER_MAGIC) continue;
    const flags = view.getUint32(offset + 4, true);
    if (((HEADER_MAGIC + flags + view.getUint32(offset + 8, true)) & 0xffff_ffff) === 0) return { offset, flags };
  }
  return undefined;
}

export function isMultibootImage(image: Uint8Array): boolean {
  return findHeader(image) !== undefined;
}

/**
 * Splits the value of -initrd: "file args,file2 args", where ",," stands for a comma. Returns each file's path and the
 * whole text, which becomes the module's command line.
 */
export function splitModules(value: string): { path: string; commandLine: string }[] {
  return value
    .replaceAll(",,", "\0")
    .split(",")
    .map((part) => part.replaceAll("\0", ",").trim())
    .filter((part) => part !== "")
    .map((commandLine) => ({ path: commandLine.split(" ")[0], commandLine }));
}

/** The segment that the addresses in the header describe (section 3.1.3). */
function loadByHeader(image: Uint8Array, header: Header, file: string): { segments: Segment[]; entry: number } {
  if (header.offset + 32 > image.length) throw bad(file, "its header is cut short");
  const view = viewOf(image);
  const [headerAddress, load, loadEnd, bssEnd, entry] = [12, 16, 20, 24, 28].map((at) =>
    view.getUint32(header.offset + at, true),
  );
  const start = header.offset - (headerAddress - load);
  if (headerAddress < load || start < 0) throw bad(file, "load address and header address do not fit together");
  const size = loadEnd === 0 ? image.length - start : loadEnd - load;
  if (size <= 0 || start + size > image.length) throw bad(file, "its load end address lies outside the file");
  const end = Math.max(bssEnd, load + size);
  return { segments: [{ address: load, data: image.subarray(start, start + size), size: end - load }], entry };
}

/** The loadable segments of an ELF32 file, at their physical addresses. */
function loadElf(image: Uint8Array, file: string): { segments: Segment[]; entry: number } {
  if (String.fromCharCode(...image.subarray(0, 4)) !== "\x7fELF")
    throw bad(file, "it is no ELF file and names no addresses");
  const ELFCLASS64 = 2;
  if (image[4] === ELFCLASS64) {
    throw new QemuError("kernel-invalid", "Cannot load x86-64 image, give a 32bit one.", { context: { file } });
  }
  const view = viewOf(image);
  if (image.length < 52) throw bad(file, "its ELF header is cut short");
  const [entry, table] = [view.getUint32(24, true), view.getUint32(28, true)];
  const [entrySize, count] = [view.getUint16(42, true), view.getUint16(44, true)];
  if (entrySize < PROGRAM_HEADER_SIZE || table + entrySize * count > image.length) {
    throw bad(file, "its program headers lie outside the file");
  }
  const segments: Segment[] = [];
  for (let at = table; at < table + entrySize * count; at += entrySize) {
    const [type, offset, , address, fileSize, size] = [0, 4, 8, 12, 16, 20].map((field) =>
      view.getUint32(at + field, true),
    );
    if (type !== PT_LOAD || size === 0) continue;
    if (offset + fileSize > image.length || fileSize > size) throw bad(file, "a segment lies outside the file");
    segments.push({ address, data: image.subarray(offset, offset + fileSize), size });
  }
  if (segments.length === 0) throw bad(file, "it has no segment to load");
  return { segments, entry };
}

function checkPlace({ address, size }: Segment, file: string, ramEnd: number): void {
  const end = address + size;
  if (end > ramEnd) {
    throw new QemuError("kernel-too-large", `not enough memory for kernel '${file}'`, {
      context: { file },
      hint: "give the machine more memory with -m",
    });
  }
  if (address < LOW_START || (address < HOLE_END && end > HOLE_START)) {
    throw bad(file, `it wants to be loaded at 0x${address.toString(16)}, where firmware has its data`);
  }
}

function plan(options: MultibootOptions): Plan {
  const { kernel, file, ramEnd } = options;
  const header = findHeader(kernel);
  if (header === undefined) throw bad(file, "it has no multiboot header in its first 8192 bytes");
  const unknown = header.flags & MUST_UNDERSTAND & ~(FLAG_PAGE_ALIGN | FLAG_MEMORY | FLAG_VIDEO);
  if (unknown !== 0) throw bad(file, `its header has unknown required flags 0x${unknown.toString(16)}`);
  const { segments, entry } =
    header.flags & FLAG_ADDRESSES ? loadByHeader(kernel, header, file) : loadElf(kernel, file);
  for (const segment of segments) checkPlace(segment, file, ramEnd);
  let at = Math.max(HOLE_END, ...segments.map(({ address, size }) => address + size));
  const modules = options.modules.map((module) => {
    const start = Math.ceil(at / PAGE) * PAGE;
    at = start + module.data.length;
    checkPlace({ address: start, data: module.data, size: module.data.length }, module.commandLine, ramEnd);
    return { start, end: at, module };
  });
  return { segments, entry, modules };
}

/** The information structure (section 3.3) with what it points at, for `MULTIBOOT_INFO_ADDRESS`; the map comes after it. */
function buildInfo(options: MultibootOptions, { modules }: Plan, memoryUpperKib: number): Uint8Array {
  const strings: number[] = [];
  const stringsAt = INFO_SIZE + modules.length * 16;
  const addString = (text: string): number => {
    const address = MULTIBOOT_INFO_ADDRESS + stringsAt + strings.length;
    for (const byte of new TextEncoder().encode(`${text}\0`)) strings.push(byte);
    return address;
  };
  const commandLine = addString(options.commandLine === "" ? options.file : `${options.file} ${options.commandLine}`);
  const loaderName = addString(LOADER_NAME);
  const moduleLines = modules.map(({ module }) => addString(module.commandLine));
  const size = Math.ceil((stringsAt + strings.length) / 4) * 4;
  if (MULTIBOOT_INFO_ADDRESS + size + MMAP_ENTRIES * MMAP_ENTRY_SIZE > MULTIBOOT_INFO_END) {
    throw new QemuError(
      "kernel-command-line",
      "the command lines of the multiboot kernel and its modules are too long",
    );
  }
  const info = new Uint8Array(size);
  const view = viewOf(info);
  const flags = INFO_MEMORY | INFO_BOOT_DEVICE | INFO_COMMAND_LINE | INFO_MODULES | INFO_MMAP | INFO_LOADER_NAME;
  view.setUint32(0, flags, true);
  view.setUint32(4, 639, true);
  view.setUint32(8, memoryUpperKib, true);
  view.setUint32(12, BOOT_DEVICE, true);
  view.setUint32(16, commandLine, true);
  view.setUint32(20, modules.length, true);
  view.setUint32(24, MULTIBOOT_INFO_ADDRESS + INFO_SIZE, true);
  view.setUint32(48, MULTIBOOT_INFO_ADDRESS + size, true);
  view.setUint32(64, loaderName, true);
  modules.forEach(({ start, end }, i) => {
    [start, end, moduleLines[i]].forEach((value, field) => {
      view.setUint32(INFO_SIZE + i * 16 + field * 4, value, true);
    });
  });
  info.set(strings, stringsAt);
  return info;
}

/** Puts kernel, modules and information where the multiboot option ROM finds them. */
export function offerMultiboot(config: FirmwareConfig, options: MultibootOptions): void {
  const planned = plan({ ...options, ramEnd: options.ramEnd - FIRMWARE_RESERVE });
  const pieces = [
    ...planned.segments,
    ...planned.modules.map(({ start, module }) => ({ address: start, data: module.data, size: module.data.length })),
  ];
  const base = Math.min(...pieces.map(({ address }) => address));
  const span = Math.max(...pieces.map(({ address, size }) => address + size)) - base;
  if (base < HOLE_END && base + span > HOLE_START) throw bad(options.file, "it lies both below and above the BIOS");
  if (span > SPAN_MAX) throw bad(options.file, `it spreads over ${span} bytes of memory`);
  const blob = new Uint8Array(span);
  for (const { address, data } of pieces) blob.set(data, address - base);
  const info = buildInfo(options, planned, 0);
  const items: [number, Uint8Array][] = [
    [FW_CFG.KERNEL_ENTRY, littleEndian(planned.entry, 4)],
    [FW_CFG.KERNEL_ADDR, littleEndian(base, 4)],
    [FW_CFG.KERNEL_SIZE, littleEndian(span, 4)],
    [FW_CFG.KERNEL_DATA, blob],
    [FW_CFG.INITRD_ADDR, littleEndian(MULTIBOOT_INFO_ADDRESS, 4)],
    [FW_CFG.INITRD_SIZE, littleEndian(info.length, 4)],
    [FW_CFG.INITRD_DATA, info],
  ];
  for (const [key, data] of items) config.addBytes(key, data);
}

function memoryMap(e820: readonly E820Entry[]): Uint8Array {
  const entries = e820.slice(0, MMAP_ENTRIES);
  const bytes = new Uint8Array(entries.length * MMAP_ENTRY_SIZE);
  const view = viewOf(bytes);
  entries.forEach(({ base, size, type }, i) => {
    const at = i * MMAP_ENTRY_SIZE;
    view.setUint32(at, MMAP_ENTRY_SIZE - 4, true);
    view.setBigUint64(at + 4, BigInt(base), true);
    view.setBigUint64(at + 12, BigInt(size), true);
    view.setUint32(at + 20, type, true);
  });
  return bytes;
}

/** The machine's state at the kernel's entry. */
export function bootMultibootDirectly(options: MultibootOptions & { readonly e820: readonly E820Entry[] }): BootState {
  const planned = plan(options);
  const upper = options.e820.find(({ base, type }) => base === HOLE_END && type === E820_RAM);
  const info = buildInfo(options, planned, Math.floor((upper?.size ?? 0) / 1024));
  const map = memoryMap(options.e820);
  viewOf(info).setUint32(44, map.length, true);
  const gdt = new Uint8Array(24);
  gdt.set(flatDescriptor(FLAT_CODE32), 0x08);
  gdt.set(flatDescriptor(FLAT_DATA), 0x10);
  const memory: MemoryWrite[] = [
    { address: GDT_ADDRESS, data: gdt },
    { address: MULTIBOOT_INFO_ADDRESS, data: info },
    { address: MULTIBOOT_INFO_ADDRESS + info.length, data: map },
    ...planned.segments.map(({ address, data }) => ({ address, data })),
    ...planned.modules.map(({ start, module }) => ({ address: start, data: module.data })),
  ];
  const data = flatSegment(0x10, FLAT_DATA);
  return {
    memory,
    registers: {
      cs: flatSegment(0x08, FLAT_CODE32),
      ds: data,
      es: data,
      fs: data,
      gs: data,
      ss: data,
      gdt: { base: GDT_ADDRESS, limit: gdt.length - 1 },
      idt: { base: 0, limit: 0 },
      cr0: CR0_ET + CR0_PE,
      cr3: 0,
      cr4: 0,
      efer: 0,
      rflags: RFLAGS_FIXED,
      rip: planned.entry,
      rax: LOADER_MAGIC,
      rbx: MULTIBOOT_INFO_ADDRESS,
      rcx: 0,
      rdx: 0,
      rsi: 0,
      rdi: 0,
      rbp: 0,
      rsp: STACK_ADDRESS,
    },
  };
}
