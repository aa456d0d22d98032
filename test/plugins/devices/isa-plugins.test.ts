/** The ISA-side plugins as a machine meets them: found by name, created from a context, mapped where they belong. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import type { BoardPorts } from "../../../core/board.ts";
import { PortSpace } from "../../../core/bus/io.ts";
import { NULL_CHAR } from "../../../core/char/port.ts";
import { ManualClock } from "../../../core/clock.ts";
import type { DeviceContext, Properties } from "../../../core/device.ts";
import { InputHub } from "../../../core/input/input.ts";
import { NO_IRQ } from "../../../core/irq.ts";
import { ArrayDma } from "../../../core/memory/dma.ts";
import { PluginHost } from "../../../core/plugin/host.ts";
import type { Plugin } from "../../../core/plugin/plugin.ts";
import { StateArena } from "../../../core/state/state.ts";
import debugcon from "../../../plugins/devices/debugcon/index.ts";
import debugexit from "../../../plugins/devices/debugexit/index.ts";
import i8042 from "../../../plugins/devices/i8042/index.ts";
import i8254 from "../../../plugins/devices/i8254/index.ts";
import i8257 from "../../../plugins/devices/i8257/index.ts";
import i8259 from "../../../plugins/devices/i8259/index.ts";
import mc146818 from "../../../plugins/devices/mc146818/index.ts";
import parallel from "../../../plugins/devices/parallel/index.ts";
import pcspk from "../../../plugins/devices/pcspk/index.ts";
import port92 from "../../../plugins/devices/port92/index.ts";
import pvpanic from "../../../plugins/devices/pvpanic/index.ts";
import serial from "../../../plugins/devices/serial/index.ts";

const PLUGINS: readonly Plugin[] = [
  debugcon,
  debugexit,
  i8042,
  i8254,
  i8257,
  i8259,
  mc146818,
  parallel,
  pcspk,
  port92,
  pvpanic,
  serial,
];

const BOARD: BoardPorts = { intr: NO_IRQ, a20: NO_IRQ, speakerTimer: { setGate() {}, out: false } };

class Board {
  readonly ports = new PortSpace();
  readonly irqs: number[] = [];
  readonly exits: number[] = [];
  readonly host = new PluginHost();
  readonly #arena = StateArena.create(1 << 18);
  #count = 0;

  async create(name: string, properties: Properties = {}, board: BoardPorts | undefined = BOARD) {
    for (const plugin of PLUGINS) await this.host.use(plugin);
    const context: Partial<DeviceContext> = {
      name: `${name}.${this.#count++}`,
      arena: this.#arena,
      clock: new ManualClock(),
      wallClock: { nowMs: () => 0 },
      ports: this.ports,
      dma: new ArrayDma(16),
      input: new InputHub(),
      board,
      machine: {
        reset() {},
        shutdown() {},
        exit: (status) => this.exits.push(status),
        panic() {},
        suspend() {},
        wakeUp() {},
      },
      isaIrq: (line) => {
        this.irqs.push(line);
        return NO_IRQ;
      },
      chardev: () => NULL_CHAR,
    };
    const device = this.host.lookup("device", name)!.create(context as DeviceContext, properties);
    device.reset();
    return device;
  }

  /** The bases of what is mapped. */
  get bases(): number[] {
    return this.ports.mappings().map(({ base }) => base);
  }
}

for (const [name, bases, irqs] of [
  ["isa-i8259", [0x20, 0xa0, 0x4d0], []],
  ["isa-pit", [0x40], [0]],
  ["isa-pcspk", [0x61], []],
  ["mc146818rtc", [0x70], [8]],
  ["i8257", [0x00, 0xc0, 0x80, 0x80, 0x480], []],
  ["i8042", [0x60, 0x64], [1, 12]],
  ["port92", [0x92], []],
  ["isa-serial", [0x3f8], [4]],
  ["isa-parallel", [0x378], [7]],
  ["isa-debugcon", [0xe9], []],
  ["isa-debug-exit", [0x501], []],
  ["pvpanic", [0x505], []],
] as const) {
  test(`${name} sits where it belongs`, async () => {
    const board = new Board();
    await board.create(name);
    assert.equal(board.bases, [...bases]);
    assert.equal(board.irqs, [...irqs]);
    for (const base of bases) assert.ok(board.ports.read(base, 1) <= 0xff);
  });
}

test("serial and parallel ports count up, and have their limits", async () => {
  const board = new Board();
  for (let i = 0; i < 4; i++) await board.create("isa-serial");
  for (let i = 0; i < 3; i++) await board.create("isa-parallel");
  assert.equal(board.bases, [0x3f8, 0x2f8, 0x3e8, 0x2e8, 0x378, 0x278, 0x3bc]);
  assert.equal(board.irqs, [4, 3, 4, 3, 7, 7, 7]);
  for (const name of ["isa-serial", "isa-parallel"]) {
    try {
      await board.create(name);
      assert.unreachable();
    } catch (error) {
      assert.match(String(error), "Max. supported number");
    }
  }
});

test("properties move ports", async () => {
  const board = new Board();
  await board.create("isa-serial", { index: 1, iobase: 0x4000, irq: 10 });
  await board.create("isa-debugcon", { iobase: 0x402, readback: 0x12 });
  await board.create("isa-debug-exit", { iobase: 0xf4, iosize: 4 });
  assert.equal(board.bases, [0x4000, 0x402, 0xf4]);
  assert.equal(board.irqs, [10]);
  assert.is(board.ports.read(0x402, 1), 0x12);
  board.ports.write(0xf4, 0x10, 4);
  assert.equal(board.exits, [0x21]);
});

test("impossible properties are refused", async () => {
  const board = new Board();
  for (const [name, properties] of [
    ["isa-serial", { irq: 16 }],
    ["isa-parallel", { irq: 99 }],
    ["isa-debug-exit", { iosize: 0 }],
    ["isa-debug-exit", { iobase: 0xffff }],
  ] as const) {
    try {
      await board.create(name, properties);
      assert.unreachable();
    } catch (error) {
      assert.match(String(error), /not an ISA interrupt|leave the 64 KiB/);
    }
  }
});

test("board devices need their board", async () => {
  for (const name of ["isa-i8259", "isa-pcspk", "i8042", "port92"]) {
    try {
      await new Board().create(name, {}, {});
      assert.unreachable();
    } catch (error) {
      assert.match(String(error), "needs a board");
    }
  }
});

test.run();
