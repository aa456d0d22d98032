import { test } from "uvu";
import * as assert from "uvu/assert";
import { checksum } from "../../../../machines/pc/acpi/linker.ts";
import { Assembler } from "../../../../machines/pc/boot/assembler.ts";
import { chipSetup } from "../../../../machines/pc/boot/chip-setup.ts";
import { linuxBootRom, multibootRom } from "../../../../machines/pc/boot/option-rom.ts";

test("labels resolve to offsets and distances", () => {
  const code = new Assembler()
    .ref("eb", "rel8", "end", "jmp end")
    .ref("e8", "rel16", "start", "call start")
    .label("start")
    .ref("66 b8", "abs32", "end", "mov eax, end")
    .ref("be", "abs16", "start", "mov si, start")
    .label("end")
    .text("x");
  assert.is(Buffer.from(code.assemble()).toString("hex"), "eb0ce8000066b80e000000be05007800");
  assert.throws(() => new Assembler().ref("eb", "rel8", "far", "").org(200).label("far").assemble(), /too far/);
  assert.throws(() => new Assembler().ref("eb", "rel8", "none", "").assemble(), /not defined/);
});

for (const [name, build] of [
  ["linux", linuxBootRom],
  ["multiboot", multibootRom],
] as const) {
  test(`${name}: a valid PnP expansion ROM with a bootstrap entry vector`, () => {
    const rom = build();
    const view = new DataView(rom.buffer);
    assert.is(view.getUint16(0, true), 0xaa55);
    assert.is(rom[2] * 512, rom.length);
    assert.is(checksum(rom), 0);
    const pnp = view.getUint16(0x1a, true);
    assert.is(Buffer.from(rom.subarray(pnp, pnp + 4)).toString(), "$PnP");
    assert.is(checksum(rom.subarray(pnp, pnp + rom[pnp + 5] * 16)), 0);
    assert.is(view.getUint16(pnp + 0x16, true), 0, "no boot connection vector");
    const boot = view.getUint16(pnp + 0x1a, true);
    assert.is(rom[boot], 0xfa, "cli");
    const product = view.getUint16(pnp + 0x10, true);
    assert.match(Buffer.from(rom.subarray(product, product + 40)).toString(), /^\w+ loader ROM\0/);
    assert.equal([...rom.subarray(3, 6)], [0x31, 0xc0, 0xcb], "initialisation returns at once");
  });
}

test("chips: power management at 0x600, PIRQs on 10 and 11, level-triggered with the SCI, RAM at the BIOS", () => {
  const { pci, ports } = chipSetup();
  const value = (devfn: number, register: number) =>
    pci.find((write) => write.devfn === devfn && write.register === register)?.value;
  assert.is(value(11, 0x40), 0x601);
  assert.equal(
    [0x60, 0x61, 0x62, 0x63].map((register) => value(8, register)),
    [10, 10, 11, 11],
  );
  assert.equal(
    [0x59, 0x5a, 0x5f].map((register) => value(0, register)),
    [0x30, 0x33, 0x33],
  );
  assert.equal(
    ports.map(({ port, value }) => [port, value]),
    [
      [0x4d0, 0],
      [0x4d1, 0b1110],
    ],
  );
});

test.run();
