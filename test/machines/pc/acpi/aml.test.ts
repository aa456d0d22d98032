import { test } from "uvu";
import * as assert from "uvu/assert";
import * as aml from "../../../../machines/pc/acpi/aml.ts";
import * as resource from "../../../../machines/pc/acpi/resources.ts";

const hex = (bytes: aml.Aml): string => Buffer.from(bytes).toString("hex");
const ascii = (text: string): string => Buffer.from(text, "latin1").toString("hex");

test("integers take the shortest form", () => {
  // Zero, One, 0x42, 0x1234, 0x12345678, 0x123456789A
  assert.is(hex(aml.int(0)), "00");
  assert.is(hex(aml.int(1)), "01");
  assert.is(hex(aml.int(0x42)), "0a42");
  assert.is(hex(aml.int(0x1234)), "0b3412");
  assert.is(hex(aml.int(0x12345678)), "0c78563412");
  assert.is(hex(aml.int(0x12_3456_789a)), "0e9a78563412000000");
});

test("names: one segment, two, more, root and parent prefixes", () => {
  // _HID   \_SB.PCI0   \_SB.PCI0.ISA   ^PRQ0   \
  assert.is(hex(aml.path("_HID")), ascii("_HID"));
  assert.is(hex(aml.path("\\_SB.PCI0")), ascii("\\") + "2e" + ascii("_SB_PCI0"));
  assert.is(hex(aml.path("\\_SB.PCI0.ISA")), ascii("\\") + "2f03" + ascii("_SB_PCI0ISA_"));
  assert.is(hex(aml.path("^PRQ0")), ascii("^PRQ0"));
  assert.is(hex(aml.path("\\")), "5c00");
  assert.throws(() => aml.path("TOOLONG"), /name segment/);
  assert.throws(() => aml.path("lower"), /name segment/);
});

test('Name (_HID, EisaId ("PNP0A03"))', () => {
  assert.is(hex(aml.name("_HID", aml.eisaId("PNP0A03"))), `08${ascii("_HID")}0c41d00a03`);
});

test("Name (_S5, Package (0x04) {Zero, Zero, Zero, Zero})", () => {
  const zeros = [aml.ZERO, aml.ZERO, aml.ZERO, aml.ZERO];
  assert.is(hex(aml.name("_S5", aml.pkg(...zeros))), `08${ascii("_S5_")}12060400000000`);
});

test('Name (X, "hi"), Name (X, Buffer (0x02) {0x01, 0x02})', () => {
  assert.is(hex(aml.name("X", aml.string("hi"))), `08${ascii("X___")}0d686900`);
  assert.is(hex(aml.name("X", aml.buffer([1, 2]))), `08${ascii("X___")}11050a020102`);
});

test("Scope (\\_SB) {Device (A) {}}", () => {
  assert.is(hex(aml.scope("\\_SB", aml.device("A"))), `100d5c${ascii("_SB_")}5b8205${ascii("A___")}`);
});

test("Processor (C000, 0x00, 0x00000000, 0x00) {}", () => {
  assert.is(hex(aml.processor("C000", 0)), `5b830b${ascii("C000")}000000000000`);
});

test("package lengths count themselves in one to three bytes", () => {
  const inner = (count: number) => aml.buffer(new Array(count).fill(0));
  assert.is(hex(inner(10)).slice(0, 8), "110d0a0a");
  // 0x40 bytes of data: BufferSize takes 2, PkgLength 2 = 0x44
  assert.is(hex(inner(0x40)).slice(0, 10), "1144040a40");
  // 0x1000 bytes: BufferSize takes 3, PkgLength 3 = 0x1006
  assert.is(hex(inner(0x1000)).slice(0, 14), "118600010b0010");
});

test("OperationRegion (P40C, PCI_Config, 0x60, 0x04) and Field (P40C, ByteAcc, NoLock, Preserve) {PRQ0, 8}", () => {
  const region = aml.operationRegion("P40C", "PCI_Config", aml.int(0x60), aml.int(4));
  assert.is(hex(region), `5b80${ascii("P40C")}020a600a04`);
  assert.is(hex(aml.field("P40C", "ByteAcc", ["PRQ0", 8])), `5b810b${ascii("P40C")}01${ascii("PRQ0")}08`);
  // Field (P40C, AnyAcc, NoLock, Preserve) {Offset (0x10), PRQ0, 8}
  const skipped = aml.field("P40C", "AnyAcc", [undefined, 0x80], ["PRQ0", 8]);
  assert.is(hex(skipped), `5b810e${ascii("P40C")}00004008${ascii("PRQ0")}08`);
});

test("Method (M, 1, Serialized) {If ((Arg0 & 0x80)) {Return (0x09)} Else {Local0 = Arg0} Return (Local0)}", () => {
  const method = aml.method(
    "M",
    1,
    true,
    aml.when(aml.and(aml.arg(0), aml.int(0x80)), aml.ret(aml.int(9))),
    aml.otherwise(aml.store(aml.arg(0), aml.local(0))),
    aml.ret(aml.local(0)),
  );
  assert.is(hex(method), `1417${ascii("M___")}09a0097b680a8000a40a09a104706860a460`);
});

test("LEqual, LLess, Or, CreateDWordField", () => {
  // (Local0 == One)   (Local0 < One)   Local0 |= One   CreateDWordField (Arg0, 0x05, PRRI)
  assert.is(hex(aml.equal(aml.local(0), aml.ONE)), "936001");
  assert.is(hex(aml.lessThan(aml.local(0), aml.ONE)), "956001");
  assert.is(hex(aml.or(aml.local(0), aml.ONE, aml.local(0))), "7d600160");
  assert.is(hex(aml.createDWordField(aml.arg(0), 5, "PRRI")), `8a680a05${ascii("PRRI")}`);
});

test("ResourceTemplate () {IO (Decode16, 0x70, 0x70, 0x01, 0x08) IRQNoFlags () {8}}", () => {
  const template = resource.resourceTemplate(resource.io(0x70, 0x70, 1, 8), resource.irqNoFlags(8));
  assert.is(hex(template), "11100a0d47017000700001082200017900");
});

test("Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) {5, 10}", () => {
  assert.is(hex(resource.interrupt(5, 10)), "890a000902050000000a000000");
});

test("WordBusNumber, WordIO, DWordMemory", () => {
  assert.is(hex(resource.wordBusNumber(0, 0xff)), "880d00020c0000000000ff0000000001");
  assert.is(hex(resource.wordIo(0x0d00, 0xffff)), "880d00010c030000000dffff000000f3");
  assert.is(
    hex(resource.dwordMemory(false, 0x8000000, 0xfebfffff)),
    "871700000c010000000000000008ffffbffe000000000000c0f6",
  );
});

test("DMA (Compatibility, NotBusMaster, Transfer8) {2}, Memory32Fixed (ReadOnly, 0xFED00000, 0x400)", () => {
  assert.is(hex(resource.dma8(2)), "2a0400");
  assert.is(hex(resource.memory32Fixed("ReadOnly", 0xfed00000, 0x400)), "860900000000d0fe00040000");
});

test.run();
