/**
 * The thread of one further vCPU: assembles the machine as the machine's thread has done, then runs the vCPU together
 * with the devices that threads share. Like that thread it never returns to its event loop.
 */

import { once } from "node:events";
import { parentPort, workerData } from "node:worker_threads";
import type { Vcpu } from "../accel.ts";
import { RemoteBlockPort } from "../block/remote.ts";
import { NULL_CHAR } from "../char/port.ts";
import { RemoteCharSender } from "../char/remote.ts";
import { NS_PER_MS } from "../clock.ts";
import { messageOf, QemuError } from "../errors.ts";
import { InputHub } from "../input/input.ts";
import { Log } from "../log.ts";
import type { Machine } from "../machine.ts";
import { InfoRegistry } from "../monitor/info.ts";
import type { PluginHost } from "../plugin/host.ts";
import { SharedClock } from "../shared-clock.ts";
import type { StateArena } from "../state/state.ts";
import { Doorbell } from "../thread/doorbell.ts";
import type { Json } from "../thread/mailbox.ts";
import { ControlPanel } from "./control.ts";
import { attachArena, attachLinks, attachMemory } from "./thread-parts.ts";
import type { VcpuLink } from "./vcpu-link.ts";
import type { VcpuPost } from "./vcpu-threads.ts";
import type { VcpuHandover, VcpuPlan, VcpuStart } from "./vcpu-workers.ts";
import { wallClock } from "./wall-clock.ts";

/**
 * Runs the vCPU that the thread was started for, with the plugins of `host`, until the machine's thread ends it. What is
 * thrown on the way ends the thread, of which the I/O thread hears.
 */
export async function runVcpuThread(host: PluginHost): Promise<void> {
  const handover = once(parentPort!, "message") as Promise<[VcpuHandover]>;
  const thread = new VcpuThread(workerData as VcpuPlan, host);
  const started = await thread.assemble(handover.then(([first]) => first));
  parentPort!.postMessage(started);
  if (started === null) thread.run();
}

class VcpuThread {
  readonly #plan: VcpuPlan;
  readonly #host: PluginHost;
  readonly #control = new ControlPanel();
  readonly #log: Log;
  #arena!: StateArena;
  #clock!: SharedClock;
  #link!: VcpuLink;
  #vcpu!: Vcpu;

  constructor(plan: VcpuPlan, host: PluginHost) {
    this.#plan = plan;
    this.#host = host;
    this.#log = new Log(plan.machine.log);
  }

  /** Loads what it can until the machine's thread has assembled the machine, then does the same. */
  async assemble(handover: Promise<VcpuHandover>): Promise<VcpuStart> {
    const { plugins, options } = this.#plan.machine;
    try {
      if (plugins.length > 0) await (await import("../plugin/foreign.ts")).offerPlugins(this.#host, plugins);
      await this.#host.require("machine", options.machine);
      const { vm, fingerprint } = await handover;
      const machine = await this.#assemble(vm);
      if (this.#arena.fingerprint() !== fingerprint) {
        throw new QemuError("threads-differ", "it has assembled another machine", {
          hint: "do all devices of third-party plugins create the same state every time?",
        });
      }
      [this.#vcpu] = machine.vcpus;
      this.#control.kick = () => this.#vcpu.kick();
      return null;
    } catch (error) {
      return { message: messageOf(error), hint: error instanceof QemuError ? error.hint : undefined };
    }
  }

  async #assemble(vm: Json): Promise<Machine> {
    const { machine: plan, index } = this.#plan;
    const { options } = plan;
    const { memory, wake } = attachMemory(plan);
    const arena = attachArena(memory);
    let ring = (): void => wake.ring();
    const links = attachLinks(memory, options.smp.cpus, () => ring());
    const link = links[index];
    const bells = [wake, ...links.slice(1).map(({ bell }) => bell)];
    let wakeVcpu = (home: number): void => bells[home].ring();
    const clock = new SharedClock({ arena, home: index, wake: (home) => wakeVcpu(home) });
    this.#arena = arena;
    this.#link = link;
    this.#clock = clock;
    const mainBell = new Doorbell(plan.mailbox.mainBell);
    const machine = await (await this.#host.require("machine", options.machine)).assemble({
      memory,
      options,
      accelerator: await this.#host.require("accelerator", options.accelerator),
      wake,
      threads: {
        self: index,
        bells,
        clockOf: (vcpu) => clock.at(vcpu),
        exclusively: (change) => change(),
        remote: { vm, ports: link.ports, memory: link.memory },
      },
      info: new InfoRegistry(),
      log: this.#log,
      deviceType: (name) => this.#host.require("device", name),
      services: {
        arena,
        clock,
        wallClock: wallClock(options.rtc, clock, plan.started),
        machine: this.#control,
        input: new InputHub(),
        chardev(id) {
          const char = plan.chars.find((one) => one.id === id);
          return char ? new RemoteCharSender(char, mainBell, wake) : NULL_CHAR;
        },
        drive(id) {
          const block = plan.blocks.find((one) => one.id === id);
          if (!block) throw new QemuError("unknown-drive", `drive "${id}" not found`);
          return new RemoteBlockPort(block.plan, memory.buffer);
        },
        addDisplay() {},
        guestError: (message) => this.#log.line("guest_errors", message),
      },
    });
    const { threading } = machine;
    if (!threading) throw new QemuError("threads", `the machine '${options.machine}' has no threads for its CPUs`);
    ring = () => threading.wake(0);
    wakeVcpu = (home) => threading.wake(home);
    return machine;
  }

  run(): void {
    this.#link.stand(0);
    while (this.#turn());
    if (this.#log.has("stats")) this.#printStatistics();
    this.#link.leave("ended");
  }

  /** False when the thread is to end. */
  #turn(): boolean {
    const link = this.#link;
    const { epoch } = link;
    link.bell.take();
    const { wanted } = link;
    if (wanted === "end") return false;
    if (wanted === "stand") {
      link.stand(epoch);
      this.#vcpu.refresh?.();
      return true;
    }
    this.#clock.poll();
    const exit = this.#vcpu.run();
    const request = this.#control.take();
    if (request) this.#post({ kind: "control", request });
    if (exit === "halted") {
      if (!this.#vcpu.hasWork()) this.#sleep();
    } else if (exit !== "slice") {
      this.#post({ kind: "exit", exit });
      link.stand(epoch);
      this.#vcpu.refresh?.();
    }
    return true;
  }

  /** Sleeps until the next of its timers or the doorbell. */
  #sleep(): void {
    const deadline = this.#clock.nextDeadline();
    const ms = deadline === undefined ? Number.POSITIVE_INFINITY : (deadline - this.#clock.now()) / NS_PER_MS;
    // The ring is taken where what it is for is looked at.
    if (ms > 0) this.#link.bell.sleep(ms);
  }

  #post(post: VcpuPost): void {
    this.#link.post(post as unknown as Json);
  }

  #printStatistics(): void {
    for (const [name, value] of this.#vcpu.statistics()) {
      this.#log.print(`cpu${this.#plan.index} ${name.padEnd(28)} ${value}`);
    }
  }
}
