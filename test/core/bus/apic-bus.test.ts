import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  APIC_BROADCAST,
  type ApicAgent,
  ApicBus,
  type InterruptMessage,
  msiMessage,
} from "../../../core/bus/apic-bus.ts";
import { readRegion, writeRegion } from "../../../core/bus/io.ts";

class Agent implements ApicAgent {
  readonly received: InterruptMessage[] = [];
  readonly written: [number, number][] = [];
  readonly #id: number;
  arbitrationPriority: number;

  constructor(id: number, priority = 0) {
    this.#id = id;
    this.arbitrationPriority = priority;
  }

  isDestination({ destination }: InterruptMessage): boolean {
    return destination === this.#id || destination === APIC_BROADCAST;
  }

  receive(message: InterruptMessage): void {
    this.received.push(message);
  }

  readRegister(offset: number): number {
    return this.#id * 0x1000 + offset;
  }

  writeRegister(offset: number, value: number): void {
    this.written.push([offset, value]);
  }
}

const message = (destination: number, deliveryMode = 0): InterruptMessage => ({
  destination,
  logical: false,
  deliveryMode,
  vector: 0x40,
  level: false,
});

test("a message reaches everyone it means, a lowest-priority one only the least busy", () => {
  const bus = new ApicBus();
  const agents = [new Agent(0, 0x20), new Agent(1, 0x10), new Agent(2, 0x30)];
  for (const agent of agents) bus.add(agent);
  const counts = (): number[] => agents.map(({ received }) => received.splice(0).length);
  assert.is(bus.deliver(message(2)), true);
  assert.equal(counts(), [0, 0, 1]);
  bus.deliver(message(APIC_BROADCAST), agents[1]);
  assert.equal(counts(), [1, 0, 1]);
  bus.deliver(message(APIC_BROADCAST, 1));
  assert.equal(counts(), [0, 1, 0]);
  assert.is(bus.deliver(message(9)), false);
});

test("the page at FEE00000h is the running CPU's, the rest takes messages", () => {
  const bus = new ApicBus();
  const agents = [new Agent(0), new Agent(1)];
  for (const agent of agents) bus.add(agent);
  bus.current = 1;
  assert.is(readRegion(bus.io, 0x30, 4), 0x1030);
  writeRegion(bus.io, 0x80, 5, 4);
  assert.equal(agents[1].written, [[0x80, 5]]);
  writeRegion(bus.io, 0x0000, 0x4031, 4);
  assert.is(agents[0].received[0].vector, 0x31);
  writeRegion(bus.io, 0x1000, 0x8032, 4);
  assert.is(agents[1].received[0].level, true);
});

test("message-signalled interrupts: destination and mode from the address, the rest from the data", () => {
  assert.equal(msiMessage(0xfee03004, 0x8951), {
    destination: 3,
    logical: true,
    deliveryMode: 1,
    vector: 0x51,
    level: true,
  });
  assert.is(msiMessage(0xfeeff000, 0x51).destination, APIC_BROADCAST);
});

test.run();
