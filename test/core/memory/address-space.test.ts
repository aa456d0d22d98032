import { test } from "uvu";
import * as assert from "uvu/assert";
import type { IoRegion } from "../../../core/bus/io.ts";
import { AddressSpace, PAGE_CODE, PAGE_READ, PAGE_WRITE } from "../../../core/memory/address-space.ts";
import { type GuestBlock, GuestMemory } from "../../../core/memory/guest-memory.ts";

const PAGE = 4096;
const RAM_SIZE = 64 * PAGE;

function registers(name: string, length: number): { region: IoRegion; log: string[] } {
  const log: string[] = [];
  const region: IoRegion = {
    name,
    length,
    handler: {
      read: (offset, size) => {
        log.push(`r${offset}/${size}`);
        return 0xa5a5a5a5;
      },
      write: (offset, value, size) => void log.push(`w${offset}/${size}=${value}`),
    },
  };
  return { region, log };
}

function machine(): { space: AddressSpace; ram: GuestBlock; memory: GuestMemory } {
  const memory = GuestMemory.create({ reserved: 8 << 20, ram: RAM_SIZE * 2 });
  const space = new AddressSpace(memory);
  const ram = memory.allocateBlock("ram", RAM_SIZE);
  space.map("ram", 0, RAM_SIZE, { kind: "ram", block: ram });
  return { space, ram, memory };
}

test("RAM is direct in the page map, and nothing else is", () => {
  const { space, ram } = machine();
  assert.is(space.pageMap[3], (ram.address + 3 * PAGE) | PAGE_READ | PAGE_WRITE);
  assert.is(space.pageMap[64], 0);
  space.write(0x1234, 0xdeadbeef, 4);
  assert.is(space.read(0x1234, 4), 0xdeadbeef);
  assert.is(ram.bytes[0x1234], 0xef);
});

test("what nobody claims reads as ones and swallows writes", () => {
  const { space } = machine();
  assert.is(space.read(0x8000_0000, 1), 0xff);
  assert.is(space.read(0x8000_0000, 2), 0xffff);
  assert.is(space.read(2 ** 40, 4), 0xffffffff);
  space.write(2 ** 40, 1, 4);
});

test("a register region of higher priority hides RAM until it is disabled, moved or removed", () => {
  const { space, ram } = machine();
  const { region, log } = registers("regs", PAGE);
  const mapped = space.map("regs", 2 * PAGE, PAGE, { kind: "io", region }, 1);
  assert.is(space.pageMap[2], 0);
  assert.is(space.read(2 * PAGE + 4, 2), 0xa5a5);
  space.write(2 * PAGE + 8, 0x77, 1);
  assert.equal(log, ["r4/2", "w8/1=119"]);
  mapped.setEnabled(false);
  assert.ok(space.pageMap[2] & PAGE_READ);
  mapped.setEnabled(true);
  mapped.move(5 * PAGE);
  assert.ok(space.pageMap[2] & PAGE_READ);
  assert.is(space.pageMap[5], 0);
  mapped.remove();
  assert.is(space.pageMap[5], (ram.address + 5 * PAGE) | PAGE_READ | PAGE_WRITE);
});

test("ROM reads directly and drops writes; romd sends them to registers", () => {
  const { space, memory } = machine();
  const rom = memory.allocateBlock("rom", PAGE, true);
  rom.bytes[0] = 0x55;
  space.map("rom", PAGE, PAGE, { kind: "rom", block: rom }, 1);
  assert.is(space.pageMap[1] & (PAGE_READ | PAGE_WRITE), PAGE_READ);
  space.write(PAGE, 0, 1);
  assert.is(space.read(PAGE, 1), 0x55);
  const { region, log } = registers("flash", PAGE);
  space.map("flash", PAGE, PAGE, { kind: "romd", block: rom, write: region }, 2);
  space.write(PAGE + 3, 9, 1);
  assert.equal(log, ["w3/1=9"]);
});

test("an access across the end of a region is split", () => {
  const { space } = machine();
  const { region, log } = registers("regs", PAGE);
  space.map("regs", RAM_SIZE, PAGE, { kind: "io", region });
  space.write(RAM_SIZE - 2, 0x11223344, 4);
  assert.equal(log, ["w0/1=34", "w1/1=17"]);
  assert.is(space.read(RAM_SIZE - 2, 2), 0x3344);
  assert.is(space.read(RAM_SIZE - 1, 2), 0xa533);
});

test("pages that hold code stay marked when they are mapped elsewhere, and writes to them are told", () => {
  const { space, ram } = machine();
  const told: [number, number][] = [];
  space.onWrite((address, length) => void told.push([address, length]));
  space.setPageFlag(ram.address + 7 * PAGE, PAGE_CODE, true);
  assert.ok(space.pageMap[7] & PAGE_CODE);
  const alias = space.map("alias", 0x10_0000, PAGE, { kind: "ram", block: ram, offset: 7 * PAGE });
  assert.ok(space.pageMap[0x100] & PAGE_CODE, "the alias shows the mark");
  alias.remove();
  assert.ok(space.pageMap[7] & PAGE_CODE, "the rebuilt map keeps it");
  space.dma.write(7 * PAGE + 16, new Uint8Array(3));
  assert.equal(told, [[ram.address + 7 * PAGE + 16, 3]]);
  space.setPageFlag(ram.address + 7 * PAGE, PAGE_CODE, false);
  assert.not(space.pageMap[7] & PAGE_CODE);
});

test("a batch rebuilds the map once, and listeners hear of it", () => {
  const { space, ram } = machine();
  let changes = 0;
  space.onMapChange(() => changes++);
  space.batch(() => {
    for (let i = 0; i < 5; i++) space.map(`a${i}`, 0x10_0000 + i * PAGE, PAGE, { kind: "ram", block: ram });
  });
  assert.is(changes, 1);
});

test("DMA crosses from RAM into nothing and into registers", () => {
  const { space } = machine();
  const { region, log } = registers("regs", PAGE);
  space.map("regs", RAM_SIZE, 2, { kind: "io", region });
  const bytes = new Uint8Array(6);
  space.dma.read(RAM_SIZE - 2, bytes);
  assert.equal([...bytes], [0, 0, 0xa5, 0xa5, 0xff, 0xff]);
  assert.equal(log, ["r0/2"]);
});

test("flatten lists what is visible in ascending order", () => {
  const { space } = machine();
  const { region } = registers("regs", PAGE);
  space.map("regs", 2 * PAGE, PAGE, { kind: "io", region }, 1);
  const flat = space.flatten().map(({ start, end, region: { name } }) => [start / PAGE, end / PAGE, name]);
  assert.equal(flat, [
    [0, 2, "ram"],
    [2, 3, "regs"],
    [3, 64, "ram"],
  ]);
});

test("guest memory that does not fit 32-bit addresses is refused", () => {
  assert.throws(() => GuestMemory.create({ reserved: 0, ram: 2 ** 32 }), /cannot set up guest memory/);
});

test("DMA accesses registers as widely as alignment and length allow", () => {
  const { space } = machine();
  const io = registers("io", PAGE);
  space.map("io", 0x100000, PAGE, { kind: "io", region: io.region });
  space.dma.write(0x100001, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10));
  assert.equal(io.log.splice(0), ["w1/1=1", `w2/2=${0x0302}`, `w4/4=${0x07060504}`, `w8/2=${0x0908}`, "w10/1=10"]);
  const bytes = new Uint8Array(7);
  space.dma.read(0x100004, bytes);
  assert.equal(io.log.splice(0), ["r4/4", "r8/2", "r10/1"]);
  assert.equal([...bytes], [0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5]);
});

test("DMA over registers, holes, ROM and memory above 4 GiB", () => {
  const { space, memory } = machine();
  const low = registers("low", 8);
  const high = registers("high", 4);
  const rom = memory.allocateBlock("rom", PAGE, true);
  rom.bytes.fill(0x42);
  space.map("low", 0x200000, 8, { kind: "io", region: low.region });
  space.map("high", 0x200004, 4, { kind: "io", region: high.region }, 1);
  space.map("rom", 0x201000, PAGE, { kind: "rom", block: rom });
  space.dma.write(0x1ffff0, new Uint8Array(2 * PAGE).fill(7));
  assert.equal([low.log.splice(0), high.log.splice(0)], [[`w0/4=${0x07070707}`], [`w0/4=${0x07070707}`]]);
  assert.is(rom.bytes[0], 0x42, "ROM stays");
  const bytes = new Uint8Array(2 * PAGE);
  space.dma.read(0x200000, bytes);
  assert.equal([bytes[0], bytes[7], bytes[8], bytes[PAGE - 1], bytes[PAGE]], [0xa5, 0xa5, 0xff, 0xff, 0x42]);

  const ram = memory.allocateBlock("ram-high", 2 * PAGE);
  space.map("ram-high", 2 ** 32, 2 * PAGE, { kind: "ram", block: ram });
  const written: number[][] = [];
  space.onWrite((address, length) => written.push([address - ram.address, length]));
  space.dma.write(2 ** 32 + 10, Uint8Array.of(1, 2, 3));
  assert.equal(written, [[10, 3]]);
  assert.equal([...ram.bytes.subarray(10, 13)], [1, 2, 3]);
});

test("DMA over a hole of 256 MiB costs nothing", () => {
  const { space } = machine();
  const io = registers("io", 16);
  space.map("io", 0xf000_0000, 16, { kind: "io", region: io.region });
  const data = new Uint8Array(1 << 28);
  space.dma.write(0xf000_0008 - data.length, data);
  assert.equal(io.log, ["w0/4=0", "w4/4=0"]);
});

test.run();
