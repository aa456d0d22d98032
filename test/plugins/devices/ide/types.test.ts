import { test } from "uvu";
import * as assert from "uvu/assert";
import { MemoryBlockPort } from "../../../../core/block/port.ts";
import { PortSpace } from "../../../../core/bus/io.ts";
import { PciBus } from "../../../../core/bus/pci.ts";
import type { DeviceContext, Properties } from "../../../../core/device.ts";
import { NO_IRQ } from "../../../../core/irq.ts";
import { ArrayDma } from "../../../../core/memory/dma.ts";
import { PluginHost } from "../../../../core/plugin/host.ts";
import { StateArena } from "../../../../core/state/state.ts";
import plugin from "../../../../plugins/devices/ide/index.ts";

async function board() {
  const host = new PluginHost();
  await host.use(plugin);
  const ports = new PortSpace();
  const pci = new PciBus({ map: () => () => {} }, { input: () => 0, inputs: [] });
  const disk = new MemoryBlockPort(new Uint8Array(1 << 20));
  const drives: Record<string, MemoryBlockPort> = { disk, disk2: disk, disk3: disk, disk4: disk, disk5: disk };
  const context = {
    arena: StateArena.create(1 << 19),
    ports,
    pci,
    dma: new ArrayDma(4096),
    isaIrq: () => NO_IRQ,
    drive: (id: string) => drives[id],
  };
  let count = 0;
  const create = async (driver: string, properties: Properties = {}) => {
    const type = await host.require("device", driver);
    return type.create({ ...context, name: `dev${count++}` } as unknown as DeviceContext, properties);
  };
  const serial = (base: number, unit: number): string => {
    ports.write(base + 6, 0xa0 | (unit << 4), 1);
    ports.write(base + 7, 0xec, 1);
    let text = "";
    for (let i = 0; i < 256; i++) {
      const word = ports.read(base, 2);
      if (i >= 10 && i < 20) text += String.fromCharCode(word >> 8, word & 0xff);
    }
    return text.trim();
  };
  return { create, pci, ports, disk, serial };
}

const message = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "no error",
    (error: Error) => error.message,
  );

test("the controller is function 1 of slot 1, as drivers find it", async () => {
  const { create, pci } = await board();
  await create("piix3-ide");
  assert.is(pci.configRead(9, 0, 4), 0x7010_8086);
  assert.is(pci.configRead(9, 8, 4), 0x0101_8000);
  assert.is(pci.configRead(9, 0x06, 2), 0x0280);
  pci.configWrite(9, 0x20, 0xffff_ffff, 4);
  assert.is(pci.configRead(9, 0x20, 4), 0xffff_fff1);
  pci.configWrite(9, 0x40, 0x8000, 2);
  assert.is(pci.configRead(9, 0x40, 2), 0x8000);
  assert.is(pci.configRead(9, 0x3d, 1), 0);
});

test("drives take the first free place, or the one they ask for", async () => {
  const { create, serial } = await board();
  await create("piix3-ide");
  await create("ide-hd", { drive: "disk" });
  await create("ide-hd", { drive: "disk2", bus: "ide.1", unit: 1, serial: "mine" });
  await create("ide-hd", { drive: "disk3" });
  await create("ide-cd");
  assert.is(serial(0x1f0, 0), "QM00001");
  assert.is(serial(0x1f0, 1), "QM00002");
  assert.is(serial(0x170, 1), "mine");
  assert.is(await message(create("ide-hd", { drive: "disk5" })), "Bus is full");
});

test("what cannot be is refused with QEMU's words", async () => {
  const { create, disk } = await board();
  assert.match(await message(create("ide-hd", { drive: "disk" })), "No 'IDE' bus found for device 'ide-hd'");
  await create("piix3-ide");
  assert.match(await message(create("ide-hd")), "drive property not set");
  assert.match(await message(create("ide-hd", { drive: "disk", bus: "ide.2" })), "Bus 'ide.2' not found");
  assert.match(await message(create("ide-hd", { drive: "disk", unit: 2 })), "bus supports only 2 units");
  assert.match(await message(create("ide-hd", { drive: "disk", cyls: 5, heads: 17, secs: 63 })), "heads must be");
  await create("ide-hd", { drive: "disk", unit: 0, bus: "ide.0" });
  assert.match(await message(create("ide-cd", { unit: 0, bus: "ide.0" })), "IDE unit 0 is in use");
  disk.readOnly = true;
  assert.match(await message(create("ide-hd", { drive: "disk" })), "Block node is read-only");
  disk.inserted = false;
  assert.match(await message(create("ide-hd", { drive: "disk" })), "drive is empty");
});

test.run();
