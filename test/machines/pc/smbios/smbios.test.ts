import { test } from "uvu";
import * as assert from "uvu/assert";
import { ONE_CPU } from "../../../../core/cpu-topology.ts";
import { checksum } from "../../../../machines/pc/acpi/linker.ts";
import { buildSmbios, parseUuid, placeAnchor } from "../../../../machines/pc/smbios/smbios.ts";

const UUID = "00112233-4455-6677-8899-aabbccddeeff";
const OPTIONS = { uuid: UUID, cpus: { ...ONE_CPU, sockets: 2 }, ram: [{ base: 0, size: 128 * 2 ** 20 }] };

interface Parsed {
  type: number;
  handle: number;
  bytes: Uint8Array;
  strings: string[];
}

function parse(tables: Uint8Array): Parsed[] {
  const found: Parsed[] = [];
  for (let at = 0; at < tables.length; ) {
    const bytes = tables.subarray(at, at + tables[at + 1]);
    let end = at + bytes.length;
    while (tables[end] !== 0 || tables[end + 1] !== 0) end++;
    const text = Buffer.from(tables.subarray(at + bytes.length, end)).toString();
    found.push({
      type: bytes[0],
      handle: bytes[2] | (bytes[3] << 8),
      bytes,
      strings: text === "" ? [] : text.split("\0"),
    });
    at = end + 2;
  }
  return found;
}

test("the structures of a two-processor machine, in order, with QEMU's handles", () => {
  const structures = parse(buildSmbios(OPTIONS).tables);
  assert.equal(
    structures.map(({ type, handle }) => [type, handle]),
    [
      [1, 0x100],
      [3, 0x300],
      [4, 0x400],
      [4, 0x401],
      [16, 0x1000],
      [17, 0x1100],
      [19, 0x1300],
      [32, 0x2000],
      [127, 0x7f00],
    ],
  );
  const lengths = structures.map(({ bytes }) => bytes.length);
  assert.equal(lengths, [27, 22, 48, 48, 23, 40, 31, 11, 4], "as section 7 has them for 2.8");
});

test("a processor is a socket, and counts its cores and threads", () => {
  const cpus = { sockets: 1, dies: 2, cores: 3, threads: 2 };
  const processors = parse(buildSmbios({ ...OPTIONS, cpus }).tables).filter(({ type }) => type === 4);
  assert.is(processors.length, 1);
  const { bytes } = processors[0];
  assert.equal([...bytes.subarray(0x23, 0x26)], [6, 6, 12]);
  assert.equal([...bytes.subarray(0x2a, 0x30)], [6, 0, 6, 0, 12, 0]);
});

test("system information: strings and UUID with little-endian fields", () => {
  const [system] = parse(buildSmbios({ ...OPTIONS, system: { serial: "S-1", family: "F" } }).tables);
  assert.equal(system.strings, ["QEMU", "Standard PC (i440FX + PIIX, 1996)", "pc-i440fx", "S-1", "F"]);
  assert.is(Buffer.from(system.bytes.subarray(8, 24)).toString("hex"), "33221100554477668899aabbccddeeff");
  assert.throws(() => parseUuid("1234"), /invalid UUID/);
});

test("memory: 128 MiB in one DIMM, mapped to 0 to 128 MiB; large memories use the extended fields", () => {
  const structures = parse(buildSmbios(OPTIONS).tables);
  const view = (i: number) => new DataView(structures[i].bytes.buffer, structures[i].bytes.byteOffset);
  assert.is(view(4).getUint32(7, true), 128 * 1024);
  assert.is(view(5).getUint16(12, true), 128);
  assert.equal([view(6).getUint32(4, true), view(6).getUint32(8, true)], [0, 128 * 1024 - 1]);
  const large = parse(buildSmbios({ cpus: ONE_CPU, ram: [{ base: 2 ** 32, size: 2 ** 42 }] }).tables);
  const array = large.find(({ type }) => type === 16)!.bytes;
  assert.is(new DataView(array.buffer, array.byteOffset).getBigUint64(15, true), 2n ** 42n);
  assert.is(large.filter(({ type }) => type === 17).length, 256);
});

test("type 0 only when asked for", () => {
  const [bios] = parse(
    buildSmbios({ ...OPTIONS, bios: { vendor: "V", version: "1", date: "01/01/2024", release: "1.2" } }).tables,
  );
  assert.is(bios.type, 0);
  assert.is(bios.bytes.length, 24);
  assert.equal([...bios.bytes.subarray(20, 22)], [1, 2]);
});

test("the entry point sums to zero in both parts and counts the structures", () => {
  const { anchor, tables } = buildSmbios(OPTIONS);
  const placed = placeAnchor(anchor, 0xf1000);
  for (const bytes of [anchor, placed]) {
    assert.is(checksum(bytes), 0);
    assert.is(checksum(bytes.subarray(16)), 0);
    const view = new DataView(bytes.buffer);
    assert.is(view.getUint16(22, true), tables.length);
    assert.is(view.getUint16(28, true), 9);
  }
  assert.is(new DataView(placed.buffer).getUint32(24, true), 0xf1000);
});

test.run();
