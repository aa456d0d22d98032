import { test } from "uvu";
import * as assert from "uvu/assert";
import { readRegion, writeRegion } from "../../../../core/bus/io.ts";
import { randomAccesses } from "../random-accesses.ts";
import { Board, pixel } from "./board.ts";
import { MODES } from "./modes.ts";

const DEVFN = 0x10;

test("identifies itself as 1234:1111, with frame buffer, registers and ROM", () => {
  const { bus } = new Board();
  assert.is(bus.configRead(DEVFN, 0, 4), 0x11111234);
  assert.is(bus.configRead(DEVFN, 8, 4), 0x03000002);
  assert.is(bus.configRead(DEVFN, 0x2c, 4), 0x11001af4);
  for (const [register, value] of [
    [0x10, 0xff000008],
    [0x14, 0],
    [0x18, 0xfffff000],
    [0x30, 0xffff0001],
  ]) {
    bus.configWrite(DEVFN, register, 0xffffffff, 4);
    assert.is(bus.configRead(DEVFN, register, 4), value);
  }
});

test("base address registers map video memory and registers", () => {
  const board = new Board();
  board.bus.configWrite(DEVFN, 0x10, 0xfd000000, 4);
  board.bus.configWrite(DEVFN, 0x18, 0xfebf0000, 4);
  assert.is(board.mapped.size, 0);
  board.bus.configWrite(DEVFN, 4, 2, 2);
  assert.equal(board.mapped.get(0xfd000000), { ram: board.vram });
  assert.ok(board.mapped.has(0xfebf0000));
});

function mmio(board: Board) {
  board.bus.configWrite(DEVFN, 0x18, 0xfebf0000, 4);
  board.bus.configWrite(DEVFN, 4, 2, 2);
  const target = board.mapped.get(0xfebf0000);
  if (!target || !("region" in target)) throw new Error("no registers mapped");
  return target.region;
}

test("register BAR: EDID, ports, Bochs registers, byte order", () => {
  const board = new Board();
  const region = mmio(board);
  const edid = Array.from({ length: 128 }, (_, i) => readRegion(region, i, 1));
  assert.equal(edid.slice(0, 8), [0, 255, 255, 255, 255, 255, 255, 0]);
  assert.is(edid.reduce((sum, byte) => sum + byte, 0) & 0xff, 0);
  assert.is(edid[56] | ((edid[58] & 0xf0) << 4), 1280);
  assert.is(edid[59] | ((edid[61] & 0xf0) << 4), 800);
  writeRegion(region, 0x400 + 2, 0x67, 1);
  assert.is(board.ports.read(0x3cc, 1), 0x67);
  writeRegion(region, 0x414, 0x4f01, 2);
  assert.is(board.get(0x3d4, 1), 0x4f);
  assert.is(readRegion(region, 0x500, 2), 0xb0c5);
  writeRegion(region, 0x502, 640, 2);
  assert.is(board.vbeRead(1), 640);
  assert.is(readRegion(region, 0x600, 4), 8);
  assert.is(readRegion(region, 0x604, 4), 0x1e1e1e1e);
  writeRegion(region, 0x604, 0xbebebebe, 4);
  assert.is(readRegion(region, 0x604, 4), 0xbebebebe);
  board.vbeMode(640, 480, 32);
  board.vram.bytes.set([0, 0x11, 0x22, 0x33]);
  assert.is(pixel(board.vga.render(), 0, 0), 0x112233);
});

test("indexed registers keep the bits that exist", () => {
  const board = new Board();
  board.ports.write(0x3c2, 0xff, 1);
  assert.is(board.ports.read(0x3cc, 1), 0xef);
  for (const [index, mask] of [0x03, 0x3d, 0x0f, 0x3f, 0x0e].entries()) {
    board.set(0x3c4, index, 0xff);
    assert.is(board.get(0x3c4, index), mask);
  }
  for (const [index, mask] of [0x0f, 0x0f, 0x0f, 0x1f, 0x03, 0x7b, 0x0f, 0x0f, 0xff].entries()) {
    board.set(0x3ce, index, 0xff);
    assert.is(board.get(0x3ce, index), mask);
  }
});

test("the attribute controller's flip-flop is reset by reading input status 1", () => {
  const { ports } = new Board();
  ports.write(0x3c2, 1, 1);
  ports.read(0x3da, 1);
  ports.write(0x3c0, 0x11, 1);
  ports.write(0x3c0, 0x2a, 1);
  ports.write(0x3c0, 0x12, 1);
  ports.read(0x3da, 1);
  ports.write(0x3c0, 0x11, 1);
  assert.is(ports.read(0x3c1, 1), 0x2a);
  ports.read(0x3da, 1);
  assert.is(ports.read(0x3c0, 1), 0x11);
});

test("CRTC registers 0 to 7 are write protected but for line compare bit 8", () => {
  const board = new Board();
  board.ports.write(0x3c2, 1, 1);
  board.set(0x3d4, 0, 0x5f);
  board.set(0x3d4, 7, 0x0f);
  board.set(0x3d4, 0x11, 0x80);
  board.set(0x3d4, 0, 0x11);
  board.set(0x3d4, 7, 0x10);
  assert.is(board.get(0x3d4, 0), 0x5f);
  assert.is(board.get(0x3d4, 7), 0x1f);
});

test("the CRTC answers at 3Bxh or at 3Dxh", () => {
  const { ports } = new Board();
  ports.write(0x3c2, 0, 1);
  ports.write(0x3b4, 0x0f, 1);
  assert.is(ports.read(0x3b4, 1), 0x0f);
  assert.is(ports.read(0x3d4, 1), 0xff);
  ports.write(0x3c2, 1, 1);
  assert.is(ports.read(0x3b4, 1), 0xff);
  assert.is(ports.read(0x3d4, 1), 0x0f);
});

test("DAC: entries change after three writes, indices advance, state tells which was set last", () => {
  const { ports } = new Board();
  ports.write(0x3c8, 10, 1);
  assert.is(ports.read(0x3c7, 1), 0);
  for (const value of [1, 2, 0xff, 4, 5, 6]) ports.write(0x3c9, value, 1);
  assert.is(ports.read(0x3c8, 1), 12);
  ports.write(0x3c9, 9, 1);
  ports.write(0x3c7, 10, 1);
  assert.is(ports.read(0x3c7, 1), 3);
  assert.equal(
    Array.from({ length: 6 }, () => ports.read(0x3c9, 1)),
    [1, 2, 63, 4, 5, 6],
  );
  assert.is(ports.read(0x3c9, 1), 0, "an unfinished entry is not stored");
});

test("input status 1 shows the retraces of the mode", () => {
  const board = new Board();
  board.mode(MODES["3"]);
  const samples = 4490; // ten per line of 449
  const frame = (449 * 900 * 1e9) / 28322000;
  let retrace = 0;
  let blank = 0;
  let rises = 0;
  let last = 0;
  for (let i = 0; i < samples * 4; i++) {
    board.clock.advance(Math.round(((i + 1) * frame) / samples) - Math.round((i * frame) / samples));
    const status = board.ports.read(0x3da, 1);
    if (status & 8) retrace++;
    if (status & 1) blank++;
    if ((status & 8) > last) rises++;
    last = status & 8;
  }
  assert.is(rises, 4);
  assert.ok(retrace >= 4 * 15 && retrace <= 4 * 25, `${retrace} samples in 4 retraces of 2 lines`);
  const share = 1 - (400 / 449) * (80 / 100);
  assert.ok(Math.abs(blank / (samples * 4) - share) < 0.02);
});

test("memory maps: 128 KiB, A0000h, B0000h, B8000h, and off", () => {
  const board = new Board();
  board.mode(MODES["12"]);
  const answers = (): string =>
    [0xa0000, 0xb0000, 0xb8000].map((address) => (board.peek(address) === 0xff ? "-" : "x")).join("");
  for (const [map, want] of ["xxx", "x--", "-x-", "--x"].entries()) {
    board.set(0x3ce, 6, 1 | (map << 2));
    assert.is(answers(), want, `map ${map}`);
  }
  board.ports.write(0x3c2, 0xe1, 1);
  assert.is(answers(), "---");
});

function planarBoard(): Board {
  const board = new Board();
  board.mode(MODES["12"]);
  return board;
}

const planes = (board: Board, at = 0): number[] => [...board.vram.bytes.subarray(at * 4, at * 4 + 4)];

test("write mode 0: rotate, set/reset, logical functions, bit mask", () => {
  const board = planarBoard();
  board.set(0x3c4, 2, 0x05);
  board.poke(0xa0000, 0xf0);
  assert.equal(planes(board), [0xf0, 0, 0xf0, 0]);
  board.set(0x3c4, 2, 0x0f);
  board.set(0x3ce, 3, 0x04); // rotate by 4
  board.poke(0xa0000, 0x1e);
  assert.equal(planes(board), [0xe1, 0xe1, 0xe1, 0xe1]);
  board.set(0x3ce, 3, 0);
  board.set(0x3ce, 0, 0x02);
  board.set(0x3ce, 1, 0x03);
  board.poke(0xa0000, 0x55);
  assert.equal(planes(board), [0, 0xff, 0x55, 0x55]);
  board.set(0x3ce, 1, 0);
  for (const [func, want] of [
    [1, [0x00, 0x0f, 0x05, 0x05]],
    [2, [0x0f, 0xff, 0x5f, 0x5f]],
    [3, [0x0f, 0xf0, 0x5a, 0x5a]],
  ] as const) {
    board.vram.bytes.set([0, 0xff, 0x55, 0x55]);
    board.set(0x3ce, 3, func << 3);
    board.peek(0xa0000);
    board.poke(0xa0000, 0x0f);
    assert.equal(planes(board), want);
  }
  board.set(0x3ce, 3, 0);
  board.vram.bytes.set([0, 0xff, 0x55, 0x55]);
  board.peek(0xa0000);
  board.set(0x3ce, 8, 0x3c);
  board.poke(0xa0000, 0xff);
  assert.equal(planes(board), [0x3c, 0xff, 0x7d, 0x7d]);
});

test("write mode 1 copies the latches", () => {
  const board = planarBoard();
  board.vram.bytes.set([1, 2, 3, 4]);
  board.set(0x3ce, 5, 1);
  board.peek(0xa0000);
  board.poke(0xa0005, 0xff);
  assert.equal(planes(board, 5), [1, 2, 3, 4]);
});

test("write mode 2 writes a colour through the bit mask", () => {
  const board = planarBoard();
  board.set(0x3ce, 5, 2);
  board.set(0x3ce, 8, 0x81);
  board.peek(0xa0000);
  board.poke(0xa0000, 0x0a);
  assert.equal(planes(board), [0, 0x81, 0, 0x81]);
});

test("write mode 3 masks with the rotated data and writes set/reset", () => {
  const board = planarBoard();
  board.vram.bytes.set([0xff, 0xff, 0, 0]);
  board.set(0x3ce, 5, 3);
  board.set(0x3ce, 0, 0x05);
  board.set(0x3ce, 8, 0xf0);
  board.peek(0xa0000);
  board.poke(0xa0000, 0x3c);
  assert.equal(planes(board), [0xff, 0xcf, 0x30, 0]);
});

test("read mode 0 selects a plane, read mode 1 compares colours", () => {
  const board = planarBoard();
  board.vram.bytes.set([0xf0, 0xcc, 0xaa, 0x00]);
  for (const [plane, want] of [0xf0, 0xcc, 0xaa, 0x00].entries()) {
    board.set(0x3ce, 4, plane);
    assert.is(board.peek(0xa0000), want);
  }
  board.set(0x3ce, 5, 8);
  board.set(0x3ce, 2, 0x03);
  board.set(0x3ce, 7, 0x0f);
  assert.is(board.peek(0xa0000), 0x40, "planes 0 and 1 set, 2 and 3 clear");
  board.set(0x3ce, 7, 0x03);
  assert.is(board.peek(0xa0000), 0xc0);
});

test("chain 4 and unchained addresses of one byte", () => {
  const board = new Board();
  board.mode(MODES["13"]);
  board.poke(0xa0007, 0x77); // plane 3, address 4
  board.set(0x3c4, 4, 6);
  board.set(0x3ce, 4, 3);
  assert.is(board.peek(0xa0004), 0x77);
});

test("Bochs display interface: id, capabilities, memory, corrections", () => {
  const board = new Board();
  assert.is(board.vbeRead(0), 0xb0c5);
  board.vbe(0, 0xb0c2);
  assert.is(board.vbeRead(0), 0xb0c2);
  board.vbe(0, 0xb0c9);
  assert.is(board.vbeRead(0), 0xb0c2);
  board.vbe(4, 2);
  assert.equal(
    [1, 2, 3].map((i) => board.vbeRead(i)),
    [16000, 12000, 32],
  );
  assert.is(board.vbeRead(0xa), 256, "16 MiB in units of 64 KiB");
  board.vbeMode(1023, 60000, 17);
  assert.equal(
    [1, 2, 3].map((i) => board.vbeRead(i)),
    [1016, 12000, 8],
  );
  board.vbe(3, 32);
  assert.is(board.vbeRead(2), Math.floor(2 ** 24 / (1016 * 4)));
});

test("enabling clears memory unless told not to; disabling returns to VGA", () => {
  const board = new Board();
  board.mode(MODES["13"]);
  board.vram.bytes[5] = 9;
  board.vbeMode(640, 480, 8, 0xc1);
  assert.is(board.vram.bytes[5], 9);
  board.vbe(5, 3);
  board.vbeMode(640, 480, 8, 0x41);
  assert.is(board.vram.bytes[5], 0);
  assert.is(board.vbeRead(5), 0);
  board.vbe(4, 0);
  assert.is(board.vga.render().height, 480, "the last line was left in the CRTC");
});

test("64 KiB banks show at A0000h", () => {
  const board = new Board();
  board.vbeMode(1024, 768, 8);
  board.vbe(5, 2);
  board.poke(0xa1234, 0xbeef, 2);
  assert.is(board.vram.bytes[0x21234], 0xef);
  assert.is(board.vram.bytes[0x21235], 0xbe);
  assert.is(board.peek(0xa1234, 2), 0xbeef);
  board.vbe(5, 0xffff);
  board.poke(0xaffff, 0x5a);
  assert.is(board.vram.bytes[2 ** 24 - 1], 0x5a);
});

test("state round trip", () => {
  const board = new Board();
  board.mode(MODES["12"]);
  board.poke(0xa0000, 0x0f);
  const before = board.vga.render();
  const saved = board.arena.save();
  board.vga.reset();
  assert.is.not(board.vga.render().width, before.width);
  board.arena.load(saved);
  board.vga.loaded();
  assert.equal(board.arena.save(), saved);
  assert.equal(board.vga.render(), before);
  board.poke(0xa0001, 0x01);
  assert.is(board.vram.bytes[4], 1);
});

test("any accesses are harmless", () => {
  const board = new Board();
  const region = mmio(board);
  randomAccesses(6000, (random, size) => {
    board.ports.write(0x3b0 + (random() % 0x30), random(), size);
    board.ports.read(0x3b0 + (random() % 0x30), size);
    board.poke(0xa0000 + (random() % 0x20000), random(), size);
    board.peek(0xa0000 + (random() % 0x20000), size);
    if (random() % 16 === 0) board.vbe(random() % 16, random() & 0x7ff);
    writeRegion(region, random() % 4096, random(), size);
    readRegion(region, random() % 4096, size);
    board.clock.advance(random() % 1e6);
    if (random() % 500 === 0) {
      const { width, height, data } = board.vga.render();
      assert.is(data.length, width * height * 4);
      board.vga.text();
    }
  });
});

test.run();
