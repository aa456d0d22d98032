import { test } from "uvu";
import * as assert from "uvu/assert";
import { PortSpace } from "../../../../core/bus/io.ts";
import { FW_CFG } from "../../../../core/firmware-config.ts";
import { ArrayDma } from "../../../../core/memory/dma.ts";
import { StateArena } from "../../../../core/state/state.ts";
import { FwCfg, ZERO_FILL_MAX } from "../../../../plugins/devices/fw_cfg/fw-cfg.ts";

const DESCRIPTOR = 0x100;
const BUFFER = 0x1000;
const [ERROR, READ, SKIP, SELECT, WRITE] = [1, 2, 4, 8, 16];

function setup(memory = 0x10000, withDma = true) {
  const arena = StateArena.create();
  const dma = new ArrayDma(memory);
  const device = new FwCfg({ name: "fw_cfg", arena, dma: withDma ? dma : undefined });
  const ports = new PortSpace();
  ports.map(0x510, device.io);
  ports.map(0x514, device.dmaIo);
  const select = (key: number) => ports.write(0x510, key, 2);
  const bytes = (count: number) => Array.from({ length: count }, () => ports.read(0x511, 1));
  const text = (count: number) => String.fromCharCode(...bytes(count));
  /** Runs a DMA descriptor and returns the control word it leaves. */
  const run = (control: number, length: number, address = BUFFER): number => {
    const view = new DataView(dma.bytes.buffer);
    view.setUint32(DESCRIPTOR, control);
    view.setUint32(DESCRIPTOR + 4, length);
    view.setBigUint64(DESCRIPTOR + 8, BigInt(address));
    ports.write(0x514, 0, 4);
    ports.write(0x518, 0x00010000, 4); // 0x100, big-endian
    return view.getUint32(DESCRIPTOR);
  };
  return { arena, dma, device, ports, select, bytes, text, run };
}

const encode = (value: string) => new TextEncoder().encode(value);

test("item 0 is the signature, item 1 the interface bits", () => {
  const { select, text, bytes } = setup();
  select(FW_CFG.SIGNATURE);
  assert.is(text(4), "QEMU");
  select(FW_CFG.ID);
  assert.equal(bytes(4), [3, 0, 0, 0]);
});

test("without DMA the interface bit is clear and the register does nothing", () => {
  const { select, bytes, run, dma } = setup(0x10000, false);
  select(FW_CFG.ID);
  assert.equal(bytes(4), [1, 0, 0, 0]);
  assert.is(run(SELECT | READ, 4), SELECT | READ);
  assert.is(dma.bytes[BUFFER], 0);
});

test("past the end of an item zeros are read; selecting again starts over", () => {
  const { device, select, bytes } = setup();
  device.addBytes(FW_CFG.NB_CPUS, new Uint8Array([7, 8]));
  select(FW_CFG.NB_CPUS);
  assert.equal(bytes(4), [7, 8, 0, 0]);
  select(FW_CFG.NB_CPUS);
  assert.equal(bytes(1), [7]);
});

test("items that are not there read as zeros, and the write channel bit is ignored", () => {
  const { device, select, bytes } = setup();
  device.addBytes(FW_CFG.E820_TABLE, new Uint8Array([1]));
  select(0x1234);
  assert.equal(bytes(2), [0, 0]);
  select(0xffff);
  assert.equal(bytes(2), [0, 0]);
  select(FW_CFG.E820_TABLE | 0x4000);
  assert.equal(bytes(1), [1]);
  select(FW_CFG.RAM_SIZE);
  assert.equal(bytes(1), [0], "0x8003 is not 0x0003");
});

test("the directory lists files by name, big-endian, and keys follow that order", () => {
  const { device, select, bytes, text } = setup();
  device.addFile("etc/e820", encode("e820"));
  device.addFile("bootorder", encode("boot"));
  device.addFile("etc/acpi/tables", encode("acpi!"));
  select(FW_CFG.FILE_DIR);
  assert.equal(bytes(4), [0, 0, 0, 3]);
  assert.equal(bytes(8), [0, 0, 0, 4, 0, 0x20, 0, 0]);
  assert.is(text(56).replace(/\0+$/, ""), "bootorder");
  assert.equal(bytes(8), [0, 0, 0, 5, 0, 0x21, 0, 0]);
  assert.is(text(56).replace(/\0+$/, ""), "etc/acpi/tables");
  select(0x22);
  assert.is(text(4), "e820");
  assert.equal(
    device.files().map((file) => file.key),
    [0x20, 0x21, 0x22],
  );
});

test("bad names, duplicates and a full directory are refused", () => {
  const { device } = setup();
  assert.throws(() => device.addFile("x".repeat(56), encode("")), /1 to 55 bytes/);
  assert.throws(() => device.addFile("", encode("")), /1 to 55 bytes/);
  for (let i = 0; i < 32; i++) device.addFile(`opt/${i}`, encode(""));
  assert.throws(() => device.addFile("opt/0", encode("")), /duplicate fw_cfg file name: opt\/0/);
  assert.throws(() => device.addFile("opt/more", encode("")), /all 32 slots/);
  assert.throws(() => device.addBytes(0x20, encode("")), /out of range/);
  assert.throws(() => device.addBytes(FW_CFG.SIGNATURE, encode("")), /already there/);
});

test("the DMA register reads as QEMU CFG", () => {
  const { ports } = setup();
  assert.is(ports.read(0x514, 4), 0x554d4551);
  assert.is(ports.read(0x518, 4), 0x47464320);
  assert.is(ports.read(0x515, 1), "E".charCodeAt(0));
});

test("DMA: select, skip and read in steps", () => {
  const { device, run, dma } = setup();
  device.addFile("f", encode("0123456789"));
  assert.is(run((0x20 << 16) | SELECT | SKIP, 3), 0);
  assert.is(run(READ, 4), 0);
  assert.is(Buffer.from(dma.bytes.subarray(BUFFER, BUFFER + 4)).toString(), "3456");
  dma.bytes.fill(0xaa, BUFFER, BUFFER + 8);
  assert.is(run(READ, 6), 0);
  assert.equal([...dma.bytes.subarray(BUFFER, BUFFER + 8)], [0x37, 0x38, 0x39, 0, 0, 0, 0xaa, 0xaa]);
});

test("DMA: only a writable file can be written, and never past its end", () => {
  const { device, run, dma, select, text } = setup();
  const told: number[][] = [];
  const data = encode("........");
  device.addFile("a", data, { write: (offset, length) => told.push([offset, length]) });
  device.addFile("b", encode("fixed"));
  dma.bytes.set(encode("hi"), BUFFER);
  assert.is(run((0x20 << 16) | SELECT | SKIP, 2), 0);
  assert.is(run(WRITE, 2), 0);
  assert.equal(told, [[2, 2]]);
  assert.is(run(WRITE, 5), ERROR);
  select(0x20);
  assert.is(text(8), "..hi....");
  assert.is(run((0x21 << 16) | SELECT | WRITE, 1), ERROR);
  assert.is(run((0x1f << 16) | SELECT | WRITE, 1), ERROR);
});

test("a file's onSelect runs before it is read", () => {
  const { device, select, bytes } = setup();
  const data = new Uint8Array(1);
  device.addFile("late", data, { onSelect: () => data.fill(42) });
  select(0x20);
  assert.equal(bytes(1), [42]);
});

test("hostile descriptors end at once", () => {
  const { ports, run } = setup(4 * ZERO_FILL_MAX);
  assert.is(run((0x1f << 16) | SELECT | READ, 0xffffffff), ERROR);
  assert.is(run(SELECT | READ, 0x10, Number.MAX_SAFE_INTEGER), ERROR);
  ports.write(0x514, 0xffffffff, 4);
  ports.write(0x518, 0xffffffff, 4);
  for (let seed = 1, i = 0; i < 20000; i++) {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    const port = 0x510 + ((seed >>> 8) % 12);
    const size = [1, 2, 4][(seed >>> 4) % 3] as 1 | 2 | 4;
    if (seed & 0x10000) ports.write(port, seed & (2 ** (8 * size) - 1), size);
    else ports.read(port, size);
  }
});

test("state survives saving and loading in the middle of an item", () => {
  const { arena, device, select, text } = setup();
  device.addFile("f", encode("abcdef"));
  select(0x20);
  assert.is(text(2), "ab");
  const saved = arena.save();
  device.reset();
  arena.load(saved);
  device.loaded();
  assert.is(text(2), "cd");
  assert.equal(setup().arena.save(), setup().arena.save());
});

test.run();
