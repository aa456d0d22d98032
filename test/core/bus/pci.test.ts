import { test } from "uvu";
import * as assert from "uvu/assert";
import type { IoRegion } from "../../../core/bus/io.ts";
import { PCI_COMMAND, PciBus, PciDevice } from "../../../core/bus/pci.ts";
import { irqLine } from "../../../core/irq.ts";
import { StateArena } from "../../../core/state/state.ts";

const REGION: IoRegion = { name: "regs", length: 32, handler: { read: () => 0, write() {} } };
const BAR0 = 0x10;

function bus(): { bus: PciBus; mapped: string[]; levels: boolean[]; device(name: string): PciDevice } {
  const mapped: string[] = [];
  const levels = [false, false, false, false];
  const arena = StateArena.create();
  const spaces = {
    map(kind: "io" | "mem", base: number): () => void {
      mapped.push(`+${kind}:${base.toString(16)}`);
      return () => void mapped.push(`-${kind}:${base.toString(16)}`);
    },
  };
  const inputs = levels.map((_, i) => irqLine((level) => void (levels[i] = level)));
  const pci = new PciBus(spaces, { input: (devfn, pin) => ((devfn >> 3) + pin - 1) & 3, inputs });
  const device = (name: string): PciDevice =>
    new PciDevice({ name, arena }, { vendorId: 0x1234, deviceId: 0x5678, classCode: 0x0200, interruptPin: 1 });
  return { bus: pci, mapped, levels, device };
}

test("a missing function reads all ones", () => {
  const { bus: pci } = bus();
  assert.is(pci.configRead(0x18, 0, 4), 0xffffffff);
  assert.is(pci.configRead(0x18, 0, 2), 0xffff);
  pci.configWrite(0x18, 4, 7, 2);
});

test("sizing a base address register", () => {
  const { bus: pci, device } = bus();
  const nic = device("nic");
  nic.registerBar(0, { kind: "io", size: 32, target: { region: REGION } });
  nic.registerBar(1, { kind: "mem", size: 4096, prefetchable: true, target: { region: REGION } });
  pci.plug(nic, 0x18);
  pci.configWrite(0x18, BAR0, 0xffffffff, 4);
  pci.configWrite(0x18, BAR0 + 4, 0xffffffff, 4);
  assert.is(pci.configRead(0x18, BAR0, 4), 0xffffffe1);
  assert.is(pci.configRead(0x18, BAR0 + 4, 4), 0xfffff008);
  assert.is(pci.configRead(0x18, BAR0 + 8, 4), 0);
});

test("a region is mapped while its decode bit is set, and follows its register", () => {
  const { bus: pci, mapped, device } = bus();
  const nic = device("nic");
  nic.registerBar(0, { kind: "io", size: 32, target: { region: REGION } });
  pci.plug(nic, 0x18);
  pci.configWrite(0x18, BAR0, 0xc000, 4);
  assert.equal(mapped, []);
  pci.configWrite(0x18, PCI_COMMAND, 1, 2);
  pci.configWrite(0x18, BAR0, 0xd000, 4);
  pci.configWrite(0x18, PCI_COMMAND, 0, 2);
  assert.equal(mapped, ["+io:c000", "-io:c000", "+io:d000", "-io:d000"]);
});

test("read-only configuration stays, and reset restores it", () => {
  const { bus: pci, device } = bus();
  const nic = device("nic");
  pci.plug(nic, 0x18);
  for (let offset = 0; offset < 256; offset += 4) pci.configWrite(0x18, offset, 0xffffffff, 4);
  assert.is(pci.configRead(0x18, 0, 4), 0x56781234);
  assert.is(pci.configRead(0x18, 0x0a, 2), 0x0200);
  nic.resetConfig();
  assert.is(pci.configRead(0x18, PCI_COMMAND, 2), 0);
});

test("functions that share an interrupt input keep it asserted until the last one lets go", () => {
  const { bus: pci, levels, device } = bus();
  const [a, b] = [device("a"), device("b")];
  pci.plug(a, 3 << 3);
  pci.plug(b, 7 << 3);
  a.setIrq(true);
  b.setIrq(true);
  a.setIrq(false);
  assert.equal(levels, [false, false, false, true]);
  b.setIrq(false);
  assert.equal(levels, [false, false, false, false]);
});

test("INTx disable releases the pin", () => {
  const { bus: pci, levels, device } = bus();
  const nic = device("nic");
  pci.plug(nic, 3 << 3);
  nic.setIrq(true);
  pci.configWrite(3 << 3, PCI_COMMAND, 0x400, 2);
  assert.not(levels[3]);
  pci.configWrite(3 << 3, PCI_COMMAND, 0, 2);
  assert.ok(levels[3]);
});

test("a taken slot is refused by name; free slots are given from 3 on", () => {
  const { bus: pci, device } = bus();
  pci.plug(device("a"), 3 << 3);
  assert.throws(() => pci.plug(device("b"), 3 << 3), /slot 3 function 0 already occupied by a/);
  const c = device("c");
  pci.plug(c);
  assert.is(c.devfn, 4 << 3);
});

test.run();
