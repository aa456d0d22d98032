/**
 * The plugins that come with the program. Nothing here loads one: the host does when something it provides is asked
 * for. A test holds the `provides` lists against what the plugins register. Executables with fewer parts get a table
 * like this one with fewer rows: see bin/bundle/code.ts.
 */

import type { OfferedPlugin } from "../core/plugin/host.ts";

export interface FirstPartyPlugin extends OfferedPlugin {
  /** What users call it when they choose the parts of an executable; says which folder it is in, too. */
  readonly part: string;
  /** What it cannot do without, in the form of `provides`. */
  readonly requires?: readonly string[];
}

/** The devices that the board has always or by default, and the backend of ports that lead nowhere. */
const PC_REQUIRES: readonly string[] = [
  "device:apic",
  "device:fw_cfg_io",
  "device:hpet",
  "device:i440FX",
  "device:i8042",
  "device:i8257",
  "device:ide-cd",
  "device:ide-hd",
  "device:ioapic",
  "device:isa-fdc",
  "device:isa-i8259",
  "device:isa-parallel",
  "device:isa-pcspk",
  "device:isa-pit",
  "device:isa-serial",
  "device:mc146818rtc",
  "device:piix3-ide",
  "device:PIIX3",
  "device:PIIX4_PM",
  "device:port92",
  "device:VGA",
  "chardev:null",
];

export const FIRST_PARTY: readonly FirstPartyPlugin[] = [
  {
    name: "tcg",
    part: "accel/tcg",
    provides: ["accelerator:tcg", "disassembler:x86"],
    load: () => import("../accel/tcg/index.ts"),
  },
  { name: "kvm", part: "accel/kvm", provides: ["accelerator:kvm"], load: () => import("../accel/kvm/index.ts") },
  {
    name: "pc",
    part: "machine/pc",
    provides: ["machine:pc"],
    requires: PC_REQUIRES,
    load: () => import("../machines/pc/index.ts"),
  },
  {
    name: "block-file",
    part: "block/file",
    provides: ["blockProtocol:file"],
    load: () => import("./block/file/index.ts"),
  },
  {
    name: "block-raw",
    part: "block/raw",
    provides: ["blockDriver:raw"],
    requires: ["blockProtocol:file"],
    load: () => import("./block/raw/index.ts"),
  },
  { name: "char-file", part: "char/file", provides: ["chardev:file"], load: () => import("./char/file/index.ts") },
  {
    name: "char-null",
    part: "char/null",
    provides: ["chardev:null", "chardev:vc"],
    load: () => import("./char/null/index.ts"),
  },
  { name: "char-pipe", part: "char/pipe", provides: ["chardev:pipe"], load: () => import("./char/pipe/index.ts") },
  { name: "char-pty", part: "char/pty", provides: ["chardev:pty"], load: () => import("./char/pty/index.ts") },
  {
    name: "char-ringbuf",
    part: "char/ringbuf",
    provides: ["chardev:ringbuf"],
    load: () => import("./char/ringbuf/index.ts"),
  },
  {
    name: "char-socket",
    part: "char/socket",
    provides: ["chardev:socket"],
    load: () => import("./char/socket/index.ts"),
  },
  { name: "char-stdio", part: "char/stdio", provides: ["chardev:stdio"], load: () => import("./char/stdio/index.ts") },
  { name: "apic", part: "device/apic", provides: ["device:apic"], load: () => import("./devices/apic/index.ts") },
  {
    name: "isa-debugcon",
    part: "device/debugcon",
    provides: ["device:isa-debugcon"],
    load: () => import("./devices/debugcon/index.ts"),
  },
  {
    name: "isa-debug-exit",
    part: "device/debugexit",
    provides: ["device:isa-debug-exit"],
    load: () => import("./devices/debugexit/index.ts"),
  },
  {
    name: "fdc",
    part: "device/fdc",
    provides: ["device:floppy", "device:isa-fdc"],
    load: () => import("./devices/fdc/index.ts"),
  },
  {
    name: "fw_cfg",
    part: "device/fw_cfg",
    provides: ["device:fw_cfg_io"],
    load: () => import("./devices/fw_cfg/index.ts"),
  },
  { name: "hpet", part: "device/hpet", provides: ["device:hpet"], load: () => import("./devices/hpet/index.ts") },
  {
    name: "i440fx",
    part: "device/i440fx",
    provides: ["device:i440FX"],
    load: () => import("./devices/i440fx/index.ts"),
  },
  { name: "i8042", part: "device/i8042", provides: ["device:i8042"], load: () => import("./devices/i8042/index.ts") },
  { name: "i8254", part: "device/i8254", provides: ["device:isa-pit"], load: () => import("./devices/i8254/index.ts") },
  { name: "i8257", part: "device/i8257", provides: ["device:i8257"], load: () => import("./devices/i8257/index.ts") },
  {
    name: "i8259",
    part: "device/i8259",
    provides: ["device:isa-i8259"],
    load: () => import("./devices/i8259/index.ts"),
  },
  {
    name: "ide",
    part: "device/ide",
    provides: ["device:ide-cd", "device:ide-hd", "device:piix3-ide"],
    load: () => import("./devices/ide/index.ts"),
  },
  {
    name: "ioapic",
    part: "device/ioapic",
    provides: ["device:ioapic"],
    load: () => import("./devices/ioapic/index.ts"),
  },
  {
    name: "mc146818",
    part: "device/mc146818",
    provides: ["device:mc146818rtc"],
    load: () => import("./devices/mc146818/index.ts"),
  },
  {
    name: "isa-parallel",
    part: "device/parallel",
    provides: ["device:isa-parallel"],
    load: () => import("./devices/parallel/index.ts"),
  },
  {
    name: "pcspk",
    part: "device/pcspk",
    provides: ["device:isa-pcspk"],
    load: () => import("./devices/pcspk/index.ts"),
  },
  { name: "piix3", part: "device/piix3", provides: ["device:PIIX3"], load: () => import("./devices/piix3/index.ts") },
  {
    name: "piix4-pm",
    part: "device/piix4-pm",
    provides: ["device:PIIX4_PM"],
    load: () => import("./devices/piix4-pm/index.ts"),
  },
  {
    name: "port92",
    part: "device/port92",
    provides: ["device:port92"],
    load: () => import("./devices/port92/index.ts"),
  },
  {
    name: "pvpanic",
    part: "device/pvpanic",
    provides: ["device:pvpanic"],
    load: () => import("./devices/pvpanic/index.ts"),
  },
  {
    name: "isa-serial",
    part: "device/serial",
    provides: ["device:isa-serial"],
    load: () => import("./devices/serial/index.ts"),
  },
  { name: "vga", part: "device/vga", provides: ["device:VGA"], load: () => import("./devices/vga/index.ts") },
];
