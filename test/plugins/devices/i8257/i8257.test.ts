import { test } from "uvu";
import * as assert from "uvu/assert";
import { PortSpace } from "../../../../core/bus/io.ts";
import { ArrayDma } from "../../../../core/memory/dma.ts";
import { StateArena } from "../../../../core/state/state.ts";
import { I8257 } from "../../../../plugins/devices/i8257/i8257.ts";
import { checkHostileAccess, checkRoundTrip } from "../checks.ts";

const DEMAND_WRITE = 0x04;
const SINGLE_WRITE = 0x44;
const SINGLE_READ = 0x48;
const AUTOINIT = 0x10;
const DECREMENT = 0x20;

function setup() {
  const arena = StateArena.create();
  const dma = new ArrayDma(0x80_0000);
  const device = new I8257({ name: "dma", arena, dma });
  device.reset();
  const ports = new PortSpace();
  device.map(ports);
  const out = (port: number, ...values: number[]): void => {
    for (const value of values) ports.write(port, value, 1);
  };
  const word = (port: number): number => ports.read(port, 1) | (ports.read(port, 1) << 8);
  /** Programs channel 2: address with page, count register, mode. */
  const floppy = (address: number, count: number, mode: number): void => {
    out(0x0a, 6);
    out(0x0c, 0);
    out(0x04, address & 0xff, (address >> 8) & 0xff);
    out(0x05, count & 0xff, count >> 8);
    out(0x81, address >> 16);
    out(0x0b, mode | 2);
    out(0x0a, 2);
  };
  return { arena, dma, device, ports, out, word, floppy };
}

test("address and count are written and read through the flip-flop", () => {
  const { out, word, ports } = setup();
  out(0x0c, 0);
  out(0x00, 0x34, 0x12);
  out(0x07, 0x78, 0x56);
  assert.is(word(0x00), 0x1234);
  assert.is(word(0x07), 0x5678);
  ports.read(0x00, 1);
  out(0x0c, 0);
  assert.is(ports.read(0x00, 1), 0x34, "cleared flip-flop");
});

test("device to memory: the bytes land at page and address, TC at the end", () => {
  const { device, dma, floppy, word, ports } = setup();
  floppy(0x12_3456, 511, SINGLE_WRITE);
  const c2 = device.channel(2);
  assert.equal(c2.toMemory(new Uint8Array(500).fill(7)), { count: 500, terminal: false });
  assert.is(word(0x04), 0x3456 + 500);
  assert.is(word(0x05), 11);
  assert.equal(c2.toMemory(new Uint8Array(100).fill(9)), { count: 12, terminal: true });
  assert.is(dma.bytes[0x12_3455], 0);
  assert.is(dma.bytes[0x12_3456], 7);
  assert.is(dma.bytes[0x12_3456 + 511], 9);
  assert.is(dma.bytes[0x12_3456 + 512], 0);
  assert.is(word(0x05), 0xffff);
  assert.is(ports.read(0x08, 1), 0x04, "TC of channel 2");
  assert.is(ports.read(0x08, 1), 0, "reading clears it");
  assert.equal(c2.toMemory(new Uint8Array(1)), { count: 0, terminal: false }, "masked at TC");
});

test("memory to device", () => {
  const { device, dma, floppy } = setup();
  dma.bytes.set([1, 2, 3, 4], 0x5000);
  floppy(0x5000, 3, SINGLE_READ);
  const into = new Uint8Array(4);
  assert.equal(device.channel(2).fromMemory(into), { count: 4, terminal: true });
  assert.equal([...into], [1, 2, 3, 4]);
});

test("autoinitialize reloads address and count and stays unmasked", () => {
  const { device, dma, floppy, word } = setup();
  floppy(0x1000, 3, SINGLE_WRITE | AUTOINIT);
  for (let i = 1; i <= 3; i++) {
    assert.ok(device.channel(2).toMemory(new Uint8Array(4).fill(i)).terminal);
    assert.equal([...dma.bytes.subarray(0x1000, 0x1005)], [i, i, i, i, 0]);
  }
  assert.is(word(0x04), 0x1000);
  assert.is(word(0x05), 3);
});

test("the address wraps within its page", () => {
  const { device, dma, floppy } = setup();
  floppy(0x02_fffe, 3, DEMAND_WRITE);
  device.channel(2).toMemory(Uint8Array.of(1, 2, 3, 4));
  assert.equal([dma.bytes[0x2_fffe], dma.bytes[0x2_ffff], dma.bytes[0x2_0000], dma.bytes[0x2_0001]], [1, 2, 3, 4]);
  assert.is(dma.bytes[0x3_0000], 0);
});

test("decrementing addresses, in both directions and across the wrap", () => {
  const { device, dma, floppy, word } = setup();
  floppy(0x04_0001, 3, SINGLE_WRITE | DECREMENT);
  device.channel(2).toMemory(Uint8Array.of(1, 2, 3, 4));
  assert.equal([dma.bytes[0x4_0001], dma.bytes[0x4_0000], dma.bytes[0x4_ffff], dma.bytes[0x4_fffe]], [1, 2, 3, 4]);
  assert.is(word(0x04), 0xfffd);
  floppy(0x04_0001, 3, SINGLE_READ | DECREMENT);
  const into = new Uint8Array(4);
  device.channel(2).fromMemory(into);
  assert.equal([...into], [1, 2, 3, 4]);
});

test("word channels: addresses in words, 128 KiB pages", () => {
  const { device, dma, out } = setup();
  out(0xd8, 0);
  out(0xc4, 0xff, 0xff);
  out(0xc6, 1, 0);
  out(0x8b, 0x07);
  out(0xd6, SINGLE_WRITE | 1);
  out(0xd4, 1);
  assert.equal(device.channel(5).toMemory(Uint8Array.of(1, 2, 3, 4, 5)), { count: 4, terminal: true });
  assert.equal([dma.bytes[0x7_fffe], dma.bytes[0x7_ffff], dma.bytes[0x6_0000], dma.bytes[0x6_0001]], [1, 2, 3, 4]);
});

test("nothing moves while masked, disabled, cascaded or in the wrong direction", () => {
  const { device, floppy, out } = setup();
  const none = { count: 0, terminal: false };
  const try2 = () => device.channel(2).toMemory(new Uint8Array(1));
  assert.equal(try2(), none, "masked by reset");
  floppy(0, 100, SINGLE_READ);
  assert.equal(try2(), none);
  floppy(0, 100, 0xc4);
  assert.equal(try2(), none);
  floppy(0, 100, SINGLE_WRITE);
  out(0x08, 0x04);
  assert.equal(try2(), none);
  out(0x08, 0);
  assert.is(try2().count, 1);
});

test("verify counts without touching memory", () => {
  const { device, dma, floppy } = setup();
  floppy(0x1000, 1, 0x40);
  assert.equal(device.channel(2).toMemory(Uint8Array.of(9, 9)), { count: 2, terminal: true });
  assert.is(dma.bytes[0x1000], 0);
});

test("masks, requests and status", () => {
  const { device, out, ports } = setup();
  assert.is(ports.read(0x0f, 1), 0xff);
  out(0x0f, 0x05);
  assert.is(ports.read(0x0f, 1), 0xf5);
  out(0x0e, 0);
  assert.is(ports.read(0x0f, 1), 0xf0);
  device.channel(3).setRequest(true);
  out(0x09, 5);
  assert.is(ports.read(0x08, 1), 0xa0);
  device.channel(3).setRequest(false);
  out(0x0d, 0);
  assert.is(ports.read(0x08, 1), 0);
  assert.is(ports.read(0x0f, 1), 0xff);
});

test("high page registers reach above 16 MiB; unused page registers are memory", () => {
  const { device, dma, floppy, out, ports } = setup();
  floppy(0x1000, 0, SINGLE_WRITE);
  out(0x481, 0x01);
  dma.write = (address) => assert.is(address, 0x0100_1000);
  assert.is(device.channel(2).toMemory(Uint8Array.of(1)).count, 1);
  out(0x80, 0x55);
  assert.is(ports.read(0x80, 1), 0x55);
});

test("state", () => {
  const { arena, floppy } = setup();
  floppy(0x12_3456, 511, SINGLE_WRITE);
  checkRoundTrip(arena, () => {});
});

test("hostile accesses", () => {
  const { device } = setup();
  const data = new Uint8Array(0x2_0001);
  checkHostileAccess([device.byteIo, device.wordIo, device.pageIo, device.highPageIo], (random) => {
    if (random(500) > 0) return;
    const channel = device.channel(random(8));
    const part = data.subarray(0, random(data.length));
    const { count } = random(2) ? channel.toMemory(part) : channel.fromMemory(part);
    assert.ok(count <= part.length);
  });
});

test.run();
