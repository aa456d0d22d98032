import { test } from "uvu";
import * as assert from "uvu/assert";
import { bootBytes, type CmosOptions, checkBootOrder, cmosBytes } from "../../../machines/pc/cmos.ts";
import { boardE820, encodeE820, legacyE820, ramLayout } from "../../../machines/pc/e820.ts";
import { guessGeometry } from "../../../machines/pc/geometry.ts";

const MIB = 2 ** 20;
const bytes = (options: Partial<CmosOptions>): Map<number, number> =>
  new Map(
    cmosBytes({
      ram: ramLayout(128 * MIB),
      cpus: 1,
      bootOrder: "cad",
      floppies: ["none", "none"],
      disks: [],
      ...options,
    }),
  );
const at = (map: Map<number, number>, ...indices: number[]): (number | undefined)[] => indices.map((i) => map.get(i));

test("RAM is split at 3 GiB when it reaches 3.5 GiB", () => {
  assert.equal(ramLayout(128 * MIB), { below4g: 128 * MIB, above4g: 0 });
  assert.equal(ramLayout(3583 * MIB), { below4g: 3583 * MIB, above4g: 0 });
  assert.equal(ramLayout(3584 * MIB), { below4g: 3072 * MIB, above4g: 512 * MIB });
  assert.equal(ramLayout(4096 * MIB, 1024 * MIB), { below4g: 1024 * MIB, above4g: 3072 * MIB });
});

test("E820 entries are 20 bytes; the legacy item has a count and 16 slots", () => {
  const entries = boardE820(ramLayout(4096 * MIB), [{ base: 0xfeffc000, size: 0x4000, type: 2 }]);
  const encoded = encodeE820(entries);
  assert.is(encoded.length, 60);
  assert.is(Buffer.from(encoded.subarray(0, 20)).toString("hex"), "00c0fffe00000000004000000000000002000000");
  assert.is(Buffer.from(encoded.subarray(40)).toString("hex"), "0000000001000000000000400000000001000000");
  assert.equal([legacyE820(entries.slice(0, 1)).length, legacyE820(entries.slice(0, 1))[0]], [324, 1]);
});

test("128 MiB: 640 KiB base, 64 MiB less 1 KiB extended, 112 MiB above 16 MiB", () => {
  const cmos = bytes({});
  assert.equal(at(cmos, 0x15, 0x16), [0x80, 0x02]);
  assert.equal(at(cmos, 0x17, 0x18, 0x30, 0x31), [0xff, 0xff, 0xff, 0xff]);
  assert.equal(at(cmos, 0x34, 0x35), [0x00, 0x07]);
  assert.equal(at(cmos, 0x5b, 0x5c, 0x5d), [0, 0, 0]);
});

test("8 MiB: 7168 KiB extended, nothing above 16 MiB", () => {
  const cmos = bytes({ ram: ramLayout(8 * MIB) });
  assert.equal(at(cmos, 0x17, 0x18, 0x34, 0x35), [0x00, 0x1c, 0, 0]);
});

test("memory above 4 GiB is counted in 64 KiB", () => {
  assert.equal(at(bytes({ ram: { below4g: 3072 * MIB, above4g: 2 ** 40 } }), 0x5b, 0x5c, 0x5d), [0, 0, 0]);
  assert.equal(at(bytes({ ram: { below4g: 3072 * MIB, above4g: 2 ** 36 } }), 0x5b, 0x5c, 0x5d), [0, 0, 0x10]);
});

test("the boot order is three nibbles, then the floppy signature bit", () => {
  assert.equal(bootBytes("cad"), [
    [0x3d, 0x12],
    [0x38, 0x30],
  ]);
  assert.equal(bootBytes("n", false), [
    [0x3d, 0x04],
    [0x38, 0x01],
  ]);
  assert.throws(() => checkBootOrder("cx"), /Invalid boot device for PC: 'x'/);
  assert.throws(() => checkBootOrder("cc"), /given twice/);
  assert.throws(() => checkBootOrder("abcd"), /Too many/);
});

test("floppy drives and the equipment byte", () => {
  assert.equal(at(bytes({}), 0x10, 0x14), [0x00, 0x06]);
  assert.equal(at(bytes({ floppies: ["144", "none"] }), 0x10, 0x14), [0x40, 0x07]);
  assert.equal(at(bytes({ floppies: ["288", "120"] }), 0x10, 0x14), [0x52, 0x47]);
});

test("disks: types, geometry and translation", () => {
  const big = guessGeometry(20 * 2 ** 21);
  const small = guessGeometry(100 * 2048);
  const cmos = bytes({ disks: [small, undefined, big, undefined] });
  assert.equal(at(cmos, 0x12, 0x19, 0x1a), [0xf0, 47, undefined]);
  assert.equal(
    at(cmos, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f, 0x20, 0x21, 0x22, 0x23),
    [203, 0, 16, 0xff, 0xff, 0xc8, 203, 0, 63],
  );
  assert.equal(at(cmos, 0x39), [0x10]);
});

test("geometry: by size, or as the partition table implies", () => {
  assert.equal(guessGeometry(504 * 2048), { cylinders: 1024, heads: 16, sectors: 63, translation: 0 });
  assert.equal(guessGeometry(2 ** 40), { cylinders: 16383, heads: 16, sectors: 63, translation: 1 });
  assert.equal(guessGeometry(1), { cylinders: 2, heads: 16, sectors: 63, translation: 0 });
  const mbr = new Uint8Array(512);
  mbr.set([0x55, 0xaa], 510);
  mbr.set([0x80, 1, 1, 0, 0x83, 15, 63, 100, 63, 0, 0, 0, 0, 0x10, 0, 0], 0x1be);
  assert.equal(guessGeometry(16 * 63 * 500, mbr), { cylinders: 500, heads: 16, sectors: 63, translation: 0 });
  mbr[0x1be + 5] = 254;
  assert.is(guessGeometry(4 * 2 ** 21, mbr).translation, 1);
  assert.is(guessGeometry(2 ** 21, mbr).translation, 2);
});

test.run();
