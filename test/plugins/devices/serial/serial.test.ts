import { test } from "uvu";
import * as assert from "uvu/assert";
import { ManualClock } from "../../../../core/clock.ts";
import { StateArena } from "../../../../core/state/state.ts";
import * as r from "../../../../plugins/devices/serial/regs.ts";
import { Serial } from "../../../../plugins/devices/serial/serial.ts";
import { checkHostileAccess, checkRoundTrip, TestChar, TestLine } from "../checks.ts";

const THR = r.RBR_THR_DLL;
const RBR = r.RBR_THR_DLL;
const IER = r.IER_DLM;
const IIR = r.IIR_FCR;
const FCR = r.IIR_FCR;

function setup() {
  const arena = StateArena.create();
  const clock = new ManualClock();
  const irq = new TestLine();
  const channel = new TestChar();
  const uart = new Serial({ name: "serial0", arena, clock, irq, chardev: channel });
  uart.reset();
  const write = (offset: number, value: number): void => uart.io.handler.write(offset, value, 1);
  const read = (offset: number): number => uart.io.handler.read(offset, 1);
  write(r.MCR, r.MCR_OUT2);
  return { arena, clock, irq, channel, uart, write, read };
}

const text = (bytes: string): number[] => [...bytes].map((c) => c.charCodeAt(0));

test("after reset: transmitter empty, far end ready, nothing pending", () => {
  const { read, irq } = setup();
  assert.is(read(r.LSR), r.LSR_THRE | r.LSR_TEMT);
  assert.is(read(r.MSR), r.MSR_CTS | r.MSR_DSR | r.MSR_DCD);
  assert.is(read(IIR), r.IIR_NONE);
  assert.not(irq.level);
});

test("divisor latch and scratch register", () => {
  const { read, write, channel } = setup();
  write(r.LCR, r.LCR_DLAB | 3);
  write(0, 0x01);
  write(1, 0x02);
  assert.is(read(0), 0x01);
  assert.is(read(1), 0x02);
  write(r.LCR, 3);
  assert.is(read(IER), 0);
  write(r.SCR, 0xa5);
  assert.is(read(r.SCR), 0xa5);
  assert.is(channel.text, "");
});

test("bytes written to THR go out", () => {
  const { write, channel } = setup();
  for (const byte of text("hello")) write(THR, byte);
  assert.is(channel.text, "hello");
});

test("a channel that takes one byte of three loses none", () => {
  const { write, read, channel } = setup();
  write(FCR, r.FCR_ENABLE);
  const message = "The quick brown fox jumps over the lazy dog";
  channel.room = 1;
  for (const byte of text(message)) {
    while (!(read(r.LSR) & r.LSR_THRE)) channel.drain(1);
    write(THR, byte);
  }
  channel.drain(100);
  assert.is(channel.text, message);
  assert.is(read(r.LSR) & r.LSR_TEMT, r.LSR_TEMT);
});

test("a full transmitter FIFO waits for the channel", () => {
  const { write, read, channel, irq } = setup();
  write(FCR, r.FCR_ENABLE);
  write(IER, r.IER_THRI);
  assert.is(read(IIR) & 0x0f, r.IIR_THRI);
  channel.room = 0;
  for (const byte of text("0123456789abcdef")) write(THR, byte);
  assert.not(irq.level);
  assert.is(read(r.LSR) & r.LSR_THRE, 0);
  channel.drain(10);
  assert.not(irq.level);
  channel.drain(10);
  assert.ok(irq.level);
  assert.is(channel.text, "0123456789abcdef");
});

test("THRE interrupt: each byte makes a new edge, IIR clears it, IER re-arms it", () => {
  const { write, read, irq } = setup();
  write(IER, r.IER_THRI);
  assert.ok(irq.level, "enabling it with an empty transmitter interrupts at once");
  assert.is(read(IIR), r.IIR_THRI);
  assert.not(irq.level);
  assert.is(read(IIR), r.IIR_NONE);
  write(IER, 0);
  write(IER, r.IER_THRI);
  assert.is(read(IIR), r.IIR_THRI);
  const { edges } = irq;
  write(THR, 65);
  write(THR, 66);
  assert.is(irq.edges, edges + 2);
  assert.is(read(IIR), r.IIR_THRI);
});

test("received data: DR, RBR, overrun without FIFO", () => {
  const { write, read, irq, channel, uart } = setup();
  write(IER, r.IER_RDI);
  assert.is(uart.canReceive(), 1);
  channel.receive(65);
  assert.is(uart.canReceive(), 0);
  assert.ok(irq.level);
  assert.is(read(IIR), r.IIR_RDI);
  assert.is(read(r.LSR) & r.LSR_DR, r.LSR_DR);
  const { accepts } = channel;
  assert.is(read(RBR), 65);
  assert.is(channel.accepts, accepts + 1, "the channel may send more");
  assert.not(irq.level);
  channel.receive(66);
  channel.receive(67);
  assert.is(read(r.LSR) & r.LSR_OE, r.LSR_OE);
  assert.is(read(r.LSR) & r.LSR_OE, 0, "cleared by reading");
  assert.is(read(RBR), 67, "the new byte replaced the old one");
});

test("FIFO: trigger levels", () => {
  for (const [code, level] of r.TRIGGER_LEVELS.entries()) {
    const { write, read, irq, channel } = setup();
    write(FCR, r.FCR_ENABLE | (code << 6));
    write(IER, r.IER_RDI);
    for (let i = 0; i < level; i++) {
      assert.not(irq.level);
      channel.receive(i);
    }
    assert.is(read(IIR), r.IIR_RDI | r.IIR_FIFOS_ENABLED);
    assert.is(read(RBR), 0);
    assert.not(irq.level);
  }
});

test("FIFO: time-out after four characters of 10 bits at 9600 baud", () => {
  const { write, read, irq, channel, clock } = setup();
  write(r.LCR, 3);
  write(FCR, r.FCR_ENABLE | 0xc0);
  write(IER, r.IER_RDI);
  channel.receive(1, 2);
  const four = Math.ceil((4 * 10 * 1e9) / 9600);
  clock.advance(four - 10);
  assert.not(irq.level);
  clock.advance(20);
  assert.ok(irq.level);
  assert.is(read(IIR) & 0x0f, r.IIR_CTI);
  assert.is(read(RBR), 1);
  assert.not(irq.level, "reading restarts the time-out");
  clock.advance(four + 10);
  assert.is(read(RBR), 2);
  clock.advance(four + 10);
  assert.not(irq.level, "an empty FIFO does not time out");
});

test("FIFO: overrun keeps the old bytes; FCR clears", () => {
  const { write, read, channel, uart } = setup();
  write(FCR, r.FCR_ENABLE);
  assert.is(uart.canReceive(), 16);
  channel.receive(...Array.from({ length: 20 }, (_, i) => i));
  assert.is(read(r.LSR) & r.LSR_OE, r.LSR_OE);
  for (let i = 0; i < 3; i++) assert.is(read(RBR), i);
  write(FCR, r.FCR_ENABLE | r.FCR_CLEAR_RECEIVER);
  assert.is(read(r.LSR) & r.LSR_DR, 0);
  channel.receive(1);
  write(FCR, 0);
  assert.is(read(r.LSR) & r.LSR_DR, 0, "switching the FIFO off empties it");
  assert.is(read(IIR) & r.IIR_FIFOS_ENABLED, 0);
});

test("break: received as a zero byte with BI at its place in the FIFO; sent to the channel", () => {
  const { write, read, channel, irq } = setup();
  write(FCR, r.FCR_ENABLE);
  write(IER, r.IER_RLSI);
  channel.receive(65);
  channel.event("break");
  assert.is(read(r.LSR) & (r.LSR_BI | r.LSR_FIFO_ERROR), r.LSR_FIFO_ERROR);
  assert.not(irq.level);
  read(RBR);
  assert.is(read(IIR) & 0x0f, r.IIR_RLSI);
  assert.is(read(r.LSR) & r.LSR_BI, r.LSR_BI);
  assert.not(irq.level);
  assert.is(read(RBR), 0);
  write(r.LCR, r.LCR_BREAK);
  write(r.LCR, 0);
  assert.equal(channel.breaks, [true, false]);
});

test("loopback: data comes back, MCR shows in MSR with its deltas, the channel is cut off", () => {
  const { write, read, channel, uart, irq } = setup();
  write(r.MCR, r.MCR_LOOP);
  assert.is(read(r.MSR), r.MSR_DCTS | r.MSR_DDSR | r.MSR_DDCD);
  write(IER, r.IER_RDI);
  write(THR, 0x5a);
  assert.is(channel.text, "");
  assert.is(uart.canReceive(), 0);
  assert.is(read(RBR), 0x5a);
  write(r.MCR, r.MCR_LOOP | r.MCR_RTS | r.MCR_OUT1);
  assert.is(read(r.MSR), r.MSR_CTS | r.MSR_RI | r.MSR_DCTS);
  write(r.MCR, r.MCR_LOOP | r.MCR_RTS);
  assert.is(read(r.MSR), r.MSR_CTS | r.MSR_TERI, "the trailing edge of the ring indicator");
  write(r.MCR, r.MCR_LOOP | r.MCR_DTR | r.MCR_OUT2);
  assert.is(read(r.MSR) & 0xf0, r.MSR_DSR | r.MSR_DCD);
  assert.not(irq.level, "OUT2 is inactive in loopback mode");
});

test("modem status interrupt", () => {
  const { write, read, irq } = setup();
  write(IER, r.IER_MSI);
  write(r.MCR, r.MCR_OUT2 | r.MCR_LOOP);
  write(r.MCR, r.MCR_OUT2);
  assert.ok(irq.level);
  assert.is(read(IIR), r.IIR_MSI);
  read(r.MSR);
  assert.not(irq.level);
});

test("OUT2 gates the interrupt", () => {
  const { write, irq } = setup();
  write(IER, r.IER_THRI);
  assert.ok(irq.level);
  write(r.MCR, 0);
  assert.not(irq.level);
});

test("priorities: line status, data, transmitter, modem", () => {
  const { write, read, channel } = setup();
  write(FCR, r.FCR_ENABLE);
  write(r.MCR, r.MCR_OUT2 | r.MCR_LOOP);
  write(r.MCR, r.MCR_OUT2);
  write(IER, 0x0f);
  channel.event("break");
  assert.is(read(IIR) & 0x0f, r.IIR_RLSI);
  read(r.LSR);
  assert.is(read(IIR) & 0x0f, r.IIR_RDI);
  read(RBR);
  assert.is(read(IIR) & 0x0f, r.IIR_THRI);
  assert.is(read(IIR) & 0x0f, r.IIR_MSI);
  read(r.MSR);
  assert.is(read(IIR) & 0x0f, r.IIR_NONE);
});

test("state", () => {
  const { arena, uart, write, channel, irq } = setup();
  write(FCR, r.FCR_ENABLE | 0xc0);
  write(IER, r.IER_RDI | r.IER_THRI);
  channel.receive(1, 2, 3);
  channel.room = 0;
  write(THR, 65);
  checkRoundTrip(arena, () => uart.loaded());
  assert.not(irq.level);
  channel.drain(1);
  assert.ok(irq.level);
});

test("hostile accesses", () => {
  const { uart, clock, channel } = setup();
  checkHostileAccess([uart.io], (random) => {
    clock.advance(random(1_000_000));
    if (random(3) === 0) channel.receive(...Array.from({ length: random(30) }, () => random(256)));
    if (random(9) === 0) channel.event("break");
    if (random(5) === 0) channel.drain(random(20));
    assert.ok(uart.canReceive() >= 0 && uart.canReceive() <= 16);
  });
});

test.run();
