import { test } from "uvu";
import * as assert from "uvu/assert";
import { Bench, BMIDE, CONTROL, COUNT, DEVICE, diskImage, ERROR, HIGH, LOW, MID, STATUS } from "./bench.ts";

const BSY = 0x80;
const READY = 0x50;
const DRQ = 0x58;
const FAILED = 0x51;

/** IDENTIFY DEVICE data as words. */
function identify(bench: Bench, command = 0xec): Uint16Array {
  bench.lba28(command, 0, 0);
  assert.is(bench.alt, DRQ);
  return new Uint16Array(bench.readWords(512).buffer);
}

function ataString(words: Uint16Array, first: number, count: number): string {
  return [...words.subarray(first, first + count)].map((w) => String.fromCharCode(w >> 8, w & 0xff)).join("");
}

test("IDENTIFY DEVICE: what drivers read", () => {
  const bench = new Bench();
  bench.disk(20 * 16 * 63 + 5);
  const words = identify(bench);
  assert.is(bench.rises, 1);
  assert.is(bench.alt, READY, "no more data after 256 words");
  assert.is(words[0] & 0x8000, 0, "an ATA device");
  assert.equal([words[1], words[3], words[6]], [20, 16, 63]);
  assert.is(ataString(words, 10, 10), "QM00001             ");
  assert.is(ataString(words, 23, 4), "2.5+    ");
  assert.is(ataString(words, 27, 20), "QEMU HARDDISK".padEnd(40));
  assert.is(words[47], 0x8010, "16 sectors per block");
  assert.is(words[49] & 0x0300, 0x0300, "LBA and DMA");
  assert.is(words[53], 7);
  assert.equal([words[54], words[55], words[56]], [20, 16, 63]);
  assert.is(words[57] | (words[58] << 16), 20 * 16 * 63);
  assert.is(words[59], 0x0110);
  assert.is(words[60] | (words[61] << 16), 20 * 16 * 63 + 5);
  assert.is(words[80] & 0x80, 0x80, "ATA/ATAPI-7");
  assert.is(words[83] & 0xc000, 0x4000);
  assert.is(words[83] & 0x0400, 0x0400, "48-bit addresses");
  assert.is(words[86] & 0x0400, 0x0400);
  assert.is(words[100] | (words[101] << 16), 20 * 16 * 63 + 5);
  assert.is(words[93] & 0xe000, 0x6000, "80-conductor cable");
  assert.is(words[106] & 0xc000, 0x4000);
  const bytes = new Uint8Array(words.buffer);
  assert.is(bytes[510], 0xa5);
  assert.is(
    bytes.reduce((sum, byte) => (sum + byte) & 0xff, 0),
    0,
    "checksum",
  );
});

test("IDENTIFY DEVICE of a disk beyond 28 bits, with a name", () => {
  const bench = new Bench();
  const sectors = 2 ** 31 + 2 ** 20;
  const drive = { ...bench.disk(1, 1), length: sectors * 512, inserted: true, readOnly: false };
  bench.attach(drive as never, 0, { wwn: 0x5000_c500_1234_5678n, rotationRate: 1 });
  const words = identify(bench);
  assert.is((words[60] | (words[61] << 16)) >>> 0, 0x0fff_ffff);
  assert.is(words[100] + words[101] * 65536 + words[102] * 2 ** 32, sectors);
  assert.is(words[1], 16383);
  assert.equal([...words.subarray(108, 112)], [0x5000, 0xc500, 0x1234, 0x5678]);
  assert.is(words[87] & 0x0100, 0x0100);
  assert.is(words[217], 1);
});

test("READ SECTORS: one block and one interrupt per sector", () => {
  const bench = new Bench();
  const drive = bench.disk(300);
  bench.lba28(0x20, 5, 3);
  assert.is(bench.alt, BSY, "busy while the disk works");
  assert.is(bench.rises, 0);
  drive.complete();
  for (let i = 0; i < 3; i++) {
    assert.is(bench.rises, i + 1);
    assert.ok(bench.irq);
    assert.is(bench.alt, DRQ);
    assert.ok(bench.irq, "alternate status leaves the interrupt alone");
    assert.is(bench.in(STATUS), DRQ);
    assert.not.ok(bench.irq, "reading status clears it");
    const data = bench.readWords(512);
    assert.equal([...data], [...drive.bytes.subarray((5 + i) * 512, (6 + i) * 512)]);
  }
  assert.is(bench.alt, READY);
  assert.is(bench.rises, 3, "none after the last block");
  assert.is(bench.in(LOW), 7, "address of the last sector");
});

test("READ SECTORS with a count of 0 reads 256; 32-bit accesses; more than a buffer", () => {
  const bench = new Bench();
  const drive = bench.disk(400);
  bench.lba28(0x20, 100, 0);
  const got: number[] = [];
  for (let i = 0; i < 256; i++) {
    drive.complete();
    assert.is(bench.in(STATUS), DRQ);
    got.push(...bench.readWords(512, 4));
  }
  assert.is(bench.alt, READY);
  assert.is(bench.rises, 256);
  assert.is(Buffer.compare(Buffer.from(got), drive.bytes.subarray(100 * 512, 356 * 512)), 0);
});

test("READ MULTIPLE: DRQ blocks of the chosen size, the last one shorter", () => {
  const bench = new Bench();
  const drive = bench.disk(300);
  bench.out(COUNT, 8);
  bench.out(STATUS, 0xc6);
  assert.is(bench.in(STATUS), READY);
  bench.rises = 0;
  bench.lba48(0x29, 10, 20);
  drive.complete();
  for (const [block, sectors] of [8, 8, 4].entries()) {
    assert.is(bench.rises, block + 1);
    assert.is(bench.in(STATUS), DRQ);
    const data = bench.readWords(sectors * 512);
    assert.is(data[0], 10 + block * 8);
  }
  assert.is(bench.alt, READY);
  assert.is(bench.rises, 3);
});

test("SET MULTIPLE MODE refuses what is no power of two up to 16; zero disables READ MULTIPLE", () => {
  const bench = new Bench();
  bench.disk(10);
  for (const [count, status] of [
    [3, FAILED],
    [32, FAILED],
    [16, READY],
    [0, READY],
  ]) {
    bench.out(COUNT, count);
    bench.out(STATUS, 0xc6);
    assert.is(bench.in(STATUS), status);
  }
  bench.lba28(0xc4, 0, 1);
  assert.is(bench.in(STATUS), FAILED);
  assert.is(bench.in(ERROR), 4);
});

test("WRITE SECTORS: no interrupt before the first block, one before each other, one at the end", () => {
  const bench = new Bench();
  const drive = bench.disk(20);
  const data = diskImage(3).map((byte) => byte ^ 0x5a);
  bench.lba28(0x30, 4, 3);
  assert.is(bench.alt, DRQ);
  assert.is(bench.rises, 0);
  for (let i = 0; i < 3; i++) {
    assert.is(bench.rises, i);
    bench.in(STATUS);
    bench.writeWords(data.subarray(i * 512, (i + 1) * 512));
  }
  assert.is(bench.alt, BSY);
  drive.complete();
  assert.is(bench.rises, 3);
  assert.is(bench.in(STATUS), READY);
  assert.is(Buffer.compare(drive.bytes.subarray(4 * 512, 7 * 512), data), 0);
});

test("WRITE MULTIPLE EXT", () => {
  const bench = new Bench();
  const drive = bench.disk(64);
  bench.lba48(0x39, 1, 18);
  const data = new Uint8Array(18 * 512).fill(0xaa);
  bench.writeWords(data.subarray(0, 16 * 512));
  assert.is(bench.in(STATUS), DRQ);
  bench.writeWords(data.subarray(16 * 512));
  drive.complete();
  assert.is(bench.rises, 2);
  assert.ok(drive.bytes.subarray(512, 19 * 512).every((byte) => byte === 0xaa));
  assert.is(drive.bytes[19 * 512], 19);
});

test("cylinder, head, sector addresses, and INITIALIZE DEVICE PARAMETERS", () => {
  const bench = new Bench();
  const drive = bench.disk(2000);
  const readChs = (cylinder: number, head: number, sector: number): number => {
    bench.out(DEVICE, 0xa0 | head);
    bench.out(COUNT, 1);
    bench.out(LOW, sector);
    bench.out(MID, cylinder & 0xff);
    bench.out(HIGH, cylinder >> 8);
    bench.out(STATUS, 0x20);
    drive.complete();
    if (bench.in(STATUS) !== DRQ) return -bench.in(ERROR);
    return new Uint32Array(bench.readWords(512).buffer)[0];
  };
  assert.is(readChs(1, 2, 3), (1 * 16 + 2) * 63 + 2);
  assert.is(readChs(0, 0, 0), -0x10, "sectors count from 1");
  bench.out(DEVICE, 0xa0 | 3);
  bench.out(COUNT, 17);
  bench.out(STATUS, 0x91);
  assert.is(bench.in(STATUS), READY);
  assert.is(readChs(2, 1, 17), (2 * 4 + 1) * 17 + 16);
  assert.is(readChs(2, 4, 1), -0x10, "head out of range");
  const words = identify(bench);
  assert.equal([words[55], words[56]], [4, 17]);
  assert.is(words[54], Math.floor(2000 / (4 * 17)));
});

test("beyond the end: ID not found, with the address", () => {
  const bench = new Bench();
  bench.disk(100);
  bench.lba28(0x20, 99, 2);
  assert.is(bench.in(STATUS), FAILED);
  assert.is(bench.in(ERROR), 0x10);
  assert.is(bench.in(LOW), 100);
  bench.lba48(0x25, 2 ** 40 + 7, 1);
  assert.is(bench.in(STATUS), FAILED);
  bench.out(CONTROL, 0x80);
  assert.equal([bench.in(LOW), bench.in(MID), bench.in(HIGH)], [0, 0, 1]);
  bench.out(CONTROL, 0);
  assert.is(bench.in(LOW), 7);
});

test("a bad sector is uncorrectable; a failed write aborts", () => {
  const bench = new Bench();
  const drive = bench.disk(100);
  bench.lba28(0x20, 10, 1);
  drive.nextError = "eio";
  drive.complete();
  bench.lba28(0x20, 10, 1);
  drive.complete();
  bench.readWords(512);
  drive.nextError = "eio";
  bench.lba28(0x20, 42, 1);
  drive.complete();
  assert.is(bench.in(STATUS), FAILED);
  assert.is(bench.in(ERROR), 0x40);
  assert.is(bench.in(LOW), 42);
  bench.lba28(0x30, 3, 1);
  drive.nextError = "enospc";
  bench.writeWords(new Uint8Array(512));
  drive.complete();
  assert.is(bench.in(STATUS), FAILED);
  assert.is(bench.in(ERROR), 0x04);
});

test("READ DMA: 96 KiB in 64 KiB descriptors, one interrupt, active and interrupt bits", () => {
  const bench = new Bench();
  const drive = bench.disk(300);
  const regions = [
    [0x10000, 0x10000],
    [0x40000, 0x8000],
  ] as const;
  bench.startDma(regions, true);
  assert.is(bench.in(BMIDE + 2), 1, "active");
  bench.lba28(0xc8, 20, 192);
  drive.complete();
  assert.is(bench.rises, 1);
  assert.is(bench.in(BMIDE + 2), 4, "interrupt, and no longer active");
  assert.is(bench.in(STATUS), READY);
  const want = drive.bytes.subarray(20 * 512, 212 * 512);
  assert.is(Buffer.compare(bench.dma.bytes.subarray(0x10000, 0x20000), want.subarray(0, 0x10000)), 0);
  assert.is(Buffer.compare(bench.dma.bytes.subarray(0x40000, 0x48000), want.subarray(0x10000)), 0);
  bench.out(BMIDE + 2, 4);
  bench.out(BMIDE, 0);
  assert.is(bench.in(BMIDE + 2), 0);
});

test("READ DMA where the command comes before the start bit", () => {
  const bench = new Bench();
  const drive = bench.disk(30);
  bench.lba28(0xc8, 3, 2);
  drive.complete();
  assert.is(bench.rises, 0);
  assert.ok(bench.alt & BSY);
  bench.startDma([[0x8000, 1024]], true);
  assert.is(bench.rises, 1);
  assert.is(bench.dma.read32(0x8000), 3);
  assert.is(bench.dma.read32(0x8200), 4);
});

test("WRITE DMA EXT gathers small descriptors", () => {
  const bench = new Bench();
  const drive = bench.disk(300);
  const regions = Array.from({ length: 512 }, (_, i) => [0x20000 + i * 1024, 256] as const);
  for (const [i, [base]] of regions.entries()) bench.dma.bytes.fill(i * 3, base, base + 256);
  bench.lba48(0x35, 17, 256);
  bench.startDma(regions, false);
  drive.complete();
  assert.is(bench.in(STATUS), READY);
  assert.is(bench.in(BMIDE + 2), 4);
  assert.ok(regions.every((_, i) => drive.bytes[17 * 512 + i * 256 + 255] === ((i * 3) & 0xff)));
});

test("a table larger than the transfer stays active", () => {
  const bench = new Bench();
  const drive = bench.disk(30);
  bench.startDma([[0x8000, 4096]], true);
  bench.lba28(0xc8, 3, 1);
  drive.complete();
  assert.is(bench.in(BMIDE + 2), 5);
});

test("a table smaller than the transfer: not active, no interrupt; the drive waits for more", () => {
  const bench = new Bench();
  const drive = bench.disk(30);
  bench.startDma([[0x8000, 1000]], true);
  bench.lba28(0xc8, 3, 3);
  drive.complete();
  assert.is(bench.in(BMIDE + 2), 0);
  assert.is(bench.rises, 0);
  assert.ok(bench.alt & BSY);
  bench.out(BMIDE, 8);
  bench.startDma([[0x8000 + 1000, 536]], true);
  assert.is(bench.rises, 1);
  assert.is(Buffer.compare(bench.dma.bytes.subarray(0x8000, 0x8600), drive.bytes.subarray(1536, 3072)), 0);
});

test("bus mastering switched off moves nothing", () => {
  const bench = new Bench();
  const drive = bench.disk(30);
  bench.controller.configWrite(4, 1, 2);
  bench.startDma([[0x8000, 512]], true);
  bench.lba28(0xc8, 3, 1);
  drive.complete();
  assert.is(bench.rises, 0);
  assert.is(bench.dma.read32(0x8000), 0);
});

test("READ VERIFY reads without data; SEEK and RECALIBRATE check the address", () => {
  const bench = new Bench();
  const drive = bench.disk(300);
  bench.lba28(0x40, 0, 200);
  assert.is(bench.alt, BSY);
  drive.complete();
  assert.is(bench.in(STATUS), READY);
  assert.is(bench.rises, 1);
  bench.lba28(0x40, 0, 200);
  drive.nextError = "eio";
  drive.complete();
  bench.lba28(0x70, 299, 1);
  assert.is(bench.in(STATUS), READY);
  bench.lba28(0x70, 300, 1);
  assert.is(bench.in(STATUS), FAILED);
  bench.lba28(0x10, 0, 1);
  assert.is(bench.in(STATUS), READY);
});

test("FLUSH CACHE waits for the backend; without write cache every write flushes", () => {
  const bench = new Bench();
  const drive = bench.disk(30);
  let flushes = 0;
  const { flush } = drive;
  drive.flush = (done) => {
    flushes++;
    flush.call(drive, done);
  };
  bench.lba28(0xe7, 0, 0);
  assert.is(bench.alt, BSY);
  drive.complete();
  assert.is(bench.in(STATUS), READY);
  const write = (): void => {
    bench.lba28(0x30, 1, 1);
    bench.writeWords(new Uint8Array(512));
    drive.complete();
    assert.is(bench.in(STATUS), READY);
  };
  write();
  assert.is(flushes, 1);
  bench.out(ERROR, 0x82);
  bench.out(STATUS, 0xef);
  drive.complete();
  assert.is(bench.in(STATUS), READY);
  assert.is(flushes, 2);
  assert.is(identify(bench)[85] & 0x20, 0);
  write();
  assert.is(flushes, 3);
  bench.out(ERROR, 0x02);
  bench.out(STATUS, 0xef);
  bench.lba48(0x3d, 1, 1);
  bench.startDma([[0x8000, 512]], false);
  drive.complete();
  assert.is(flushes, 4, "forced unit access");
});

test("SET FEATURES: transfer modes show in IDENTIFY; others abort", () => {
  const bench = new Bench();
  bench.disk(30);
  const setMode = (mode: number): number => {
    bench.out(ERROR, 0x03);
    bench.out(COUNT, mode);
    bench.out(STATUS, 0xef);
    return bench.in(STATUS);
  };
  assert.is(setMode(0x22), READY);
  assert.is(identify(bench)[63], 0x0407);
  assert.is(setMode(0x45), READY);
  assert.is(identify(bench)[88], 0x203f);
  assert.is(identify(bench)[63], 0x0007);
  assert.is(setMode(0x46), FAILED);
  assert.is(setMode(0x0c), READY);
  bench.out(ERROR, 0x99);
  bench.out(STATUS, 0xef);
  assert.is(bench.in(STATUS), FAILED);
});

test("READ NATIVE MAX ADDRESS (EXT), power management", () => {
  const bench = new Bench();
  bench.disk(0x12345);
  bench.lba28(0xf8, 0, 0);
  assert.is(bench.in(STATUS), READY);
  assert.equal([bench.in(LOW), bench.in(MID), bench.in(HIGH), bench.in(DEVICE) & 0xf], [0x44, 0x23, 0x01, 0]);
  bench.lba48(0x27, 0, 0);
  assert.equal([bench.in(LOW), bench.in(MID), bench.in(HIGH)], [0x44, 0x23, 0x01]);
  const mode = (): number => {
    bench.out(STATUS, 0xe5);
    return bench.in(COUNT);
  };
  assert.is(mode(), 0xff);
  bench.out(STATUS, 0xe0);
  assert.is(mode(), 0x00);
  bench.out(STATUS, 0xe1);
  assert.is(mode(), 0x80);
});

test("SMART: data with a checksum, status, logs, the key", () => {
  const bench = new Bench();
  bench.disk(30);
  const command = (feature: number, log = 0): number => {
    bench.out(DEVICE, 0xa0);
    bench.out(ERROR, feature);
    bench.out(COUNT, 1);
    bench.out(LOW, log);
    bench.out(MID, 0x4f);
    bench.out(HIGH, 0xc2);
    bench.out(STATUS, 0xb0);
    return bench.in(STATUS);
  };
  const sum = (data: Uint8Array): number => data.reduce((total, byte) => (total + byte) & 0xff, 0);
  assert.is(command(0xd0), DRQ);
  assert.is(sum(bench.readWords(512)), 0);
  assert.is(command(0xd1), DRQ);
  assert.is(sum(bench.readWords(512)), 0);
  assert.is(command(0xd5, 6), DRQ);
  bench.readWords(512);
  assert.is(command(0xd5, 0x77), FAILED);
  assert.is(command(0xda), READY);
  assert.equal([bench.in(MID), bench.in(HIGH)], [0x4f, 0xc2], "healthy");
  assert.is(command(0xd9), READY);
  assert.is(command(0xda), FAILED, "disabled");
  assert.is(command(0xd8), READY);
  bench.out(MID, 0);
  bench.out(STATUS, 0xb0);
  assert.is(bench.in(STATUS), FAILED, "wrong key");
});

test("DATA SET MANAGEMENT discards the ranges in the list", () => {
  const bench = new Bench();
  const drive = bench.disk(100);
  const entry = (i: number, lba: number, count: number): void => {
    bench.dma.write32(0x8000 + i * 8, lba);
    bench.dma.write32(0x8004 + i * 8, count << 16);
  };
  entry(0, 10, 5);
  entry(2, 50, 1);
  bench.out(ERROR, 1);
  bench.startDma([[0x8000, 512]], false);
  bench.lba48(0x06, 0, 1);
  drive.complete();
  assert.is(bench.in(STATUS), READY);
  assert.ok(drive.bytes.subarray(10 * 512, 15 * 512).every((byte) => byte === 0));
  assert.is(drive.bytes[15 * 512], 15);
  assert.is(drive.bytes[50 * 512 + 100], 0);
  entry(1, 99, 2);
  bench.out(ERROR, 1);
  bench.startDma([[0x8000, 512]], false);
  bench.lba48(0x06, 0, 1);
  assert.is(bench.in(STATUS), FAILED, "a range outside the disk");
  assert.is(drive.bytes[99 * 512], 99);
});

test("unsupported commands abort", () => {
  const bench = new Bench();
  bench.disk(100);
  for (const command of [0x00, 0x08, 0x22, 0x26, 0x4f, 0xa0, 0xa1, 0xf1, 0xff]) {
    bench.lba28(command, 0, 1);
    assert.is(bench.in(STATUS), FAILED);
    assert.is(bench.in(ERROR), 4);
  }
});

test.run();
