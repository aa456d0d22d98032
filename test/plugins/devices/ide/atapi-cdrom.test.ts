import { test } from "uvu";
import * as assert from "uvu/assert";
import { MemoryBlockPort } from "../../../../core/block/port.ts";
import { Bench, BMIDE, CONTROL, COUNT, DEVICE, diskImage, ERROR, HIGH, LOW, MID, STATUS } from "./bench.ts";

const READY = 0x50;
const DRQ = 0x58;
const CHECK = 0x51;

class Cd {
  readonly bench = new Bench();
  readonly drive: MemoryBlockPort;
  trays: boolean[] = [];
  locks: boolean[] = [];

  constructor(sectors: number | undefined) {
    this.drive = new MemoryBlockPort(diskImage(sectors ?? 0, 2048));
    this.drive.inserted = sectors !== undefined;
    const port: MemoryBlockPort & { setTray?: unknown; setLocked?: unknown } = this.drive;
    port.setTray = (open: boolean) => this.trays.push(open);
    port.setLocked = (locked: boolean) => this.locks.push(locked);
    this.bench.cdrom(this.drive);
  }

  /** Sends a packet; answers with the status after it. */
  send(packet: readonly number[], { limit = 0xfffe, dma = false } = {}): number {
    const { bench } = this;
    bench.out(ERROR, dma ? 1 : 0);
    bench.out(MID, limit & 0xff);
    bench.out(HIGH, limit >> 8);
    bench.out(STATUS, 0xa0);
    assert.is(bench.in(STATUS), DRQ);
    assert.is(bench.in(COUNT) & 3, 1, "reason: command, output");
    assert.not.ok(bench.irq, "no interrupt asks for the packet");
    bench.writeWords(Uint8Array.from({ length: 12 }, (_, i) => packet[i] ?? 0));
    this.drive.complete();
    return bench.in(STATUS);
  }

  /** Reads data blocks to the end of the command. */
  take(): Uint8Array {
    const { bench } = this;
    const parts: Uint8Array[] = [];
    while (bench.alt & 8) {
      assert.is(bench.in(COUNT) & 3, 2, "reason: data, input");
      parts.push(bench.readWords(bench.in(MID) | (bench.in(HIGH) << 8)));
      this.drive.complete();
    }
    assert.is(bench.in(COUNT) & 3, 3, "reason: command, input");
    assert.ok(bench.irq);
    assert.is(bench.in(STATUS), READY);
    return Uint8Array.from(parts.flatMap((part) => [...part]));
  }

  ask(packet: readonly number[], options?: { limit?: number }): number[] {
    assert.is(this.send(packet, options), DRQ);
    return [...this.take()];
  }

  /** Key, code, qualifier. */
  sense(): number[] {
    const data = this.ask([0x03, 0, 0, 0, 18]);
    assert.is(data.length, 18);
    assert.is(data[0], 0x70);
    return [data[2], data[12], data[13]];
  }

  refused(packet: readonly number[]): number[] {
    assert.is(this.send(packet), CHECK);
    const key = this.bench.in(ERROR) >> 4;
    const sense = this.sense();
    assert.is(key, sense[0]);
    return sense;
  }
}

test("IDENTIFY PACKET DEVICE, and IDENTIFY DEVICE aborts with the signature", () => {
  const { bench } = new Cd(4);
  bench.lba28(0xec, 0, 1);
  assert.is(bench.in(STATUS) & 1, 1);
  assert.is(bench.in(ERROR), 4);
  assert.equal([bench.in(MID), bench.in(HIGH)], [0x14, 0xeb]);
  bench.out(STATUS, 0xa1);
  assert.ok(bench.irq);
  assert.is(bench.in(STATUS), DRQ);
  const words = new Uint16Array(bench.readWords(512).buffer);
  assert.is(words[0], 0x85c0);
  assert.is(words[27], ("Q".charCodeAt(0) << 8) | "E".charCodeAt(0));
  assert.is(words[82] & 0x0210, 0x0210);
  assert.is(words[49] & 0x0300, 0x0300);
  assert.is(bench.alt, READY);
});

test("INQUIRY", () => {
  const cd = new Cd(4);
  const data = cd.ask([0x12, 0, 0, 0, 36]);
  assert.equal(data.slice(0, 5), [5, 0x80, 0, 0x21, 31]);
  assert.is(String.fromCharCode(...data.slice(8)), "QEMU    QEMU DVD-ROM    2.5+");
  assert.is(cd.ask([0x12, 0, 0, 0, 5]).length, 5, "an odd allocation length");
  assert.equal(cd.refused([0x12, 1, 0x80, 0, 36]), [5, 0x24, 0]);
});

test("TEST UNIT READY and READ CAPACITY", () => {
  const cd = new Cd(1000);
  assert.is(cd.send([0x00]), READY);
  assert.is(cd.bench.in(COUNT) & 3, 3);
  assert.equal(cd.ask([0x25]), [0, 0, 3, 0xe7, 0, 0, 8, 0]);
});

test("READ(10) by PIO: blocks of the byte count limit, an interrupt for each and one at the end", () => {
  const cd = new Cd(100);
  const before = cd.bench.rises;
  const data = cd.ask([0x28, 0, 0, 0, 0, 7, 0, 0, 40], { limit: 2048 });
  assert.is(Buffer.compare(Uint8Array.from(data), cd.drive.bytes.subarray(7 * 2048, 47 * 2048)), 0);
  assert.is(cd.bench.rises - before, 2, "the test did not read status in between");
  assert.is(cd.send([0x28, 0, 0, 0, 0, 7, 0, 0, 2], { limit: 2048 }), DRQ);
  for (let i = 0; i < 2; i++) {
    cd.bench.in(STATUS);
    assert.equal([cd.bench.in(MID), cd.bench.in(HIGH)], [0, 8]);
    const rises = cd.bench.rises;
    cd.bench.readWords(2048);
    assert.is(cd.bench.rises, rises + 1);
  }
  assert.is(cd.bench.in(STATUS), READY);
});

test("odd and oversized byte count limits", () => {
  const cd = new Cd(100);
  assert.is(cd.send([0xa8, 0, 0, 0, 0, 1, 0, 0, 0, 2], { limit: 1001 }), DRQ);
  assert.is(cd.bench.in(MID) | (cd.bench.in(HIGH) << 8), 1000);
  assert.is(Buffer.compare(cd.take(), cd.drive.bytes.subarray(2048, 3 * 2048)), 0);
  assert.is(cd.ask([0x28, 0, 0, 0, 0, 1, 0, 0, 2], { limit: 0xffff }).length, 4096);
  assert.is(cd.ask([0x28, 0, 0, 0, 0, 1, 0, 0, 2], { limit: 0 }).length, 4096);
  assert.is(cd.ask([0x28, 0, 0, 0, 0, 1, 0, 0, 1], { limit: 1 }).length, 2048);
});

test("READ(12) by DMA: one interrupt, more than 64 KiB", () => {
  const cd = new Cd(100);
  const { bench } = cd;
  bench.startDma(
    [
      [0x10000, 0x10000],
      [0x20000, 0x4000],
    ],
    true,
  );
  assert.is(cd.send([0xa8, 0, 0, 0, 0, 3, 0, 0, 0, 40], { dma: true }), READY);
  assert.is(bench.in(STATUS), READY);
  assert.is(bench.in(COUNT) & 3, 3);
  assert.is(bench.in(BMIDE + 2), 4);
  assert.is(
    Buffer.compare(bench.dma.bytes.subarray(0x10000, 0x24000), cd.drive.bytes.subarray(3 * 2048, 43 * 2048)),
    0,
  );
});

test("reads outside the disc, of nothing, and of bad sectors", () => {
  const cd = new Cd(100);
  assert.equal(cd.refused([0x28, 0, 0, 0, 0, 99, 0, 0, 2]), [5, 0x21, 0]);
  assert.equal(cd.refused([0xa8, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), [5, 0x21, 0]);
  assert.is(cd.send([0x28, 0, 0, 0, 0, 5, 0, 0, 0]), READY);
  cd.drive.nextError = "eio";
  assert.equal(cd.refused([0x28, 0, 0, 0, 0, 5, 0, 0, 1]), [3, 0x11, 0]);
  assert.equal(cd.sense(), [0, 0, 0], "sense data is delivered once");
});

test("READ TOC formats 0, 1 and 2", () => {
  const cd = new Cd(1000);
  const toc = (msf: number, format: number, start: number, length: number, control = 0): number[] =>
    cd.ask([0x43, msf, format, 0, 0, 0, start, length >> 8, length, control]);
  assert.equal(toc(0, 0, 0, 100), [0, 18, 1, 1, 0, 0x14, 1, 0, 0, 0, 0, 0, 0, 0x14, 0xaa, 0, 0, 0, 3, 0xe8]);
  assert.equal(toc(2, 0, 0xaa, 100), [0, 10, 1, 1, 0, 0x14, 0xaa, 0, 0, 0, 15, 25]);
  assert.equal(toc(0, 0, 0, 4), [0, 18, 1, 1]);
  assert.equal(toc(2, 1, 0, 12), [0, 10, 1, 1, 0, 0x14, 1, 0, 0, 0, 2, 0]);
  const full = toc(0, 2, 0, 1000);
  assert.is(full.length, 48);
  assert.equal(full.slice(4 + 2 * 11, 4 + 3 * 11), [1, 0x14, 0, 0xa2, 0, 0, 0, 0, 0, 15, 25]);
  assert.is(toc(0, 0, 0, 100, 0x40).length, 12, "format in the control byte");
  assert.equal(cd.refused([0x43, 0, 0, 0, 0, 0, 2, 0, 100]), [5, 0x24, 0]);
  assert.equal(cd.refused([0x43, 0, 5, 0, 0, 0, 0, 0, 100]), [5, 0x24, 0]);
});

test("GET CONFIGURATION: profiles by size", () => {
  const cd = new Cd(1000);
  const data = cd.ask([0x46, 0, 0, 0, 0, 0, 0, 1, 0]);
  assert.is(data.length, ((data[2] << 8) | data[3]) + 4);
  assert.equal(data.slice(6, 8), [0, 8]);
  assert.is(cd.ask([0x46, 2, 0, 3, 0, 0, 0, 1, 0]).length, 16);
  assert.is(cd.ask([0x46, 0, 0, 0, 0, 0, 0, 0, 8]).length, 8);
  cd.drive.change(undefined);
  assert.equal(cd.ask([0x46, 0, 0, 0, 0, 0, 0, 1, 0]).slice(6, 8), [0, 0]);
});

test("MODE SENSE and MODE SELECT (10)", () => {
  const cd = new Cd(1000);
  const page = cd.ask([0x5a, 0, 0x2a, 0, 0, 0, 0, 1, 0]);
  assert.is(page.length, 28);
  assert.is((page[0] << 8) | page[1], 26);
  assert.equal(page.slice(8, 10), [0x2a, 18]);
  assert.is(cd.ask([0x5a, 0, 0x3f, 0, 0, 0, 0, 1, 0]).length, 8 + 8 + 16 + 20);
  assert.equal(cd.refused([0x5a, 0, 0x05, 0, 0, 0, 0, 1, 0]), [5, 0x24, 0]);
  assert.equal(cd.refused([0x5a, 0, 0xea, 0, 0, 0, 0, 1, 0]), [5, 0x39, 0]);
  assert.is(cd.send([0x55, 0x10, 0, 0, 0, 0, 0, 0, 16]), DRQ);
  assert.is(cd.bench.in(COUNT) & 3, 0, "reason: data, output");
  assert.is(cd.bench.in(MID), 16);
  cd.bench.writeWords(new Uint8Array(16));
  assert.is(cd.bench.in(STATUS), READY);
});

test("without a disc: not ready; unknown commands stay unknown", () => {
  const cd = new Cd(undefined);
  assert.equal(cd.refused([0x00]), [2, 0x3a, 0]);
  assert.equal(cd.refused([0x25]), [2, 0x3a, 0]);
  assert.equal(cd.refused([0x43]), [2, 0x3a, 0]);
  assert.equal(cd.refused([0xe7]), [5, 0x20, 0]);
  assert.is(cd.ask([0x12, 0, 0, 0, 36]).length, 36);
});

test("a disc put in: unit attention once, and a media event", () => {
  const cd = new Cd(undefined);
  cd.drive.change(diskImage(50, 2048));
  assert.is(cd.ask([0x12, 0, 0, 0, 36]).length, 36);
  assert.equal(cd.ask([0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8]), [0, 6, 4, 0x10, 2, 2, 0, 0]);
  assert.equal(cd.ask([0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8])[4], 0);
  assert.equal(cd.refused([0x00]), [6, 0x28, 0]);
  assert.is(cd.send([0x00]), READY);
  cd.drive.change(undefined);
  assert.equal(cd.ask([0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8]).slice(4, 6), [3, 0]);
  assert.equal(cd.refused([0x00]), [2, 0x3a, 0]);
});

test("a disc swapped: not ready first, then unit attention", () => {
  const cd = new Cd(50);
  cd.drive.change(diskImage(60, 2048));
  assert.equal(cd.refused([0x00]), [2, 0x3a, 0]);
  assert.equal(cd.refused([0x00]), [6, 0x28, 0]);
  assert.equal(cd.ask([0x25]).slice(0, 4), [0, 0, 0, 59]);
});

test("REQUEST SENSE reports a pending unit attention", () => {
  const cd = new Cd(undefined);
  cd.drive.change(diskImage(50, 2048));
  assert.equal(cd.sense(), [6, 0x28, 0]);
  assert.is(cd.send([0x00]), READY);
});

test("tray and lock", () => {
  const cd = new Cd(50);
  cd.send([0x1e, 0, 0, 0, 1]);
  assert.equal(cd.refused([0x1b, 0, 0, 0, 2]), [5, 0x53, 2]);
  cd.send([0x1e, 0, 0, 0, 0]);
  assert.equal(cd.locks, [true, false]);
  assert.is(cd.send([0x1b, 0, 0, 0, 2]), READY);
  assert.equal(cd.trays, [true]);
  assert.equal(cd.refused([0x00]), [2, 0x3a, 2]);
  assert.is(cd.send([0x1b, 0, 0, 0, 3]), READY);
  assert.equal(cd.trays, [true, false]);
  assert.equal(cd.refused([0x00]), [6, 0x28, 0]);
  assert.is(cd.send([0x00]), READY);
});

test("READ CD: user data, raw sectors, what cannot be read", () => {
  const cd = new Cd(100);
  assert.is(cd.ask([0xbe, 0, 0, 0, 0, 5, 0, 0, 2, 0x10]).length, 4096);
  const raw = cd.ask([0xbe, 0, 0, 0, 0, 5, 0, 0, 2, 0xf8], { limit: 2352 });
  assert.is(raw.length, 2 * 2352);
  assert.equal(raw.slice(0, 16), [0, ...new Array(10).fill(0xff), 0, 0x00, 0x02, 0x05, 1]);
  assert.equal(raw.slice(2352 + 16, 2352 + 20), [6, 0, 0, 0]);
  assert.is(cd.ask([0xb9, 0, 0, 0, 2, 5, 0, 2, 7, 0x10]).length, 4096);
  assert.is(cd.send([0xbe, 0, 0, 0, 0, 5, 0, 0, 2, 0]), READY);
  assert.equal(cd.refused([0xbe, 4, 0, 0, 0, 5, 0, 0, 2, 0x10]), [5, 0x64, 0], "audio");
  assert.equal(cd.refused([0xbe, 0, 0, 0, 0, 99, 0, 0, 2, 0xf8]), [5, 0x21, 0]);
  assert.equal(cd.refused([0xb9, 0, 0, 0, 0, 0, 0, 2, 7, 0x10]), [5, 0x21, 0], "lead-in");
});

test("disc and track information, mechanism status, sub-channel, seek", () => {
  const cd = new Cd(100);
  const disc = cd.ask([0x51, 0, 0, 0, 0, 0, 0, 0, 255]);
  assert.is(disc.length, 34);
  assert.is(disc[2], 0x0e);
  assert.equal(cd.ask([0x52, 0, 0, 0, 0, 1, 0, 0, 36]).slice(24, 28), [0, 0, 0, 100]);
  assert.equal(cd.ask([0xbd, 0, 0, 0, 0, 0, 0, 0, 0, 8]), [0, 0, 0, 0, 0, 1, 0, 0]);
  assert.equal(cd.ask([0x42, 0, 0, 0, 0, 0, 0, 0, 4]), [0, 0x15, 0, 0]);
  assert.is(cd.send([0x2b, 0, 0, 0, 0, 99]), READY);
  assert.equal(cd.refused([0x2b, 0, 0, 0, 0, 100]), [5, 0x21, 0]);
  assert.equal(cd.refused([0xad, 0, 0, 0, 0, 0, 0, 0, 8, 0]), [5, 0x30, 2], "not a DVD");
});

test("DEVICE RESET ends a command, even a busy one, without an interrupt", () => {
  const cd = new Cd(100);
  const { bench } = cd;
  assert.is(cd.send([0x28, 0, 0, 0, 0, 7, 0, 0, 40], { limit: 2048 }), DRQ);
  bench.out(STATUS, 0x08);
  assert.is(bench.in(STATUS), 0);
  assert.equal([bench.in(COUNT), bench.in(LOW), bench.in(MID), bench.in(HIGH)], [1, 1, 0x14, 0xeb]);
  bench.out(STATUS, 0xa0);
  bench.writeWords(Uint8Array.from([0x28, 0, 0, 0, 0, 7, 0, 0, 40, 0, 0, 0]));
  assert.is(bench.alt, 0x80);
  bench.out(STATUS, 0x08);
  assert.is(bench.alt, 0x80, "busy until the backend is done");
  bench.out(CONTROL, 4);
  bench.out(CONTROL, 0);
  cd.drive.complete();
  assert.is(bench.alt, 0);
  assert.equal(cd.ask([0x25]).length, 8);
});

test("device 1 of a channel", () => {
  const bench = new Bench();
  const drive = new MemoryBlockPort(diskImage(4, 2048));
  bench.cdrom(drive, 1);
  bench.out(DEVICE, 0xb0);
  assert.equal([bench.in(MID), bench.in(HIGH)], [0x14, 0xeb]);
  bench.out(STATUS, 0xa1);
  assert.is(bench.in(STATUS), DRQ);
  const words = new Uint16Array(bench.readWords(512).buffer);
  assert.is(words[93] & 0xff00, 0x6b00);
});

test.run();
