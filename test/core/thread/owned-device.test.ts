import { test } from "uvu";
import * as assert from "uvu/assert";
import { PortSpace } from "../../../core/bus/io.ts";
import { ManualClock } from "../../../core/clock.ts";
import type { DeviceContext } from "../../../core/device.ts";
import { AddressSpace } from "../../../core/memory/address-space.ts";
import { GuestMemory } from "../../../core/memory/guest-memory.ts";
import { array, defineState, StateArena, u8, u32 } from "../../../core/state/state.ts";
import { absentDevice } from "../../../core/thread/owned-device.ts";
import { TestLine } from "../../plugins/devices/checks.ts";

const REGISTERS = defineState("device", 1, { control: u32, fifo: array(u8, 20) });

/** A device as a thread makes it that has it, or has not. */
function thread(buffer: SharedArrayBuffer, present: boolean) {
  const arena = new StateArena(buffer);
  const ports = new PortSpace();
  const memory = new AddressSpace(GuestMemory.create({ reserved: 8 << 20, ram: 1 << 20 }));
  const clock = new ManualClock();
  const lines: TestLine[] = [];
  const isaIrq = (): TestLine => {
    lines.push(new TestLine());
    return lines[lines.length - 1];
  };
  const all = { name: "device", arena, ports, memory, clock, isaIrq } as unknown as DeviceContext;
  const context = present ? all : absentDevice(all);
  const region = { name: "registers", length: 4, handler: { read: () => 0, write() {} } };
  context.ports.map(0x80, region);
  context.memory.map("registers", 0xfed0_0000, 4, { kind: "io", region });
  const state = context.arena.attach("device", REGISTERS);
  const timer = context.clock.timer("device", () => {});
  const next = arena.attach("next", REGISTERS);
  context.isaIrq(9).set(true);
  return { arena, ports, memory, clock, state, timer, next, lines };
}

test("it takes its place, and nothing of it is found or seen by anybody", () => {
  const buffer = new SharedArrayBuffer(1024);
  const owner = thread(buffer, true);
  const other = thread(buffer, false);
  assert.is(other.arena.fingerprint(), owner.arena.fingerprint());
  owner.next.control = 5;
  assert.is(other.next.control, 5);
  owner.state.control = 1;
  other.state.control = 2;
  other.state.fifo[19] = 3;
  assert.is(owner.state.control, 1);
  assert.is(owner.state.fifo[19], 0);
  assert.is(other.ports.read(0x80, 1), 0xff);
  assert.is(other.memory.find(0xfed0_0000), undefined);
  assert.equal(
    [owner, other].map(({ lines }) => lines.map(({ level }) => level)),
    [[true], [false]],
  );
  other.timer.arm(10);
  assert.is(other.clock.nextDeadline(), undefined);
});

test.run();
