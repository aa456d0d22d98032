/** The chipset created by name, the way a machine does it, and interrupts from a PCI slot to the CPU's pin. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import type {
  BoardPorts,
  HostBridge,
  InterruptRouter,
  IoApic,
  LocalApic,
  PowerManagement,
} from "../../../core/board.ts";
import { ApicBus } from "../../../core/bus/apic-bus.ts";
import { PortSpace } from "../../../core/bus/io.ts";
import { PciBus, PciDevice } from "../../../core/bus/pci.ts";
import { ManualClock } from "../../../core/clock.ts";
import type { Device, DeviceContext } from "../../../core/device.ts";
import type { DisplaySource } from "../../../core/display/surface.ts";
import { irqLine } from "../../../core/irq.ts";
import { AddressSpace } from "../../../core/memory/address-space.ts";
import { GuestMemory } from "../../../core/memory/guest-memory.ts";
import { PluginHost } from "../../../core/plugin/host.ts";
import type { Plugin } from "../../../core/plugin/plugin.ts";
import { StateArena } from "../../../core/state/state.ts";
import apicPlugin from "../../../plugins/devices/apic/index.ts";
import hpetPlugin from "../../../plugins/devices/hpet/index.ts";
import i440fxPlugin from "../../../plugins/devices/i440fx/index.ts";
import ioapicPlugin from "../../../plugins/devices/ioapic/index.ts";
import piix3Plugin from "../../../plugins/devices/piix3/index.ts";
import piix4PmPlugin from "../../../plugins/devices/piix4-pm/index.ts";
import vgaPlugin from "../../../plugins/devices/vga/index.ts";

async function setUp() {
  const host = new PluginHost();
  const plugins: Plugin[] = [apicPlugin, hpetPlugin, i440fxPlugin, ioapicPlugin, piix3Plugin, piix4PmPlugin, vgaPlugin];
  for (const plugin of plugins) await host.use(plugin);
  const memory = GuestMemory.create({ reserved: 8 * 2 ** 20, ram: 4 * 2 ** 20 });
  const space = new AddressSpace(memory);
  const ram = memory.allocateBlock("pc.ram", 2 ** 20);
  space.map("ram", 0, ram.size, { kind: "ram", block: ram });
  const ports = new PortSpace();
  const apicBus = new ApicBus();
  space.map("apic-msi", 0xfee00000, apicBus.io.length, { kind: "io", region: apicBus.io }, 1);
  const seen = { shutdown: [] as string[], displays: [] as DisplaySource[], intr: false, smi: 0 };
  let router: InterruptRouter | undefined;
  let ioapic: IoApic | undefined;
  const pci = new PciBus(
    { map: (_kind, base, size, target) => space.mapBar(base, size, target) },
    {
      input: (devfn, pin) => router!.routing.input(devfn, pin),
      inputs: [0, 1, 2, 3].map((i) => irqLine((level) => router!.routing.inputs[i].set(level))),
    },
  );
  const clock = new ManualClock();
  const arena = StateArena.create();
  const context: Omit<DeviceContext, "name" | "board"> = {
    arena,
    clock,
    wallClock: { nowMs: () => 0 },
    ports,
    memory: space,
    dma: space.dma,
    machine: {
      reset() {},
      shutdown: (cause) => seen.shutdown.push(cause),
      exit() {},
      panic() {},
      suspend() {},
      wakeUp() {},
    },
    input: undefined as never,
    isaIrq: (line) => irqLine((level) => ioapic?.pin(line === 0 ? 2 : line).set(level)),
    isaDma: undefined as never,
    pci,
    chardev: undefined as never,
    drive: undefined as never,
    addDisplay: (source) => seen.displays.push(source),
    guestError() {},
  };
  const create = <T>(name: string, board?: BoardPorts, properties = {}): T & Device => {
    const device = host.lookup("device", name)!.create({ ...context, name, board }, properties) as T & Device;
    device.reset();
    return device;
  };
  const apic = create<LocalApic>("apic", { apicBus });
  apic.connect(
    {
      setIntr: (level) => {
        seen.intr = level;
      },
      nmi() {},
      smi: () => seen.smi++,
      init() {},
      sipi() {},
      setA20() {},
    },
    { acknowledge: () => -1 },
  );
  ioapic = create<IoApic>("ioapic", { apicBus });
  const bridge = create<HostBridge>("i440FX");
  router = create<InterruptRouter>("PIIX3");
  create("hpet", { ioapicPin: (pin) => ioapic!.pin(pin) });
  const pm = create<PowerManagement>("PIIX4_PM", undefined, { "smm-enabled": true });
  create("VGA", undefined, { vgamem_mb: 1, addr: "02.0" });
  return { arena, clock, space, ports, pci, apic, ioapic, bridge, router, pm, seen };
}

test("functions are where drivers look for them", async () => {
  const { pci } = await setUp();
  const found = pci.devices().map(({ devfn, config16 }, i) => [devfn, config16.call(pci.devices()[i], 2)]);
  assert.equal(found, [
    [0x00, 0x1237],
    [0x08, 0x7000],
    [0x0b, 0x7113],
    [0x10, 0x1111],
  ]);
});

test("INTA# of slot 3 goes through PIRQC#, ISA interrupt 11 and the I/O APIC to the CPU, until EOI", async () => {
  const { arena, space, ports, pci, apic, seen } = await setUp();
  const nic = new PciDevice({ name: "nic", arena }, { vendorId: 1, deviceId: 2, classCode: 0x0200, interruptPin: 1 });
  pci.plug(nic, 3 << 3);
  ports.write(0xcf8, 0x80000860, 4);
  ports.write(0xcfe, 11, 1);
  space.write(0xfee000f0, 0x1ff, 4);
  const redirect = (index: number, value: number): void => {
    space.write(0xfec00000, index, 4);
    space.write(0xfec00010, value, 4);
  };
  redirect(0x10 + 22, 0x8000 | 0x41);
  nic.setIrq(true);
  assert.is(seen.intr, true);
  assert.is(apic.acknowledge(), 0x41);
  space.write(0xfee000b0, 0, 4);
  assert.is(apic.acknowledge(), 0x41, "still asserted");
  nic.setIrq(false);
  space.write(0xfee000b0, 0, 4);
  assert.is(seen.intr, false);
});

test("power off through the PM block, SMI through the command port", async () => {
  const { ports, pm, seen } = await setUp();
  const config = (register: number, value: number): void => {
    ports.write(0xcf8, 0x80000b00 | register, 4);
    ports.write(0xcfc, value, 4);
  };
  config(0x40, 0x601);
  config(0x80, 1);
  config(0x58, 0x02000000);
  pm.onSmi(() => seen.smi++);
  ports.write(0xb2, 1, 1);
  assert.is(seen.smi, 1);
  ports.write(0x604, 0x2000, 2);
  assert.equal(seen.shutdown, ["guest-shutdown"]);
});

test("video memory is at A0000h until SMRAM covers it", async () => {
  const { space, ports, bridge, seen } = await setUp();
  ports.write(0x3c2, 0x67, 1);
  ports.write(0x3c4, 0x0f02, 2);
  ports.write(0x3ce, 0xff08, 2);
  ports.write(0x3c4, 0x0604, 2);
  space.write(0xa0000, 0x5a, 1);
  assert.is(space.read(0xa0000, 1), 0x5a);
  ports.write(0xcf8, 0x80000070, 4);
  ports.write(0xcfe, 0x0a, 1);
  bridge.setSmm(true);
  assert.is(space.read(0xa0000, 1), 0);
  bridge.setSmm(false);
  assert.is(space.read(0xa0000, 1), 0x5a);
  assert.is(seen.displays.length, 1);
});

test("the HPET answers at FED00000h", async () => {
  const { space } = await setUp();
  assert.is(space.read(0xfed00000, 4), 0x8086a201);
  assert.is(space.read(0xfed00104, 4), 4);
});

test.run();
