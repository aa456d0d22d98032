import { test } from "uvu";
import * as assert from "uvu/assert";
import { MemoryBlockPort } from "../../../../core/block/port.ts";
import type { SavedState } from "../../../../core/state/state.ts";
import { Bench, BMIDE, CONTROL, COUNT, DATA, DEVICE, diskImage, ERROR, HIGH, LOW, MID, PRDT, STATUS } from "./bench.ts";

const BSY = 0x80;
const READY = 0x50;
const DRQ = 0x58;

const signature = (bench: Bench): number[] => [COUNT, LOW, MID, HIGH].map((port) => bench.in(port));

test("an empty channel reads as zeros", () => {
  const bench = new Bench();
  for (let port = DATA + 1; port <= STATUS; port++) assert.is(bench.in(port), 0);
  bench.out(STATUS, 0xec);
  assert.is(bench.alt, 0);
  assert.is(bench.rises, 0);
});

test("signatures after power-on; an absent device 1 has status 0", () => {
  const bench = new Bench();
  bench.disk(10);
  assert.equal(signature(bench), [1, 1, 0, 0]);
  assert.is(bench.in(ERROR), 1);
  assert.is(bench.in(STATUS), READY);
  bench.out(DEVICE, 0xb0);
  assert.is(bench.in(STATUS), 0);
  assert.equal(signature(bench), [1, 1, 0, 0], "libata takes this and status 0 for no drive, without a message");
  assert.is(bench.in(DEVICE), 0xb0);
  bench.out(STATUS, 0xec);
  assert.is(bench.in(STATUS), 0, "commands to nobody have no effect");
  const atapi = new Bench();
  atapi.cdrom(new MemoryBlockPort(diskImage(4, 2048)));
  assert.equal(signature(atapi), [1, 1, 0x14, 0xeb]);
  assert.is(atapi.in(STATUS), 0);
});

test("registers read back, the way drivers look for a device", () => {
  const bench = new Bench();
  bench.disk(10);
  bench.out(COUNT, 0x55);
  bench.out(LOW, 0xaa);
  bench.out(COUNT, 0xaa);
  bench.out(LOW, 0x55);
  assert.equal([bench.in(COUNT), bench.in(LOW)], [0xaa, 0x55]);
  bench.out(CONTROL, 0x80);
  assert.equal([bench.in(COUNT), bench.in(LOW)], [0x55, 0xaa], "previous contents");
  bench.out(COUNT, 1);
  assert.is(bench.in(COUNT), 1, "a write clears HOB");
});

test("SRST: busy while set, then signatures, and no interrupt", () => {
  const bench = new Bench();
  bench.disk(10);
  bench.lba28(0xec, 0, 0);
  assert.ok(bench.irq);
  bench.out(CONTROL, 4);
  assert.not.ok(bench.irq);
  assert.is(bench.alt, BSY);
  bench.out(COUNT, 9);
  bench.out(STATUS, 0xec);
  assert.is(bench.alt, BSY, "nothing else is heard");
  bench.out(CONTROL, 0);
  assert.is(bench.in(STATUS), READY);
  assert.equal(signature(bench), [1, 1, 0, 0]);
  assert.is(bench.rises, 1);
});

test("SRST during a backend request: busy until it is over, its data unused", () => {
  const bench = new Bench();
  const drive = bench.disk(10);
  bench.startDma([[0x8000, 512]], true);
  bench.lba28(0xc8, 3, 1);
  bench.out(CONTROL, 4);
  bench.out(CONTROL, 0);
  assert.is(bench.alt, BSY);
  bench.lba28(0xec, 0, 0);
  assert.is(bench.alt, BSY, "no command may use the buffer yet");
  drive.complete();
  assert.is(bench.in(STATUS), READY);
  assert.is(bench.rises, 0);
  assert.is(bench.dma.read32(0x8000), 0, "no late DMA");
  bench.lba28(0xec, 0, 0);
  assert.is(bench.in(STATUS), DRQ);
});

test("a machine reset during a backend request", () => {
  const bench = new Bench();
  const drive = bench.disk(10);
  bench.startDma([[0x8000, 512]], true);
  bench.lba28(0xc8, 3, 1);
  bench.controller.reset();
  bench.powerUp();
  bench.startDma([[0x8000, 512]], true);
  drive.complete();
  assert.is(bench.in(STATUS), READY);
  assert.is(bench.rises, 0);
  assert.is(bench.dma.read32(0x8000), 0);
  assert.is(bench.in(BMIDE + 2), 1);
  bench.lba28(0xc8, 4, 1);
  drive.complete();
  assert.is(bench.dma.read32(0x8000), 4);
});

test("two resets while one request is under way", () => {
  const bench = new Bench();
  const drive = bench.disk(10);
  bench.lba28(0x20, 3, 1);
  for (let i = 0; i < 2; i++) {
    bench.out(CONTROL, 4);
    bench.out(CONTROL, 0);
  }
  drive.complete();
  assert.is(bench.in(STATUS), READY);
});

test("nIEN keeps the line low and the interrupt pending", () => {
  const bench = new Bench();
  bench.disk(10);
  bench.out(CONTROL, 2);
  bench.lba28(0xec, 0, 0);
  assert.not.ok(bench.irq);
  bench.out(CONTROL, 0);
  assert.ok(bench.irq);
  bench.out(CONTROL, 2);
  assert.not.ok(bench.irq);
  bench.in(STATUS);
  bench.out(CONTROL, 0);
  assert.not.ok(bench.irq);
});

test("the line shows the selected device's interrupt", () => {
  const bench = new Bench();
  bench.disk(10);
  bench.disk(20, 1);
  bench.out(STATUS, 0xe0);
  assert.ok(bench.irq);
  bench.out(DEVICE, 0xb0);
  assert.not.ok(bench.irq);
  bench.out(DEVICE, 0xa0);
  assert.ok(bench.irq);
});

test("two devices answer each for itself", () => {
  const bench = new Bench();
  const master = bench.disk(10);
  const slave = bench.disk(20, 1);
  const read = (unit: number, lba: number): number => {
    bench.lba28(0x20, lba, 1, unit);
    master.complete();
    slave.complete();
    assert.is(bench.in(STATUS), DRQ);
    return new Uint32Array(bench.readWords(512).buffer)[0];
  };
  assert.is(read(0, 9), 9);
  assert.is(read(1, 19), 19);
  bench.lba28(0x20, 19, 1, 0);
  assert.is(bench.in(STATUS), 0x51);
});

test("registers are not written while a command runs", () => {
  const bench = new Bench();
  const drive = bench.disk(10);
  bench.lba28(0x20, 7, 1);
  bench.out(LOW, 1);
  bench.out(DEVICE, 0xb0);
  bench.out(STATUS, 0xec);
  drive.complete();
  assert.is(bench.in(DEVICE) & 0x10, 0);
  assert.is(bench.readWords(512)[0], 7);
});

test("EXECUTE DEVICE DIAGNOSTIC", () => {
  const bench = new Bench();
  bench.disk(10);
  bench.disk(10, 1);
  bench.out(DEVICE, 0xb0);
  bench.out(STATUS, 0x90);
  assert.ok(bench.irq);
  assert.is(bench.in(DEVICE) & 0x10, 0);
  assert.is(bench.in(ERROR), 1);
  assert.is(bench.in(STATUS), READY);
  assert.equal(signature(bench), [1, 1, 0, 0]);
});

test("bus master registers: writable bits, alignment, write one to clear", () => {
  const bench = new Bench();
  bench.out(BMIDE + 4, 0xffff_ffff, 4);
  assert.is(bench.in(BMIDE + 4, 4), 0xffff_fffc);
  bench.out(BMIDE + 12, 0x1234_5678, 4);
  assert.is(bench.in(BMIDE + 12, 4), 0x1234_5678);
  bench.out(BMIDE + 2, 0xff);
  assert.is(bench.in(BMIDE + 2), 0x60);
  bench.out(BMIDE, 0xff);
  assert.is(bench.in(BMIDE), 0x09);
  assert.is(bench.in(BMIDE + 2), 0x61);
  bench.out(BMIDE, 0);
  assert.is(bench.in(BMIDE + 2), 0x60);
  assert.is(bench.in(BMIDE + 1), 0);
});

test("descriptor tables: odd addresses and counts, wrap at 64 KiB", () => {
  const bench = new Bench();
  const drive = bench.disk(10);
  const table = 0x2fff8;
  bench.dma.write32(table, 0x8001);
  bench.dma.write32(table + 4, 255);
  bench.dma.write32(0x20000, 0x9000);
  bench.dma.write32(0x20004, 0x8000_0000 | 258);
  bench.out(BMIDE + 4, table, 4);
  bench.out(BMIDE, 9);
  bench.lba28(0xc8, 3, 1);
  drive.complete();
  assert.is(bench.in(BMIDE + 2), 4);
  assert.is(bench.dma.read32(0x8000), 3);
  assert.is(bench.dma.bytes[0x90ff], 4);
});

test("a table of the smallest descriptors ends with the transfer", () => {
  const bench = new Bench();
  const drive = bench.disk(10);
  for (let i = 0; i < 8192; i++) {
    bench.dma.write32(0x20000 + i * 8, 0x8000);
    bench.dma.write32(0x20004 + i * 8, 2);
  }
  bench.out(BMIDE + 4, 0x20000, 4);
  bench.out(BMIDE, 9);
  bench.lba28(0xc8, 0, 10);
  drive.complete();
  assert.is(bench.rises, 1);
  assert.is(bench.in(BMIDE + 2), 5);
});

/** Saves, runs `disturb` on the machine, and loads again. */
function saveAndLoad(bench: Bench): void {
  const saved = JSON.parse(JSON.stringify(bench.arena.save())) as Record<string, SavedState>;
  bench.controller.reset();
  bench.arena.load(saved);
  assert.equal(bench.arena.save(), saved);
  bench.controller.loaded();
}

test("a read saved in the middle of its data goes on after loading", () => {
  const bench = new Bench();
  const drive = bench.disk(300);
  bench.lba28(0x20, 0, 200);
  drive.complete();
  for (let i = 0; i < 100; i++) bench.readWords(512);
  bench.readWords(100);
  saveAndLoad(bench);
  assert.is(bench.in(STATUS), DRQ);
  assert.is(bench.readWords(412)[411], 101);
  for (let i = 101; i < 200; i++) {
    drive.complete();
    assert.is(bench.readWords(512)[0], i);
  }
  assert.is(bench.alt, READY);
});

test("a read saved while the backend works is asked for again", () => {
  const bench = new Bench();
  const drive = bench.disk(300);
  bench.startDma([[0x8000, 1024]], true);
  bench.lba28(0xc8, 7, 2);
  saveAndLoad(bench);
  drive.complete();
  assert.is(bench.rises, 1);
  assert.is(bench.dma.read32(0x8200), 8);
  assert.is(bench.in(STATUS), READY);
});

test("a write saved while the backend works is written", () => {
  const bench = new Bench();
  const drive = bench.disk(300);
  bench.lba28(0x30, 7, 1);
  bench.writeWords(new Uint8Array(512).fill(0x77));
  saveAndLoad(bench);
  drive.complete();
  assert.is(bench.in(STATUS), READY);
  assert.is(drive.bytes[7 * 512 + 511], 0x77);
});

test("hostile accesses never throw and never hang", () => {
  let seed = 12345;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor((seed / 2 ** 32) * below);
  };
  const bench = new Bench();
  const disk = bench.disk(500);
  const cd = new MemoryBlockPort(diskImage(40, 2048));
  bench.cdrom(cd, 1);
  for (let i = 0; i < 2048; i++) bench.dma.write32(PRDT + i * 4, random(2 ** 32));
  const commands = [
    0x20, 0x24, 0x25, 0x29, 0x30, 0x35, 0x39, 0xc4, 0xc5, 0xc8, 0xca, 0x06, 0xa0, 0xa1, 0xec, 0x08, 0xb0,
  ];
  for (let i = 0; i < 40_000; i++) {
    const size = ([1, 2, 4] as const)[random(3)];
    const port = random(4) === 0 ? BMIDE + random(16) : random(20) === 0 ? CONTROL : DATA + random(8);
    if (random(2)) bench.in(port, size);
    else bench.out(port, port === STATUS && random(2) ? commands[random(commands.length)] : random(2 ** 32), size);
    if (random(20) === 0) {
      bench.out(DEVICE, [0xa0, 0xe0, 0xf0][random(3)]);
      for (let n = random(600); n > 0; n--) bench.out(DATA, random(65536), 2);
      if (random(3) === 0) bench.startDma([[0x20000, random(65536)]], random(2) === 0);
    }
    if (random(30) === 0) disk.nextError = "eio";
    if (random(30) === 0) cd.change(random(2) ? cd.bytes : undefined);
    if (random(5) === 0) {
      disk.complete();
      cd.complete();
    }
    if (random(2000) === 0) bench.controller.reset();
    if (random(100) === 0) bench.powerUp();
  }
  disk.complete();
  cd.complete();
  bench.controller.reset();
  assert.is(bench.in(STATUS), READY);
});

test.run();
