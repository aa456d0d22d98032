import { test } from "uvu";
import * as assert from "uvu/assert";
import { PortSpace } from "../../../../core/bus/io.ts";
import { PciBus, PciDevice } from "../../../../core/bus/pci.ts";
import { NO_IRQ } from "../../../../core/irq.ts";
import { AddressSpace } from "../../../../core/memory/address-space.ts";
import { GuestMemory } from "../../../../core/memory/guest-memory.ts";
import { StateArena } from "../../../../core/state/state.ts";
import { I440fx } from "../../../../plugins/devices/i440fx/i440fx.ts";
import { randomAccesses } from "../random-accesses.ts";

function setUp() {
  const memory = GuestMemory.create({ reserved: 8 * 2 ** 20, ram: 2 * 2 ** 20 });
  const space = new AddressSpace(memory);
  const block = memory.allocateBlock("pc.ram", 2 * 2 ** 20);
  const rom = memory.allocateBlock("bios", 0x20000, true);
  rom.bytes.fill(0xbb);
  space.map("ram-low", 0, 0xa0000, { kind: "ram", block });
  space.map("ram-high", 0x100000, 0x100000, { kind: "ram", block, offset: 0x100000 });
  space.map("isa-bios", 0xe0000, 0x20000, { kind: "rom", block: rom });
  const vga = { name: "vga-lowmem", length: 0x20000, handler: { read: () => 0x77777777, write() {} } };
  space.map("vga", 0xa0000, 0x20000, { kind: "io", region: vga }, 1);
  const arena = StateArena.create();
  const bus = new PciBus(
    { map: (_kind, base, size, target) => space.mapBar(base, size, target) },
    { input: () => 0, inputs: [NO_IRQ] },
  );
  const bridge = new I440fx({ name: "i440fx", arena, bus, space, ram: { block, offset: 0 }, ramSize: block.size });
  const ports = new PortSpace();
  ports.map(0xcf8, bridge.configAddress);
  ports.map(0xcfc, bridge.configData);
  const select = (devfn: number, register: number): void =>
    ports.write(0xcf8, (0x80000000 | (devfn << 8) | (register & 0xfc)) >>> 0, 4);
  return {
    space,
    block,
    arena,
    bus,
    bridge,
    ports,
    read: (devfn: number, register: number, size: 1 | 2 | 4) => {
      select(devfn, register);
      return ports.read(0xcfc + (register & 3), size);
    },
    write: (devfn: number, register: number, value: number, size: 1 | 2 | 4) => {
      select(devfn, register);
      ports.write(0xcfc + (register & 3), value, size);
    },
  };
}

test("identifies itself as the 82441FX, revision 2, host bridge", () => {
  const m = setUp();
  assert.is(m.read(0, 0, 4), 0x12378086);
  assert.is(m.read(0, 8, 4), 0x06000002);
  assert.is(m.read(0, 0x2c, 4), 0x11001af4);
  assert.is(m.read(0, 4, 2), 6, "bus master and memory are hard-wired");
  assert.is(m.read(0, 0x60, 1), 1, "2 MiB end in the first row of 8 MiB");
});

test("CONFADD takes double words only and keeps its reserved bits zero", () => {
  const m = setUp();
  m.ports.write(0xcfb, 1, 1);
  assert.is(m.ports.read(0xcf8, 4), 0);
  m.ports.write(0xcf8, 0x80000000, 4);
  assert.is(m.ports.read(0xcf8, 4), 0x80000000);
  m.ports.write(0xcf8, 0xffffffff, 4);
  assert.is(m.ports.read(0xcf8, 4), 0x80fffffc);
});

test("configuration cycles reach functions by byte, word and double word, and nothing answers with ones", () => {
  const m = setUp();
  const device = new PciDevice(
    { name: "nic", arena: m.arena },
    { vendorId: 0x1234, deviceId: 0x5678, classCode: 0x0200, interruptPin: 1 },
  );
  m.bus.plug(device, 0x1a);
  assert.is(m.read(0x1a, 0, 4), 0x56781234);
  assert.is(m.read(0x1a, 2, 2), 0x5678);
  assert.is(m.read(0x1a, 3, 1), 0x56);
  m.write(0x1a, 0x3c, 11, 1);
  assert.is(m.read(0x1a, 0x3c, 2), 0x010b);
  assert.is(m.read(0x20, 0, 4), 0xffffffff);
  m.ports.write(0xcf8, 0x00001a00, 4);
  assert.is(m.ports.read(0xcfc, 4), 0xffffffff, "without the enable bit");
  m.ports.write(0xcf8, 0x80011a00, 4);
  assert.is(m.ports.read(0xcfc, 2), 0xffff, "no bus 1");
});

test("PAM: the four combinations of read and write enable", () => {
  const m = setUp();
  m.block.bytes[0xf0000] = 0x11;
  assert.is(m.space.read(0xf0000, 1), 0xbb, "after reset, ROM");
  m.space.write(0xf0000, 0x22, 1);
  assert.is(m.block.bytes[0xf0000], 0x11, "writes do not reach RAM");

  m.write(0, 0x59, 0x20, 1); // WE
  assert.is(m.space.read(0xf0000, 1), 0xbb);
  m.space.write(0xf0000, 0x2244, 2);
  assert.is(m.block.bytes[0xf0000], 0x44);
  assert.is(m.block.bytes[0xf0001], 0x22);

  m.write(0, 0x59, 0x10, 1); // RE
  assert.is(m.space.read(0xf0000, 1), 0x44);
  m.space.write(0xf0000, 0x55, 1);
  assert.is(m.space.read(0xf0000, 1), 0x44);

  m.write(0, 0x59, 0x30, 1); // both
  m.space.write(0xf0000, 0x55, 1);
  assert.is(m.space.read(0xf0000, 1), 0x55);
  assert.is(m.space.pageMap[0xf0] & 3, 3, "reached without a call");
  assert.is(m.space.read(0xe0000, 1), 0xbb, "other segments are untouched");
});

test("PAM1 to PAM6 are pairs of 16 KiB segments from C0000h on", () => {
  const m = setUp();
  for (let i = 0; i < 12; i++) m.block.bytes[0xc0000 + i * 0x4000] = i + 1;
  for (let i = 0; i < 12; i++) {
    m.write(0, 0x5a + (i >> 1), 0x3 << ((i & 1) * 4), 1);
    for (let k = 0; k < 12; k++) {
      const address = 0xc0000 + k * 0x4000;
      const beneath = address >= 0xe0000 ? 0xbb : 0xff;
      assert.is(m.space.read(address, 1), k === i ? k + 1 : beneath, `segment ${k} with ${i} enabled`);
    }
    m.write(0, 0x5a + (i >> 1), 0, 1);
  }
});

test("one double word write of PAM registers sets them all", () => {
  const m = setUp();
  m.write(0, 0x5c, 0x33333333, 4);
  m.space.write(0xe8000, 0x42, 1);
  assert.is(m.block.bytes[0xe8000], 0x42);
});

test("SMRAM: open, closed, locked, and in system management mode", () => {
  const m = setUp();
  assert.is(m.read(0, 0x72, 1), 0x02);
  assert.is(m.space.read(0xa0000, 1), 0x77, "video memory");
  m.write(0, 0x72, 0x4a, 1); // D_OPEN, G_SMRAME
  m.space.write(0xa0000, 0x5a, 1);
  assert.is(m.block.bytes[0xa0000], 0x5a);
  m.write(0, 0x72, 0x0a, 1);
  assert.is(m.space.read(0xa0000, 1), 0x77);
  m.bridge.setSmm(true);
  assert.is(m.space.read(0xa0000, 1), 0x5a);
  m.bridge.setSmm(false);
  assert.is(m.space.read(0xa0000, 1), 0x77);
  m.write(0, 0x72, 0x5a, 1); // D_LCK takes D_OPEN away
  assert.is(m.read(0, 0x72, 1), 0x1a);
  m.write(0, 0x72, 0x42, 1);
  assert.is(m.read(0, 0x72, 1), 0x1a);
  m.bridge.reset();
  assert.is(m.read(0, 0x72, 1), 0x02);
});

test("a reset at the end of S3 keeps shadow memory and closes SMRAM to the CPU; any other one brings the ROM back", () => {
  const m = setUp();
  m.write(0, 0x59, 0x30, 1);
  m.write(0, 0x72, 0x0a, 1);
  m.bridge.setSmm(true);
  m.space.write(0xf0000, 0x5a, 1);
  m.bridge.wakeReset();
  assert.is(m.space.read(0xf0000, 1), 0x5a);
  assert.is(m.space.read(0xa0000, 4), 0x77777777);
  assert.is(m.read(0, 0x72, 1), 0x0a);
  m.bridge.reset();
  assert.is(m.read(0, 0x59, 1), 0);
});

test("state round trip restores the memory map", () => {
  const m = setUp();
  m.write(0, 0x59, 0x30, 1);
  m.write(0, 0x72, 0x4a, 1);
  m.block.bytes[0xf1234] = 0x99;
  const saved = m.arena.save();
  m.bridge.reset();
  assert.is(m.space.read(0xf1234, 1), 0xbb);
  m.arena.load(saved);
  m.bridge.loaded();
  assert.is(m.space.read(0xf1234, 1), 0x99);
  assert.equal(m.arena.save(), saved);
});

test("any accesses are harmless", () => {
  const m = setUp();
  randomAccesses(1500, (random, size) => {
    m.write(random() & 0xff, random() & 0xff & ~(size - 1), random(), size);
    m.read(random() & 0xff, random() & 0xff & ~(size - 1), size);
    m.space.write(0xa0000 + (random() % 0x60000), random(), size);
    m.space.read(0xa0000 + (random() % 0x60000), size);
  });
  m.bridge.reset();
  assert.is(m.space.read(0xf0000, 1), 0xbb);
});

test.run();
