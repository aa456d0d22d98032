/**
 * The plugins that come with the program. Nothing here loads one: the host does when something it provides is asked
 * for. A test holds the `provides` lists against what the plugins register.
 */

import type { OfferedPlugin } from "../core/plugin/host.ts";

export const FIRST_PARTY: readonly OfferedPlugin[] = [
  { name: "tcg", provides: ["accelerator:tcg"], load: () => import("../accel/tcg/index.ts") },
  { name: "pc", provides: ["machine:pc"], load: () => import("../machines/pc/index.ts") },
  { name: "block-file", provides: ["blockProtocol:file"], load: () => import("./block/file/index.ts") },
  { name: "block-raw", provides: ["blockDriver:raw"], load: () => import("./block/raw/index.ts") },
  { name: "char-file", provides: ["chardev:file"], load: () => import("./char/file/index.ts") },
  { name: "char-null", provides: ["chardev:null", "chardev:vc"], load: () => import("./char/null/index.ts") },
  { name: "char-pipe", provides: ["chardev:pipe"], load: () => import("./char/pipe/index.ts") },
  { name: "char-pty", provides: ["chardev:pty"], load: () => import("./char/pty/index.ts") },
  { name: "char-ringbuf", provides: ["chardev:ringbuf"], load: () => import("./char/ringbuf/index.ts") },
  { name: "char-socket", provides: ["chardev:socket"], load: () => import("./char/socket/index.ts") },
  { name: "char-stdio", provides: ["chardev:stdio"], load: () => import("./char/stdio/index.ts") },
  { name: "apic", provides: ["device:apic"], load: () => import("./devices/apic/index.ts") },
  { name: "isa-debugcon", provides: ["device:isa-debugcon"], load: () => import("./devices/debugcon/index.ts") },
  { name: "isa-debug-exit", provides: ["device:isa-debug-exit"], load: () => import("./devices/debugexit/index.ts") },
  { name: "fdc", provides: ["device:floppy", "device:isa-fdc"], load: () => import("./devices/fdc/index.ts") },
  { name: "fw_cfg", provides: ["device:fw_cfg_io"], load: () => import("./devices/fw_cfg/index.ts") },
  { name: "hpet", provides: ["device:hpet"], load: () => import("./devices/hpet/index.ts") },
  { name: "i440fx", provides: ["device:i440FX"], load: () => import("./devices/i440fx/index.ts") },
  { name: "i8042", provides: ["device:i8042"], load: () => import("./devices/i8042/index.ts") },
  { name: "i8254", provides: ["device:isa-pit"], load: () => import("./devices/i8254/index.ts") },
  { name: "i8257", provides: ["device:i8257"], load: () => import("./devices/i8257/index.ts") },
  { name: "i8259", provides: ["device:isa-i8259"], load: () => import("./devices/i8259/index.ts") },
  {
    name: "ide",
    provides: ["device:ide-cd", "device:ide-hd", "device:piix3-ide"],
    load: () => import("./devices/ide/index.ts"),
  },
  { name: "ioapic", provides: ["device:ioapic"], load: () => import("./devices/ioapic/index.ts") },
  { name: "mc146818", provides: ["device:mc146818rtc"], load: () => import("./devices/mc146818/index.ts") },
  { name: "isa-parallel", provides: ["device:isa-parallel"], load: () => import("./devices/parallel/index.ts") },
  { name: "pcspk", provides: ["device:isa-pcspk"], load: () => import("./devices/pcspk/index.ts") },
  { name: "piix3", provides: ["device:PIIX3"], load: () => import("./devices/piix3/index.ts") },
  { name: "piix4-pm", provides: ["device:PIIX4_PM"], load: () => import("./devices/piix4-pm/index.ts") },
  { name: "port92", provides: ["device:port92"], load: () => import("./devices/port92/index.ts") },
  { name: "pvpanic", provides: ["device:pvpanic"], load: () => import("./devices/pvpanic/index.ts") },
  { name: "isa-serial", provides: ["device:isa-serial"], load: () => import("./devices/serial/index.ts") },
  { name: "vga", provides: ["device:VGA"], load: () => import("./devices/vga/index.ts") },
];
