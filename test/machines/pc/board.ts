/** A whole PC in the test's own thread, on a clock that moves with the guest's instructions: what it does is repeatable. */

import type { Vcpu } from "../../../core/accel.ts";
import { type BlockPort, MemoryBlockPort } from "../../../core/block/port.ts";
import type { CharPort } from "../../../core/char/port.ts";
import { TimerQueue } from "../../../core/clock.ts";
import { InputHub } from "../../../core/input/input.ts";
import { Log } from "../../../core/log.ts";
import type { Machine } from "../../../core/machine.ts";
import { type GuestBlock, GuestMemory } from "../../../core/memory/guest-memory.ts";
import { InfoRegistry } from "../../../core/monitor/info.ts";
import { readCommandLine } from "../../../core/options/command-line.ts";
import { PluginHost } from "../../../core/plugin/host.ts";
import { StateArena } from "../../../core/state/state.ts";
import { Doorbell } from "../../../core/thread/doorbell.ts";
import { RESERVED_MEMORY, STATE_ARENA_SIZE } from "../../../core/vm/protocol.ts";
import { RoundRobin } from "../../../core/vm/round-robin.ts";
import { loadMachine, type SavedMachine, saveMachine } from "../../../core/vm/saved-machine.ts";
import { FIRST_PARTY } from "../../../plugins/first-party.ts";

/** Time that a slice of guest code takes, and looking at the clock, so that a guest may wait for a time. */
const SLICE_NS = 100_000;
const LOOK_NS = 50;

class TestClock extends TimerQueue {
  #now = 0;

  now(): number {
    this.#now += LOOK_NS;
    return this.#now;
  }

  set(ns: number): void {
    this.#now = ns;
  }

  advance(ns: number): void {
    this.#now += ns;
    this.poll();
  }
}

/** A machine with its memory, which saved machines leave out. */
export interface Snapshot {
  readonly machine: SavedMachine;
  readonly memory: ReadonlyMap<string, Uint8Array>;
}

export class TestBoard {
  readonly machine: Machine;
  readonly clock: TestClock;
  readonly arena: StateArena;
  /** What came out of the character device of each id. */
  readonly output: Record<string, string>;
  /** Why the guest has ended: "exit 3", "shutdown", "reset". */
  ended: string | undefined;
  readonly #blocks: readonly GuestBlock[];
  readonly #disks: readonly MemoryBlockPort[];
  readonly #turns: RoundRobin;

  private constructor(parts: Pick<TestBoard, "machine" | "clock" | "arena" | "output">, memory: TestMemory) {
    this.machine = parts.machine;
    this.#turns = new RoundRobin(this.machine.vcpus);
    this.clock = parts.clock;
    this.arena = parts.arena;
    this.output = parts.output;
    this.#blocks = memory.blocks;
    this.#disks = memory.disks;
  }

  /** Assembles what the command line says. Disks are in memory: `disks` by the drive's id. */
  static async create(args: readonly string[], disks: Readonly<Record<string, Uint8Array>> = {}): Promise<TestBoard> {
    const host = new PluginHost();
    for (const plugin of FIRST_PARTY) host.offer(plugin);
    const line = await readCommandLine(args, host, { name: "test", version: "" });
    if (line.kind !== "machine") throw new Error(line.text);
    const type = await host.require("machine", line.machine.machine);
    const accelerator = await host.require("accelerator", line.machine.accelerator);
    const reserved = accelerator.reservedMemory(line.machine.smp.cpus) + RESERVED_MEMORY;
    const memory = GuestMemory.create({ reserved, ram: line.machine.ram });
    const blocks: GuestBlock[] = [];
    const allocate = memory.allocateBlock.bind(memory);
    memory.allocateBlock = (...request) => {
      blocks.push(allocate(...request));
      return blocks.at(-1)!;
    };
    const wake = new Doorbell(memory.buffer, memory.reserve("wake", 64));
    const arena = new StateArena(memory.buffer, memory.reserve("state", STATE_ARENA_SIZE), STATE_ARENA_SIZE);
    const clock = new TestClock();
    const output: Record<string, string> = {};
    const ports = new Map(Object.entries(disks).map(([id, bytes]) => [id, new MemoryBlockPort(bytes)]));
    let board: TestBoard | undefined;
    const end = (how: string): void => {
      if (!board) return;
      board.ended = how;
      board.cpu.kick();
    };
    const machine = await type.assemble({
      memory,
      options: { ...line.machine, firmware: type.findFirmware(line.firmware) },
      accelerator,
      wake,
      info: new InfoRegistry(),
      log: new Log({ items: [], fd: 2 }),
      deviceType: (name) => host.require("device", name),
      services: {
        arena,
        clock,
        wallClock: { nowMs: () => Date.UTC(2024, 1, 29) + Math.floor(clock.now() / 1e6) },
        machine: {
          reset: () => end("reset"),
          shutdown: () => end("shutdown"),
          suspend: () => end("suspend"),
          wakeUp() {},
          exit: (status) => end(`exit ${status}`),
          panic: () => end("panic"),
        },
        input: new InputHub(),
        chardev: (id) => recorder(id ?? "", output),
        drive: (id): BlockPort => ports.get(id) ?? emptyDrive(),
        addDisplay() {},
        guestError() {},
      },
    });
    board = new TestBoard({ machine, clock, arena, output }, { blocks, disks: [...ports.values()] });
    return board;
  }

  get cpu(): Vcpu {
    return this.machine.vcpus[0];
  }

  /** Runs at most `slices` slices, until the guest ends or `done` says so. Returns how many. */
  run(slices: number, done: () => boolean = () => false): number {
    for (let i = 0; i < slices; i++) {
      if (this.ended !== undefined || done()) return i;
      for (const disk of this.#disks) disk.complete();
      const exit = this.#turns.run();
      if (exit === "triple-fault") this.ended = exit;
      const next = this.clock.nextDeadline() ?? 0;
      const idle = exit === "halted" && next > this.clock.now();
      this.clock.advance(idle ? next - this.clock.now() : SLICE_NS);
    }
    return slices;
  }

  save(): Snapshot {
    const memory = new Map(this.#blocks.map(({ name, bytes }) => [name, bytes.slice()]));
    // As a file or a socket would carry it.
    return { machine: JSON.parse(JSON.stringify(saveMachine(this))) as SavedMachine, memory };
  }

  load({ machine, memory }: Snapshot): void {
    for (const { name, bytes } of this.#blocks) bytes.set(memory.get(name)!);
    loadMachine(this, machine);
  }
}

interface TestMemory {
  readonly blocks: readonly GuestBlock[];
  readonly disks: readonly MemoryBlockPort[];
}

function emptyDrive(): MemoryBlockPort {
  const drive = new MemoryBlockPort(new Uint8Array(0));
  drive.change(undefined);
  return drive;
}

function recorder(id: string, output: Record<string, string>): CharPort {
  output[id] = "";
  return {
    write(data) {
      output[id] += Buffer.from(data).toString("latin1");
      return data.length;
    },
    onWritable() {},
    connect() {},
    acceptInput() {},
  };
}
