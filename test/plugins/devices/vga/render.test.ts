import { test } from "uvu";
import * as assert from "uvu/assert";
import { Board, dac, differs, pixel } from "./board.ts";
import { MODES } from "./modes.ts";

const size = ({ width, height }: { width: number; height: number }): string => `${width}x${height}`;

/** A byte that looks random but depends on its place alone. */
const noise = (i: number): number => (Math.imul(i + 1, 0x9e3779b1) >>> 24) & 0xff;

/** Loads a font in which row r of character c is noise(c * 32 + r), the way a BIOS does. */
function loadFont(board: Board, offset = 0): void {
  board.set(0x3c4, 2, 4);
  board.set(0x3c4, 4, 7);
  board.set(0x3ce, 5, 0);
  board.set(0x3ce, 6, 4);
  for (let i = 0; i < 8192; i++) board.poke(0xa0000 + offset + i, noise(i));
  board.set(0x3c4, 2, 3);
  board.set(0x3c4, 4, 2);
  board.set(0x3ce, 5, 0x10);
  board.set(0x3ce, 6, 0x0e);
}

function textBoard(): Board {
  const board = new Board();
  board.mode(MODES["3"]);
  loadFont(board);
  board.set(0x3d4, 0x0a, 0x20); // no cursor
  return board;
}

/** DAC index of attribute value `i` in text modes. */
const textColor = (i: number): number => MODES["3"].attr[i];

const glyphDot = (character: number, row: number, x: number): number => {
  const bits = noise(character * 32 + row);
  if (x < 8) return (bits >> (7 - x)) & 1;
  return character >= 0xc0 && character <= 0xdf ? bits & 1 : 0;
};

test("mode 3: 720x400 text with 9 dots, colours, and line graphics joined", () => {
  const board = textBoard();
  for (let i = 0; i < 2000; i++) {
    board.poke(0xb8000 + i * 2, noise(i));
    board.poke(0xb8001 + i * 2, noise(i + 5000) & 0x7f);
  }
  const surface = board.vga.render();
  assert.is(size(surface), "720x400");
  const wrong = differs(surface, (x, y) => {
    const cell = Math.floor(y / 16) * 80 + Math.floor(x / 9);
    const color = noise(cell + 5000) & 0x7f;
    return dac(textColor(glyphDot(noise(cell), y % 16, x % 9) ? color & 15 : color >> 4));
  });
  assert.is(wrong, undefined);
  assert.is(board.peek(0xb8000 + 100), noise(50));
});

test("text: start address scrolls, line compare splits the screen, panning shifts", () => {
  const board = textBoard();
  for (let i = 0; i < 4000; i++) board.poke(0xb8000 + i * 2, noise(i), 2);
  for (let i = 0; i < 4000; i++) board.poke(0xb8001 + i * 2, 0x07);
  board.set(0x3d4, 0x0d, 160); // two rows down
  board.set(0x3d4, 0x18, 319 & 0xff); // split after line 319
  board.set(0x3d4, 7, 0x1f);
  board.set(0x3d4, 9, 0x0f);
  board.attr(0x13, 3); // 4 dots to the left
  board.attr(0x10, 0x2c); // the lower part stays
  const wrong = differs(board.vga.render(), (x, y) => {
    const [start, line, shift] = y < 320 ? [160, y, 4] : [0, y - 320, 0];
    const cell = start + Math.floor(line / 16) * 80 + Math.floor((x + shift) / 9);
    return dac(textColor(glyphDot(noise(cell), line % 16, (x + shift) % 9) ? 7 : 0));
  });
  assert.is(wrong, undefined);
});

test("text: cursor lines blink every 8 frames, bit 7 of the attribute every 16", () => {
  const board = textBoard();
  board.poke(0xb8000, 0);
  board.poke(0xb8001, 0x07);
  board.poke(0xb8002, 1);
  board.poke(0xb8003, 0x97);
  board.set(0x3d4, 0x0a, 13);
  board.set(0x3d4, 0x0b, 14);
  const frame = 1e9 / 70;
  const dots = (column: number, row: number): number[] =>
    Array.from({ length: 8 }, (_, x) => (pixel(board.vga.render(), column * 9 + x, row) === dac(textColor(7)) ? 1 : 0));
  const glyph = (character: number, row: number): number[] =>
    Array.from({ length: 8 }, (_, x) => glyphDot(character, row, x));
  board.clock.advance(1000);
  assert.equal(dots(0, 13), new Array(8).fill(1));
  assert.equal(dots(0, 14), new Array(8).fill(1));
  assert.equal(dots(0, 12), glyph(0, 12));
  assert.equal(dots(0, 15), glyph(0, 15));
  assert.equal(dots(1, 5), glyph(1, 5));
  board.clock.advance(Math.ceil(8 * frame));
  assert.equal(dots(0, 13), glyph(0, 13));
  board.clock.advance(Math.ceil(8 * frame));
  assert.equal(dots(1, 5), new Array(8).fill(0));
  assert.is(pixel(board.vga.render(), 9, 5), dac(textColor(1)), "blinking leaves the background, without intensity");
});

test("text: attribute bit 3 selects font A, and 8-dot characters make 640 columns", () => {
  const board = textBoard();
  board.set(0x3c4, 3, 0b0010_0000); // A at 8 KiB, B at 0
  board.poke(0xb8000, 65);
  board.poke(0xb8001, 0x0f);
  const blank = board.vga.render();
  for (let x = 0; x < 9; x++) assert.is(pixel(blank, x, 3), dac(textColor(0)), "nothing is loaded there");
  loadFont(board, 0x2000);
  const drawn = board.vga.render();
  for (let x = 0; x < 8; x++) assert.is(pixel(drawn, x, 3), dac(textColor(glyphDot(65, 3, x) ? 15 : 0)));
  board.set(0x3c4, 1, 1);
  assert.is(size(board.vga.render()), "640x400");
});

test("mode 7: monochrome addresses and underline", () => {
  const board = new Board();
  board.mode(MODES["7"]);
  assert.is(board.ports.read(0x3d5, 1), 0xff, "nothing at 3Dxh");
  board.set(0x3b4, 0x0a, 0x20);
  board.poke(0xb0000, 0x20);
  board.poke(0xb0001, 0x01);
  board.poke(0xb0002, 0x20);
  board.poke(0xb0003, 0x07);
  const surface = board.vga.render();
  for (let x = 0; x < 9; x++) {
    assert.is(pixel(surface, x, 13), dac(0x08));
    assert.is(pixel(surface, x, 12), dac(0));
    assert.is(pixel(surface, 9 + x, 13), dac(0));
  }
});

test("the text on the screen, in Unicode", () => {
  const board = textBoard();
  for (let i = 0; i < 2000; i++) board.poke(0xb8000 + i * 2, 0x0720, 2);
  [..."Hello"].forEach((c, i) => {
    board.poke(0xb8000 + 160 + i * 2, c.charCodeAt(0));
  });
  board.poke(0xb8000 + 160 + 12, 0xc9);
  const rows = board.vga.text();
  assert.is(rows?.length, 25);
  assert.equal(rows?.slice(0, 3), ["", "Hello ╔", ""]);
  board.mode(MODES["13"]);
  assert.is(board.vga.text(), undefined);
});

test("mode 4: 320x200 in four colours, odd rows 8 KiB away", () => {
  const board = new Board();
  board.mode(MODES["4"]);
  for (let i = 0; i < 0x4000; i++) board.poke(0xb8000 + i, noise(i));
  const surface = board.vga.render();
  assert.is(size(surface), "640x400");
  const wrong = differs(surface, (x, y) => {
    const [px, py] = [x >> 1, y >> 1];
    const byte = noise((py & 1) * 0x2000 + (py >> 1) * 80 + (px >> 2));
    return dac(MODES["4"].attr[(byte >> (6 - (px & 3) * 2)) & 3]);
  });
  assert.is(wrong, undefined);
  assert.is(board.peek(0xb8123), noise(0x123));
});

test("mode 6: 640x200 in two colours", () => {
  const board = new Board();
  board.mode(MODES["6"]);
  for (let i = 0; i < 0x4000; i++) board.poke(0xb8000 + i, noise(i));
  const surface = board.vga.render();
  assert.is(size(surface), "640x400");
  const wrong = differs(surface, (x, y) => {
    const py = y >> 1;
    const byte = noise((py & 1) * 0x2000 + (py >> 1) * 80 + (x >> 3));
    return dac(MODES["6"].attr[(byte >> (7 - (x & 7))) & 1]);
  });
  assert.is(wrong, undefined);
});

/** Fills the planes one by one through the map mask. */
function fillPlanes(board: Board, bytes: number): void {
  for (let plane = 0; plane < 4; plane++) {
    board.set(0x3c4, 2, 1 << plane);
    for (let i = 0; i < bytes; i++) board.poke(0xa0000 + i, noise(i + plane * 77777));
  }
  board.set(0x3c4, 2, 0x0f);
}

const planar = (at: number, bit: number): number => {
  let value = 0;
  for (let plane = 0; plane < 4; plane++) value |= ((noise(at + plane * 77777) >> bit) & 1) << plane;
  return value;
};

test("mode 0Dh: 320x200 in 16 colours from four planes", () => {
  const board = new Board();
  board.mode(MODES["d"]);
  fillPlanes(board, 8000);
  const surface = board.vga.render();
  assert.is(size(surface), "640x400");
  const wrong = differs(surface, (x, y) => {
    const [px, py] = [x >> 1, y >> 1];
    return dac(MODES["d"].attr[planar(py * 40 + (px >> 3), 7 - (px & 7))]);
  });
  assert.is(wrong, undefined);
});

test("mode 12h: 640x480 in 16 colours; the plane mask and colour select registers take part", () => {
  const board = new Board();
  board.mode(MODES["12"]);
  fillPlanes(board, 38400);
  const check = (color: (value: number) => number): void => {
    const surface = board.vga.render();
    assert.is(size(surface), "640x480");
    assert.is(
      differs(surface, (x, y) => dac(color(planar(y * 80 + (x >> 3), 7 - (x & 7))))),
      undefined,
    );
  };
  check((value) => MODES["12"].attr[value]);
  board.attr(0x12, 0x05);
  board.attr(0x14, 0x0c);
  check((value) => MODES["12"].attr[value & 5] | 0xc0);
  board.attr(0x10, 0x81);
  board.attr(0x14, 0x0e);
  check((value) => (MODES["12"].attr[value & 5] & 0x0f) | 0xe0);
});

test("mode 13h: 320x200 in 256 colours, through the pixel mask", () => {
  const board = new Board();
  board.mode(MODES["13"]);
  for (let i = 0; i < 64000; i++) board.poke(0xa0000 + i, noise(i));
  const surface = board.vga.render();
  assert.is(size(surface), "640x400");
  assert.is(
    differs(surface, (x, y) => dac(noise((y >> 1) * 320 + (x >> 1)))),
    undefined,
  );
  board.ports.write(0x3c6, 0x0f, 1);
  assert.is(
    differs(board.vga.render(), (x, y) => dac(noise((y >> 1) * 320 + (x >> 1)) & 0x0f)),
    undefined,
  );
});

test("mode X: 256 colours unchained, page flip by start address, panning by half pixels", () => {
  const board = new Board();
  board.mode(MODES["13"]);
  board.set(0x3c4, 4, 0x06);
  board.set(0x3d4, 0x14, 0x00);
  board.set(0x3d4, 0x17, 0xe3);
  fillPlanes(board, 32001);
  board.set(0x3d4, 0x0c, 16000 >> 8);
  board.set(0x3d4, 0x0d, 16000 & 0xff);
  board.attr(0x13, 2);
  const wrong = differs(board.vga.render(), (x, y) => {
    const px = (x >> 1) + 1;
    return dac(noise(16000 + (y >> 1) * 80 + (px >> 2) + (px & 3) * 77777));
  });
  assert.is(wrong, undefined);
});

test("the screen is black while the palette address source or screen off says so", () => {
  const board = new Board();
  board.mode(MODES["13"]);
  board.poke(0xa0000, 5);
  board.ports.read(0x3da, 1);
  board.ports.write(0x3c0, 0, 1);
  assert.is(pixel(board.vga.render(), 0, 0), 0);
  board.ports.write(0x3c0, 0x20, 1);
  board.ports.read(0x3da, 1);
  board.ports.write(0x3c0, 0x20, 1);
  assert.is(pixel(board.vga.render(), 0, 0), dac(5));
  board.set(0x3c4, 1, 0x21);
  assert.is(pixel(board.vga.render(), 0, 0), 0);
});

test("VBE 800x600x32, with a virtual screen and offsets", () => {
  const board = new Board();
  board.vbeMode(800, 600, 32);
  board.vbe(6, 1024);
  board.vbe(8, 16);
  board.vbe(9, 4);
  assert.is(board.vbeRead(7), Math.floor(2 ** 24 / 4096));
  for (let i = 0; i < 1024 * 608 * 4; i++) board.vram.bytes[i] = noise(i);
  const surface = board.vga.render();
  assert.is(size(surface), "800x600");
  const wrong = differs(surface, (x, y) => {
    const at = ((y + 4) * 1024 + x + 16) * 4;
    return (noise(at + 2) << 16) | (noise(at + 1) << 8) | noise(at);
  });
  assert.is(wrong, undefined);
});

test("VBE at 8, 15, 16 and 24 bits", () => {
  const board = new Board();
  board.mode(MODES["3"]);
  const five = (value: number): number => ((value & 31) << 3) | ((value & 31) >> 2);
  const six = (value: number): number => ((value & 63) << 2) | ((value & 63) >> 4);
  const two = (at: number): number => noise(at) | (noise(at + 1) << 8);
  const expected: Readonly<Record<number, (at: number) => number>> = {
    8: (at) => dac(noise(at)),
    15: (at) => (five(two(at) >> 10) << 16) | (five(two(at) >> 5) << 8) | five(two(at)),
    16: (at) => (five(two(at) >> 11) << 16) | (six(two(at) >> 5) << 8) | five(two(at)),
    24: (at) => (noise(at + 2) << 16) | (noise(at + 1) << 8) | noise(at),
  };
  for (const bpp of [8, 15, 16, 24]) {
    board.vbeMode(320, 200, bpp);
    const bytes = (bpp + 7) >> 3;
    for (let i = 0; i < 320 * 200 * bytes; i++) board.vram.bytes[i] = noise(i);
    assert.is(
      differs(board.vga.render(), (x, y) => expected[bpp]((y * 320 + x) * bytes)),
      undefined,
      `${bpp} bits`,
    );
  }
});

test("VBE at 4 bits is planar, through the window", () => {
  const board = new Board();
  board.mode(MODES["12"]);
  board.vbeMode(800, 600, 4);
  fillPlanes(board, 60000);
  assert.is(
    differs(board.vga.render(), (x, y) => dac(MODES["12"].attr[planar(y * 100 + (x >> 3), 7 - (x & 7))])),
    undefined,
  );
});

test("VBE: the 8-bit palette", () => {
  const board = new Board();
  board.vbeMode(640, 480, 8, 0x61);
  board.color(7, 0x12, 0x34, 0xff);
  board.vram.bytes[0] = 7;
  assert.is(pixel(board.vga.render(), 0, 0), 0x1234ff);
});

test.run();
