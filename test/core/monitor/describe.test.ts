import { test } from "uvu";
import * as assert from "uvu/assert";
import { type IoRegion, PortSpace } from "../../../core/bus/io.ts";
import { PCI_COMMAND, PciBus, PciDevice } from "../../../core/bus/pci.ts";
import { AddressSpace } from "../../../core/memory/address-space.ts";
import { GuestMemory } from "../../../core/memory/guest-memory.ts";
import { describeFlatMemory, describeMemory, describePci } from "../../../core/monitor/describe.ts";
import { StateArena } from "../../../core/state/state.ts";

const region = (name: string, length: number): IoRegion => ({ name, length, handler: { read: () => 0, write() {} } });

test("info mtree shows memory and ports", () => {
  const memory = GuestMemory.create({ reserved: 8 << 20, ram: 1 << 20 });
  const space = new AddressSpace(memory);
  const ram = memory.allocateBlock("pc.ram", 0x100000);
  space.map("ram", 0, ram.size, { kind: "ram", block: ram });
  space.map("vga", 0xa0000, 0x20000, { kind: "io", region: region("vga", 0x20000) }, 1);
  const ports = new PortSpace();
  ports.map(0x3f8, region("serial", 8));
  ports.map(0x60, region("i8042", 1), false);
  assert.is(
    describeMemory(space, ports),
    `address-space: memory
  0000000000000000-ffffffffffffffff (prio 0, i/o): system
    0000000000000000-00000000000fffff (prio 0, ram): ram
    00000000000a0000-00000000000bffff (prio 1, i/o): vga

address-space: I/O
  0000000000000000-000000000000ffff (prio 0, i/o): io
    0000000000000060-0000000000000060 (prio 0, i/o): i8042 [disabled]
    00000000000003f8-00000000000003ff (prio 0, i/o): serial
`,
  );
  assert.match(
    describeFlatMemory(space),
    / {2}00000000000c0000-00000000000fffff \(prio 0, ram\): ram @00000000000c0000\n/,
  );
});

test("info pci shows functions with their base address registers", () => {
  const bus = new PciBus({ map: () => () => {} }, { input: () => 0, inputs: [] });
  const device = new PciDevice(
    { name: "vga", arena: StateArena.create() },
    {
      vendorId: 0x1234,
      deviceId: 0x1111,
      classCode: 0x0300,
      subsystemVendorId: 0x1af4,
      subsystemId: 0x1100,
      interruptPin: 1,
    },
  );
  device.registerBar(0, {
    kind: "mem",
    size: 0x1000000,
    prefetchable: true,
    target: { region: region("vram", 0x1000000) },
  });
  device.registerBar(1, { kind: "io", size: 16, target: { region: region("io", 16) } });
  bus.plug(device, 2 << 3);
  device.configWrite(0x10, 0xfd000000, 4);
  device.configWrite(PCI_COMMAND, 2, 2);
  device.configWrite(0x3c, 11, 1);
  assert.is(
    describePci(bus),
    `  Bus  0, device   2, function 0:
    VGA controller: PCI device 1234:1111
      PCI subsystem 1af4:1100
      IRQ 11, pin A
      BAR0: 32 bit prefetchable memory at 0xfd000000 [0xfdffffff].
      BAR1: I/O at 0xffff [unmapped].
      id "vga"
`,
  );
});

test.run();
