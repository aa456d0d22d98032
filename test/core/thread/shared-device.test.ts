import { test } from "uvu";
import * as assert from "uvu/assert";
import { type IoRegion, PortSpace } from "../../../core/bus/io.ts";
import { ManualClock } from "../../../core/clock.ts";
import type { DeviceContext } from "../../../core/device.ts";
import { AddressSpace } from "../../../core/memory/address-space.ts";
import { GuestMemory } from "../../../core/memory/guest-memory.ts";
import { StateArena } from "../../../core/state/state.ts";
import { Lock } from "../../../core/thread/lock.ts";
import { lockDevice, lockLine } from "../../../core/thread/shared-device.ts";
import { TestChar, TestLine } from "../../plugins/devices/checks.ts";

function setup() {
  const arena = StateArena.create();
  const lock = Lock.attach(arena, "device/lock");
  const ports = new PortSpace();
  const memory = new AddressSpace(GuestMemory.create({ reserved: 8 << 20, ram: 1 << 20 }));
  const clock = new ManualClock();
  const char = new TestChar();
  const context = { name: "device", arena, ports, memory, clock, chardev: () => char } as unknown as DeviceContext;
  const calls: string[] = [];
  const note = (call: string): void => void calls.push(`${call}${lock.mine ? "" : " without the lock"}`);
  const region: IoRegion = {
    name: "registers",
    length: 4,
    handler: {
      read: (offset, size) => {
        note(`read ${offset} ${size}`);
        return 0x5a;
      },
      write: (offset, value, size) => note(`write ${offset} ${value} ${size}`),
    },
  };
  return { arena, lock, ports, memory, clock, char, region, calls, note, locked: lockDevice(context, lock) };
}

test("ports and memory-mapped registers are read and written under the lock", () => {
  const { lock, ports, memory, region, calls, locked } = setup();
  const mapping = locked.ports.map(0x80, { ...region, coalesced: true });
  assert.equal(ports.late(), [], "each thread does its own writes");
  const block = memory.memory.allocateBlock("rom", 4096);
  locked.memory.map("registers", 0xfed0_0000, 4, { kind: "io", region });
  locked.memory.map("flash", 0xfee0_0000, 4096, { kind: "romd", block, write: region });
  assert.is(ports.read(0x81, 1), 0x5a);
  ports.write(0x80, 0x1234, 2);
  assert.is(memory.read(0xfed0_0000, 4), 0x5a);
  memory.write(0xfed0_0000, 7, 4);
  memory.write(0xfee0_0001, 9, 1);
  assert.equal(calls, ["read 1 1", "write 0 4660 2", "read 0 4", "write 0 7 4", "write 1 9 1"]);
  assert.is(lock.mine, false);
  assert.is(locked.ports.read(0x81, 1), 0x5a, "the rest of the space is as it was");
  mapping.remove();
  assert.is(locked.ports.mappings().length, 0);
  assert.is(locked.memory.regions().length, 2);
});

test("timers fire under the lock", () => {
  const { clock, calls, note, locked } = setup();
  const timer = locked.clock.timer("device.timer", () => note("fire"));
  timer.arm(10);
  assert.is(locked.clock.nextDeadline(), 10);
  clock.advance(20);
  assert.is(locked.clock.now(), 20);
  assert.equal(calls, ["fire"]);
});

test("a write comes after what was due before it, whichever thread has the timers", () => {
  const { ports, memory, clock, region, calls, note, lock } = setup();
  // The clock of another thread: its timers do not fire here.
  const elsewhere = { ...clock, now: () => 50, timer: (name: string, fire: () => void) => clock.timer(name, fire) };
  const context = { name: "device", ports, memory, clock: elsewhere } as unknown as DeviceContext;
  const locked = lockDevice(context, lock);
  locked.ports.map(0x80, region);
  const timer = locked.clock.timer("device.timer", () => note("fire"));
  timer.arm(60);
  ports.write(0x80, 1, 1);
  timer.arm(40);
  ports.read(0x80, 1);
  ports.write(0x80, 2, 1);
  ports.write(0x80, 3, 1);
  assert.equal(calls, ["write 0 1 1", "read 0 1", "fire", "write 0 2 1", "write 0 3 1"]);
});

test("a channel's other end calls the device under the lock", () => {
  const { char, calls, note, locked } = setup();
  const port = locked.chardev(undefined);
  port.connect({
    canReceive: () => {
      note("canReceive");
      return 3;
    },
    receive: (data) => note(`receive ${data}`),
    event: (event) => note(event),
  });
  port.onWritable(() => note("ready"));
  assert.is(char.receiver!.canReceive(), 3);
  char.receive(1, 2);
  char.event("break");
  char.drain(10);
  port.acceptInput();
  port.setBreak!(true);
  assert.is(port.write(Uint8Array.of(1)), 1);
  assert.equal(calls, ["canReceive", "receive 1,2", "break", "ready"]);
  assert.is(char.accepts, 1);
  assert.equal(char.breaks, [true]);
});

test("a line is driven under the lock", () => {
  const { lock } = setup();
  const line = new TestLine();
  lockLine(
    {
      set: (level) => {
        assert.is(lock.mine, true);
        line.set(level);
      },
    },
    lock,
  ).set(true);
  assert.is(line.level, true);
});

test("an access that could only wait for ever is not answered", () => {
  const { arena, lock, ports, region, calls, locked } = setup();
  locked.ports.map(0x80, region);
  const own = Lock.attach(arena, "other/lock");
  own.acquire();
  // Another thread has the device, and waits for the lock that this one holds.
  const words = new Int32Array(lock.buffer, lock.address, 4);
  words.set([1, 0x7fff, 0, own.address / 4 + 1]);
  assert.is(ports.read(0x80, 1), 0xff);
  ports.write(0x80, 1, 1);
  assert.equal(calls, []);
  own.release();
});

test.run();
