/** A machine as the command line describes it: plain data, so that it can be handed to every thread. */

import type { Properties } from "../device.ts";
import type { GlobalProperty } from "./properties.ts";
import type { SmpOptions } from "./smp.ts";

export interface DriveOptions {
  readonly id: string;
  /** "ide", "floppy" or "none". */
  readonly interface: string;
  readonly bus: number;
  readonly unit: number;
  readonly media: "disk" | "cdrom";
  readonly readOnly: boolean;
}

export interface UserDevice {
  readonly driver: string;
  readonly id?: string;
  readonly properties: Readonly<Record<string, string>>;
  /** As the user wrote it, for messages: "-device isa-serial". */
  readonly option?: string;
}

/** -boot. */
export interface BootOptions {
  /** Letters, e.g. "cdn". */
  readonly order: string;
  /** The order of the first start only. */
  readonly once: string | undefined;
  readonly menu: boolean;
  /** How long the boot menu's prompt stays, in milliseconds; undefined leaves it to the firmware. */
  readonly splashTime: number | undefined;
  /** When to try again after nothing could be booted, in milliseconds; -1: never. */
  readonly rebootTimeout: number;
  /** Boot nothing without a bootindex, where something has one. */
  readonly strict: boolean;
}

/** -option-rom. */
export interface OptionRom {
  readonly file: string;
  readonly bootIndex: number | undefined;
}

export interface MachineOptions {
  readonly machine: string;
  readonly machineProperties: Readonly<Record<string, string>>;
  readonly accelerator: string;
  readonly acceleratorProperties: Properties;
  readonly cpu: string;
  readonly smp: SmpOptions;
  /** Guest RAM in bytes. */
  readonly ram: number;
  readonly boot: BootOptions;
  readonly vga: "std" | "none";
  /** False when nobody looks at the screen (-nographic): firmware may then talk on the serial port. */
  readonly graphics: boolean;
  readonly drives: readonly DriveOptions[];
  /** Channel ids of -serial and -parallel, in order; undefined for "none". */
  readonly serials: readonly (string | undefined)[];
  readonly parallels: readonly (string | undefined)[];
  readonly debugcons: readonly { readonly iobase: number; readonly chardev: string }[];
  readonly devices: readonly UserDevice[];
  /** Properties for all devices of a type, the board's too (-global). */
  readonly globals: readonly GlobalProperty[];
  readonly firmware: FirmwareOptions;
  readonly rtc: { readonly base: "utc" | "localtime" | number; readonly clock: "host" | "rt" | "vm" };
  readonly name: string | undefined;
  readonly uuid: string | undefined;
  readonly noReboot: boolean;
  readonly noShutdown: boolean;
  readonly startPaused: boolean;
}

/** Paths of what the firmware and loaders need; all files were found readable. */
export interface FirmwareOptions {
  /** The BIOS image; undefined when a kernel is started without firmware. */
  readonly bios: string | undefined;
  readonly vgaBios: string | undefined;
  readonly optionRoms: readonly OptionRom[];
  readonly kernel: string | undefined;
  readonly initrd: string | undefined;
  readonly commandLine: string;
}

/** What the command line says about firmware and kernels, before a machine has looked the paths up. */
export interface FirmwareRequest {
  /** Folders of -L, in order. */
  readonly directories: readonly string[];
  /** -bios, or undefined for the machine's usual one. */
  readonly bios: string | undefined;
  readonly vga: "std" | "none";
  readonly optionRoms: readonly OptionRom[];
  readonly kernel: string | undefined;
  readonly initrd: string | undefined;
  readonly commandLine: string;
  readonly machineProperties: Readonly<Record<string, string>>;
}
