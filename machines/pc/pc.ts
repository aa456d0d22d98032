/**
 * The i440FX/PIIX3 PC: creates the board's devices by name from the registry and wires them the way QEMU's `pc` lays
 * them out (PCI slot 0 host bridge, 1 PIIX3 with IDE and power management, 2 display).
 */

import { readFileSync } from "node:fs";
import type {
  Cmos,
  FixedDisk,
  FloppyController,
  HostBridge,
  InterruptController,
  InterruptRouter,
  IntervalTimer,
  IoApic,
  IsaDmaController,
  PowerManagement,
  WakeReason,
} from "../../core/board.ts";
import { ApicBus } from "../../core/bus/apic-bus.ts";
import { PortSpace } from "../../core/bus/io.ts";
import { type MemoryBlock, type PciAddressSpaces, PciBus } from "../../core/bus/pci.ts";
import { withPmTimer } from "../../core/chips/pm-timer.ts";
import type { Device } from "../../core/device.ts";
import { QemuError } from "../../core/errors.ts";
import type { FirmwareConfig } from "../../core/firmware-config.ts";
import { type IrqLine, irqLine, NO_IRQ, splitIrq } from "../../core/irq.ts";
import type { Machine, MachineRuntime } from "../../core/machine.ts";
import { withOption } from "../../core/options/keyval.ts";
import type { DriveOptions } from "../../core/options/machine-options.ts";
import { bool, defineState, u16 } from "../../core/state/state.ts";
import { Lock } from "../../core/thread/lock.ts";
import { lockLine, lockRegion } from "../../core/thread/shared-device.ts";
import { BoardDevices } from "./board-devices.ts";
import { BootOrder, romPath } from "./boot-order.ts";
import { cmosBytes } from "./cmos.ts";
import { Cpus } from "./cpus.ts";
import { type RamLayout, ramLayout } from "./e820.ts";
import { readBios, readOptionRom } from "./firmware.ts";
import { fillFirmwareConfig } from "./firmware-config.ts";
import { type Geometry, guessGeometry } from "./geometry.ts";
import { IsaInterrupts } from "./interrupts.ts";
import { Kernel } from "./kernel.ts";
import { mapMemory } from "./memory.ts";

const PC_STATE = defineState(
  "pc",
  1,
  {
    /** The x87's interrupt line. */
    ferr: bool,
    /** -boot once is over. */
    started: bool,
  },
  { unsaved: { /** Where the PM timer's port is, or 0. */ pmTimer: u16 } },
);

const FOUR_GIB_MIB = 3584;
const MIB = 2 ** 20;
const SECTOR = 512;
const FERR_IRQ = 13;
/** The CMOS byte that tells firmware why the CPU starts, and its value after S3. */
const SHUTDOWN_STATUS = 0x0f;
const SHUTDOWN_S3 = 0xfe;
const DISPLAY_SLOT = "02.0";
const SERIAL_COUNT = 4;
const PARALLEL_COUNT = 3;

const flag = (value: string | undefined, otherwise: boolean): boolean =>
  value === undefined || value === "auto" ? otherwise : value === "on" || value === "yes" || value === "true";

/** Assembles a PC. */
export async function assemblePc(runtime: MachineRuntime): Promise<Machine> {
  const { memory, options, threads, services } = runtime;
  const { machineProperties } = options;
  if (options.ram > FOUR_GIB_MIB * MIB) {
    throw new QemuError(
      "memory-size",
      `-m: ${options.ram / MIB} MiB of memory; this machine takes at most ${FOUR_GIB_MIB}`,
    );
  }
  const layout: RamLayout = ramLayout(options.ram, FOUR_GIB_MIB * MIB);
  const { firmware } = options;
  const bios = firmware.bios === undefined ? undefined : readBios(firmware.bios);
  const { space } = mapMemory(memory, layout, bios, threads?.remote?.memory);
  const remotePorts = threads?.remote && withPmTimer(threads.remote.ports, services.clock, () => board.pmTimer);
  const ports = new PortSpace(remotePorts);
  // In a machine of several threads one lock guards everything from a wire of the board to a CPU's pins.
  const lock = threads && Lock.attach(services.arena, "interrupts/lock");
  const wire = (line: IrqLine): IrqLine => (lock ? lockLine(line, lock) : line);
  const interrupts = new IsaInterrupts(services.arena);
  const apicBus = new ApicBus();
  apicBus.current = threads?.self ?? 0;
  let router: InterruptRouter | undefined;
  let dma: IsaDmaController | undefined;

  const spaces: PciAddressSpaces = {
    map(kind, base, size, target) {
      if (kind === "mem") return space.mapBar(base, size, target);
      if (!("region" in target)) throw new TypeError("a port range must map registers");
      const mapping = ports.map(base, target.region);
      return () => mapping.remove();
    },
  };
  const pci = new PciBus(spaces, {
    input: (devfn, pin) => router!.routing.input(devfn, pin),
    inputs: [0, 1, 2, 3].map((input) => irqLine((level) => router!.routing.inputs[input].set(level))),
  });

  const roms = new Map<string, MemoryBlock>();
  const optionRom = (file: string): MemoryBlock | undefined => {
    const path = file === "vgabios-stdvga.bin" ? firmware.vgaBios : file;
    if (path === undefined) return undefined;
    const image = readOptionRom(path);
    const size = 2 ** Math.ceil(Math.log2(Math.max(image.length, 4096)));
    const block = memory.allocateBlock(`rom:${file}`, size, true);
    block.bytes.set(image);
    roms.set(file, block);
    return block;
  };
  const bootOrder = new BootOrder();
  const devices = new BoardDevices(runtime, {
    bootOrder,
    ports,
    memory: space,
    pci,
    isaIrq: (line) => wire(interrupts.source(line)),
    isaDma: (channel) => dma!.channel(channel),
    optionRom,
  });

  // CPU and interrupt controllers.
  const ferr = irqLine((level) => {
    board.ferr = level;
    ferrLine.set(level);
  });
  let bridge: HostBridge | undefined;
  const smmChanged = (active: boolean): void => bridge?.setSmm(active);
  const cpus = await Cpus.create(runtime, devices, { memory: space, ports, apicBus, lock, ferr, smmChanged });
  const messages = lock ? lockRegion(apicBus.io, lock) : apicBus.io;
  space.map(messages.name, 0xfee0_0000, messages.length, { kind: "io", region: messages }, 1);
  const pic = await devices.create<InterruptController>("isa-i8259", { board: { intr: cpus.intr }, lock });
  const ioapic = await devices.create<IoApic>("ioapic", { board: { apicBus }, lock });
  interrupts.connect(pic, ioapic);
  const board = services.arena.attach("pc", PC_STATE);
  const ferrLine = wire(interrupts.source(FERR_IRQ));
  await cpus.start(pic);
  const [cpu] = cpus.vcpus;
  // A write to port F0h releases the x87 interrupt, as the logic around a 387 does.
  const release = { read: () => 0xff, write: () => ferr.set(false) };
  ports.map(0xf0, { name: "ioportF0", length: 1, handler: release });

  // PCI: host bridge, PIIX3.
  bridge = await devices.create<HostBridge>("i440FX");
  router = await devices.create<InterruptRouter>("PIIX3");

  // The chips on the ISA bus.
  const withHpet = flag(machineProperties.hpet, true);
  const legacy = { isaIrq: (line: number) => wire(interrupts.legacySource(line)) };
  const pitLock = threads && Lock.attach(services.arena, "isa-pit/lock");
  const pit = await devices.create<IntervalTimer>("isa-pit", { ...legacy, lock: pitLock });
  const hasSmm = runtime.accelerator.smm ?? true;
  const smm = flag(machineProperties.smm, hasSmm);
  if (smm && !hasSmm) {
    throw new QemuError("no-smm", "System Management Mode not supported by this hypervisor.", {
      hint: "leave out smm=on, or use -accel tcg",
    });
  }
  const pm = await devices.create<PowerManagement>("PIIX4_PM", {
    properties: { "smm-enabled": smm ? "on" : "off" },
    board: {
      pmTimerAt: (port) => {
        board.pmTimer = port;
      },
    },
  });
  pm.onSmi(() => cpu.smi());
  // Power management lives in the machine's thread. Where an alarm may be found in another one, a timer tells of it.
  const alarm = threads && services.clock.timer("rtc-alarm", () => pm.rtcAlarm());
  const rtcAlarm = (): void => (alarm ? alarm.arm(services.clock.now()) : pm.rtcAlarm());
  const rtc = await devices.create<Cmos>("mc146818rtc", { ...legacy, board: { rtcAlarm } });
  await devices.create("isa-pcspk", { board: { speakerTimer: pit.channel(2) }, lock: pitLock });
  dma = await devices.create<IsaDmaController>("i8257");
  await devices.create("i8042", { board: { a20: cpus.a20 } });
  await devices.create("port92", { board: { a20: cpus.a20 } });
  if (withHpet) {
    const hpetLegacy = wire(splitIrq(interrupts.hpetLegacy, pit.hpetLegacy ?? NO_IRQ));
    const board = { ioapicPin: (pin: number) => wire(ioapic.pin(pin)), hpetLegacy };
    await devices.create("hpet", { board });
  }
  const fw = await devices.create<FirmwareConfig>("fw_cfg_io");

  // What the command line asked for.
  await devices.create("piix3-ide");
  if (options.vga === "std") await devices.create("VGA", { properties: { addr: DISPLAY_SLOT } });
  const drives = options.drives.filter((drive) => drive.interface === "ide");
  for (const drive of drives) {
    const driver = drive.media === "cdrom" ? "ide-cd" : "ide-hd";
    await withOption(`drive '${drive.id}'`, () => devices.create(driver, ideProperties(drive)));
  }
  const fdc = await createFloppies(devices, options.drives);
  for (const [index, chardev] of options.serials.slice(0, SERIAL_COUNT).entries()) {
    if (chardev !== undefined) await devices.create("isa-serial", { properties: { index: String(index), chardev } });
  }
  for (const [index, chardev] of options.parallels.slice(0, PARALLEL_COUNT).entries()) {
    if (chardev !== undefined) await devices.create("isa-parallel", { properties: { index: String(index), chardev } });
  }
  for (const { iobase, chardev } of options.debugcons) {
    await devices.create("isa-debugcon", { properties: { iobase: String(iobase), chardev } });
  }
  for (const { driver, id, properties, option = `-device ${driver}` } of options.devices) {
    await withOption(option, () => devices.create(driver, { id, properties }));
  }

  const machine = {
    vcpus: cpus.vcpus,
    threading: cpus.threading,
    memory: space,
    ports,
    pci,
    devices: devices.nodes,
    powerButton: () => pm.powerButton(),
    get suspended() {
      return pm.suspended;
    },
    setRunning: (running: boolean) => cpus.setRunning(running),
    saving(): void {
      if (alarm?.deadline !== undefined) {
        alarm.cancel();
        pm.rtcAlarm();
      }
      devices.saving();
    },
    loaded(): void {
      ferrLine.set(board.ferr);
      devices.loaded();
    },
  };
  // Whatever follows is the machine's thread's.
  if (threads?.remote) return { ...machine, reset() {}, wake() {} };

  // Configuration memory, firmware tables, kernel.
  const floppies = [fdc.driveType(0), fdc.driveType(1)] as const;
  const pvpanic = devices.nodes.find(({ type }) => type.name === "pvpanic");
  const acpi = {
    apicIds: cpus.apicIds,
    pciHoleStart: layout.below4g,
    hpet: withHpet,
    fwCfg: true,
    keyboard: true,
    floppy: floppies.some((type) => type !== "none"),
    serials: options.serials.filter((id) => id !== undefined).length,
    parallels: options.parallels.filter((id) => id !== undefined).length,
    pvpanicPort: pvpanic ? Number(pvpanic.properties.ioport) : undefined,
    sleep: pm.sleepStates,
    smm,
  };
  const kernel = Kernel.load(options, layout, acpi);
  kernel?.offer(fw, bootOrder);
  for (const { file, bootIndex } of firmware.optionRoms) {
    const name = `genroms/${file.split("/").at(-1)}`;
    fw.addFile(name, new Uint8Array(readFileSync(file)));
    bootOrder.add(bootIndex, romPath(name));
  }
  fillFirmwareConfig(fw, options, layout, acpi, bootOrder.list(options.boot.strict));
  const disks: (Geometry | undefined)[] = [];
  for (const { type, device, properties } of devices.nodes) {
    if (type.name !== "ide-hd") continue;
    const { length } = services.drive(String(properties.drive));
    disks[(device as Device & FixedDisk).position] = guessGeometry(Math.floor(length / SECTOR));
  }
  const writeCmos = (bootOrderLetters: string): void => {
    const bytes = cmosBytes({
      ram: layout,
      cpus: options.smp.cpus,
      bootOrder: bootOrderLetters,
      floppyBootCheck: flag(machineProperties["fd-bootchk"], true),
      floppies,
      disks,
    });
    for (const [index, value] of bytes) rtc.setCmos(index, value);
  };

  const reset = (): void => {
    devices.reset();
    ferr.set(false);
    writeCmos((board.started ? undefined : options.boot.once) ?? options.boot.order);
    board.started = true;
    cpus.reset();
    kernel?.start(cpu, space, ports, pci);
  };
  const wake = (reason: WakeReason): void => {
    devices.wakeReset();
    ferr.set(false);
    rtc.setCmos(SHUTDOWN_STATUS, SHUTDOWN_S3);
    cpus.reset();
    kernel?.resume(cpu, space, ports, pci);
    pm.wake(reason);
  };
  reset();
  runtime.info.add("pic", () => pic.describe() + ioapic.describe());
  runtime.info.add("irq", () => interrupts.describe());
  runtime.info.add("lapic", (query) => cpus.describe(query));
  return Object.assign(machine, { reset, wake });
}

function ideProperties({ id, bus, unit }: DriveOptions): { id: string; properties: Record<string, string> } {
  return { id: `${id}-device`, properties: { drive: id, bus: `ide.${bus}`, unit: String(unit) } };
}

/** The floppy controller with its drives. Drive A is always there, as in QEMU, but for -nodefaults. */
function createFloppies(devices: BoardDevices, drives: readonly DriveOptions[]): Promise<FloppyController> {
  const properties: Record<string, string> = {};
  for (const { id, unit } of drives.filter((drive) => drive.interface === "floppy")) {
    properties[unit === 0 ? "driveA" : "driveB"] = id;
  }
  return devices.create<FloppyController>("isa-fdc", { properties });
}
