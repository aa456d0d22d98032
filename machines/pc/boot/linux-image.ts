/**
 * The header of a Linux bzImage (Documentation/arch/x86/boot.rst): what kind of kernel it is and what it asks of its
 * loader. Everything in the file is checked before use.
 */

import { QemuError } from "../../../core/errors.ts";

export interface LinuxImage {
  /** 0x020f for 2.15. */
  readonly version: number;
  /** The real-mode part, header included. */
  readonly setup: Uint8Array;
  /** The protected-mode part. */
  readonly kernel: Uint8Array;
  /** Where the header ends in `setup`. */
  readonly headerEnd: number;
  /** Where the kernel is loaded and entered in 32-bit mode. */
  readonly loadAddress: number;
  readonly relocatable: boolean;
  /** Whether it can be entered in 64-bit mode, 0x200 bytes into the kernel. */
  readonly entry64: boolean;
  /** The highest address an initrd's last byte may have. */
  readonly initrdMax: number;
  /** Bytes of command line it takes, without the terminating zero. */
  readonly commandLineMax: number;
  /** The first address after what the kernel needs to unpack itself, counted from where it prefers to run; 0: unknown. */
  readonly memoryEnd: number;
}

const SECTOR = 512;
export const HEADER_START = 0x1f1;
const SETUP_SECTS = 0x1f1;
const HEADER_JUMP = 0x201;
const HEADER_MAGIC = 0x202;
const VERSION = 0x206;
const LOADFLAGS = 0x211;
const CODE32_START = 0x214;
const INITRD_ADDR_MAX = 0x22c;
const RELOCATABLE = 0x234;
const XLOADFLAGS = 0x236;
const CMDLINE_SIZE = 0x238;
const PREF_ADDRESS = 0x258;
const INIT_SIZE = 0x260;
/** The fixed part of a header as 2.02 has it. */
const HEADER_MIN_END = 0x22c;

const LOADED_HIGH = 1 << 0;
const XLF_KERNEL_64 = 1 << 0;
const DEFAULT_SETUP_SECTS = 4;
const DEFAULT_INITRD_MAX = 0x37ff_ffff;
const DEFAULT_COMMAND_LINE_MAX = 255;
const HIGH_ADDRESS = 0x10_0000;

/** Whether the file carries the "HdrS" signature. */
export function isLinuxImage(image: Uint8Array): boolean {
  return String.fromCharCode(...image.subarray(HEADER_MAGIC, HEADER_MAGIC + 4)) === "HdrS";
}

function bad(file: string, reason: string): QemuError {
  return new QemuError("kernel-invalid", `invalid kernel '${file}': ${reason}`, { context: { file } });
}

/** Reads a bzImage. `file` is for messages. */
export function parseLinuxImage(image: Uint8Array, file: string): LinuxImage {
  if (!isLinuxImage(image)) throw bad(file, "it has no Linux boot header");
  const headerEnd = HEADER_MAGIC + image[HEADER_JUMP];
  const setupSize = ((image[SETUP_SECTS] || DEFAULT_SETUP_SECTS) + 1) * SECTOR;
  if (headerEnd < HEADER_MIN_END || setupSize < headerEnd) throw bad(file, "its boot header is cut short");
  if (image.length <= setupSize) throw bad(file, `its setup part has ${setupSize} bytes, the file ${image.length}`);
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  const version = view.getUint16(VERSION, true);
  if (version < 0x202) throw bad(file, `boot protocol 0x${version.toString(16)} is older than 2.02`);
  if ((image[LOADFLAGS] & LOADED_HIGH) === 0)
    throw bad(file, "zImage kernels, which load below 640 KiB, are not supported");
  const has = (since: number, offset: number, size: number): boolean => version >= since && offset + size <= headerEnd;
  const xloadflags = has(0x20c, XLOADFLAGS, 2) ? view.getUint16(XLOADFLAGS, true) : 0;
  const preferred = has(0x20a, PREF_ADDRESS, 8) ? Number(view.getBigUint64(PREF_ADDRESS, true)) : 0;
  const initSize = has(0x20a, INIT_SIZE, 4) ? view.getUint32(INIT_SIZE, true) : 0;
  const code32 = view.getUint32(CODE32_START, true);
  if (code32 !== 0 && code32 < HIGH_ADDRESS) throw bad(file, `its entry 0x${code32.toString(16)} lies below 1 MiB`);
  return {
    version,
    setup: image.subarray(0, setupSize),
    kernel: image.subarray(setupSize),
    headerEnd,
    loadAddress: code32 || HIGH_ADDRESS,
    relocatable: has(0x205, RELOCATABLE, 1) && image[RELOCATABLE] !== 0,
    entry64: (xloadflags & XLF_KERNEL_64) !== 0,
    initrdMax: has(0x203, INITRD_ADDR_MAX, 4) ? view.getUint32(INITRD_ADDR_MAX, true) : DEFAULT_INITRD_MAX,
    commandLineMax: has(0x206, CMDLINE_SIZE, 4) ? view.getUint32(CMDLINE_SIZE, true) : DEFAULT_COMMAND_LINE_MAX,
    memoryEnd: initSize === 0 ? 0 : Math.max(preferred, code32) + initSize,
  };
}

/** The value of `vga=` in a command line as the header's vid_mode has it. */
export function videoMode(commandLine: string): number {
  const value = /(?:^|\s)vga=(\S+)/.exec(commandLine)?.[1];
  const named = { normal: 0xffff, ext: 0xfffe, ask: 0xfffd } as const;
  if (value === undefined) return named.normal;
  if (Object.hasOwn(named, value)) return named[value as keyof typeof named];
  return Number.isNaN(Number(value)) ? named.normal : Number(value) & 0xffff;
}
