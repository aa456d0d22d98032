/**
 * The machine's thread: assembles the machine from its plan, then runs the vCPUs and the devices for good. It never
 * returns to its event loop while the machine exists; everything from outside comes through shared memory and the
 * doorbell. One turn of the loop:
 *
 *     doorbell rang -> requests, characters, disks
 *     what devices asked for (reset, power off, exit)
 *     timers that are due
 *     a slice of guest code, or sleep until the next timer or the doorbell when all CPUs are halted
 *
 * Where every vCPU has a thread of its own, this one runs the first. The others stand while anything here changes or looks
 * at the machine, and have done for them here what only this thread can do.
 */

import { once } from "node:events";
import { parentPort } from "node:worker_threads";
import type { VcpuExit } from "../accel.ts";
import type { BlockPort } from "../block/port.ts";
import { RemoteBlockPort } from "../block/remote.ts";
import type { WakeReason } from "../board.ts";
import { type CharPort, NULL_CHAR } from "../char/port.ts";
import { RemoteCharPort } from "../char/remote.ts";
import { HostClock, type MachineClock, NS_PER_MS } from "../clock.ts";
import type { ShutdownCause } from "../device.ts";
import type { DisplaySource } from "../display/surface.ts";
import { messageOf, QemuError } from "../errors.ts";
import { InputHub } from "../input/input.ts";
import { Log } from "../log.ts";
import type { Machine, MachineThreads } from "../machine.ts";
import type { GuestMemory } from "../memory/guest-memory.ts";
import { InfoRegistry } from "../monitor/info.ts";
import { type MachineCommandContext, runMachineCommand } from "../monitor/machine-commands.ts";
import type { PluginHost } from "../plugin/host.ts";
import { SharedClock } from "../shared-clock.ts";
import type { StateArena } from "../state/state.ts";
import { Doorbell } from "../thread/doorbell.ts";
import { type Json, Mailbox, type Message } from "../thread/mailbox.ts";
import { ControlPanel } from "./control.ts";
import type { MachineNotes, MachinePlan, RunState } from "./protocol.ts";
import { RoundRobin } from "./round-robin.ts";
import { attachArena, attachLinks, attachMemory, hasVcpuThreads } from "./thread-parts.ts";
import type { VcpuLink } from "./vcpu-link.ts";
import { type VcpuPost, VcpuThreads } from "./vcpu-threads.ts";
import { wallClock } from "./wall-clock.ts";

/** Waits for the plan, then runs its machine with the plugins of `host`; resolves when the I/O thread has ended it. */
export async function runMachineThread(host: PluginHost): Promise<void> {
  const [plan] = (await once(parentPort!, "message")) as [MachinePlan];
  const thread = new MachineThread(plan, host);
  if (await thread.assemble()) thread.run();
}

class MachineThread {
  readonly #plan: MachinePlan;
  readonly #host: PluginHost;
  readonly #mailbox: Mailbox;
  readonly #wake: Doorbell;
  readonly #memory: GuestMemory;
  readonly #control = new ControlPanel();
  readonly #input = new InputHub();
  readonly #info = new InfoRegistry();
  readonly #displays: DisplaySource[] = [];
  readonly #log: Log;
  readonly #chars = new Map<string, RemoteCharPort>();
  readonly #blocks = new Map<string, RemoteBlockPort>();
  #clock!: MachineClock;
  #machine!: Machine;
  /** Of the vCPUs that this thread runs. */
  #turns!: RoundRobin;
  /** Those of further vCPUs, where they have some. */
  #threads: VcpuThreads | undefined;
  #commands!: MachineCommandContext;
  #state: RunState = "prelaunch";
  #ending = false;

  constructor(plan: MachinePlan, host: PluginHost) {
    this.#plan = plan;
    this.#host = host;
    this.#log = new Log(plan.log);
    this.#mailbox = new Mailbox(plan.mailbox, "worker");
    const { memory, wake } = attachMemory(plan);
    this.#memory = memory;
    this.#wake = wake;
    const mainBell = new Doorbell(plan.mailbox.mainBell);
    for (const char of plan.chars) this.#chars.set(char.id, new RemoteCharPort(char, mainBell));
    for (const { id, plan: block } of plan.blocks)
      this.#blocks.set(id, new RemoteBlockPort(block, this.#memory.buffer));
  }

  /** False when it failed; the I/O thread has been told. */
  async assemble(): Promise<boolean> {
    const { options, plugins } = this.#plan;
    try {
      if (plugins.length > 0) await (await import("../plugin/foreign.ts")).offerPlugins(this.#host, plugins);
      const type = await this.#host.require("machine", options.machine);
      const accelerator = await this.#host.require("accelerator", options.accelerator);
      const arena = attachArena(this.#memory);
      const links = hasVcpuThreads(this.#plan, accelerator)
        ? attachLinks(this.#memory, options.smp.cpus, () => this.#wake.ring())
        : undefined;
      const threads = links && this.#threadsOf(links, arena);
      this.#clock ??= new HostClock();
      const clock = this.#clock;
      this.#machine = await type.assemble({
        memory: this.#memory,
        options,
        accelerator,
        wake: this.#wake,
        threads,
        info: this.#info,
        log: this.#log,
        deviceType: (name) => this.#host.require("device", name),
        services: {
          arena,
          clock,
          wallClock: wallClock(options.rtc, clock, this.#plan.started),
          machine: this.#control,
          input: this.#input,
          chardev: (id) => this.#chardev(id),
          drive: (id) => this.#drive(id),
          addDisplay: (source) => void this.#displays.push(source),
          guestError: (message) => this.#log.line("guest_errors", message),
        },
      });
      const { vcpus } = this.#machine;
      this.#turns = new RoundRobin(links ? vcpus.slice(0, 1) : vcpus);
      this.#control.kick = () => this.#turns.current?.kick();
      if (links) this.#startThreads(links, arena);
      this.#commands = {
        machine: this.#machine,
        input: this.#input,
        info: this.#info,
        clock,
        displays: this.#displays,
        log: this.#log,
      };
      this.#mailbox.onRequest = (name, message) => this.#request(name, message);
      this.#note("ready", { fingerprint: arena.fingerprint() });
      return true;
    } catch (cause) {
      const { code, hint, context } =
        cause instanceof QemuError ? cause : { code: "internal", hint: undefined, context: {} };
      const stack = cause instanceof Error ? cause.stack : undefined;
      this.#note("failed", { code, message: messageOf(cause), hint, context, stack });
      while (!this.#mailbox.flushed) {
        this.#wake.wait();
        this.#mailbox.poll();
      }
      return false;
    }
  }

  /** What the machine has to know of threads, when its vCPUs have one each. Their clock is a shared one. */
  #threadsOf(links: readonly VcpuLink[], arena: StateArena): MachineThreads {
    const bells = [this.#wake, ...links.slice(1).map(({ bell }) => bell)];
    const wake = (home: number): void =>
      this.#machine?.threading ? this.#machine.threading.wake(home) : bells[home].ring();
    const clock = new SharedClock({ arena, home: 0, wake });
    this.#clock = clock;
    return {
      self: 0,
      bells,
      clockOf: (vcpu) => clock.at(vcpu),
      exclusively: (change) => (this.#threads ? this.#threads.exclusively(change) : change()),
    };
  }

  /** Has the threads of further vCPUs started; what they do while they assemble the machine is undone by a reset. */
  #startThreads(links: readonly VcpuLink[], arena: StateArena): void {
    const { threading, ports, memory } = this.#machine;
    if (!threading)
      throw new QemuError("threads", `the machine '${this.#plan.options.machine}' cannot have several CPUs`);
    const threads = new VcpuThreads({
      links,
      bell: this.#wake,
      ports,
      memory,
      catchUp: () => this.#clock.poll(),
      settle: () => threading.settle?.(),
      wake: (index) => threading.wake(index),
      onPost: (index, post) => this.#posted(index, post),
    });
    this.#note("vcpus", { vm: threading.handle, fingerprint: arena.fingerprint() });
    threads.waitForStart();
    this.#machine.reset();
    this.#threads = threads;
  }

  run(): void {
    const hasCpu = this.#turns.current !== undefined;
    for (;;) {
      if (this.#wake.take()) this.#poll();
      if (this.#ending) break;
      if (this.#control.pending) this.#obey();
      if (!this.#going || !hasCpu) {
        this.#wake.wait();
        this.#poll();
        continue;
      }
      this.#clock.poll();
      if (this.#control.pending) continue;
      // In S3 a timer may wake the machine.
      if (this.#state === "suspended") this.#sleep();
      else this.#handle(this.#turns.run());
    }
    this.#threads?.end();
    if (this.#log.has("stats")) this.#printStatistics();
    this.#note("ended", null);
    while (!this.#mailbox.flushed) {
      this.#wake.wait();
      this.#mailbox.poll();
    }
  }

  /** Time goes on, though nothing may run. */
  get #going(): boolean {
    return this.#state === "running" || this.#state === "suspended";
  }

  #handle(exit: VcpuExit): void {
    if (exit === "halted") this.#sleep();
    else if (exit === "triple-fault") {
      this.#log.line("cpu_reset", "Triple fault");
      this.#control.reset("guest-reset");
    } else if (exit === "debug") this.#pause("paused");
    else if (exit === "internal-error") this.#pause("internal-error");
  }

  /** Sleeps until the next timer or the doorbell. */
  #sleep(): void {
    if (this.#control.pending) return;
    const deadline = this.#clock.nextDeadline();
    const ms = deadline === undefined ? Number.POSITIVE_INFINITY : (deadline - this.#clock.now()) / NS_PER_MS;
    if (ms > 0 && this.#wake.wait(ms)) this.#poll();
  }

  #poll(): void {
    this.#threads?.serve();
    this.#mailbox.poll();
    for (const char of this.#chars.values()) char.poll();
    for (const block of this.#blocks.values()) block.poll();
  }

  /** Does what devices have asked for. */
  #obey(): void {
    const request = this.#control.take();
    switch (request?.kind) {
      case "reset":
        if (this.#plan.options.noReboot) this.#shutdown(request.cause);
        else this.#reset(request.cause);
        break;
      case "shutdown":
        this.#shutdown(request.cause);
        break;
      case "suspend":
        if (this.#state !== "running") break;
        this.#threads?.stop();
        this.#setState("suspended");
        break;
      case "wake":
        if (this.#machine.suspended && this.#going) this.#wakeUp(request.reason);
        break;
      case "exit":
        this.#pause("shutdown");
        this.#note("exit", { status: request.status });
        break;
      case "panic":
        this.#note("panic", null);
        break;
      case "fail":
        this.#pause("internal-error");
        break;
    }
  }

  /** What a further vCPU has told. */
  #posted(index: number, post: VcpuPost): void {
    if (post.kind === "control") this.#control.ask(post.request);
    else if (post.exit === "triple-fault") {
      this.#log.line("cpu_reset", `Triple fault of CPU ${index}`);
      this.#control.reset("guest-reset");
    } else this.#control.fail();
  }

  /** Does something with the machine while no vCPU runs. */
  #still<T>(act: () => T): T {
    this.#threads?.stop();
    try {
      if (this.#threads?.failed) throw this.#threads.failure;
      return act();
    } finally {
      if (this.#state === "running") this.#threads?.go();
    }
  }

  #reset(cause: ShutdownCause): void {
    this.#still(() => this.#resetNow(cause));
  }

  #resetNow(cause: ShutdownCause): void {
    for (const vcpu of this.#machine.vcpus) this.#log.line("cpu_reset", `CPU Reset\n${vcpu.dumpRegisters()}`);
    this.#machine.reset();
    this.#threads?.revive();
    // Several CPUs may have met the same end.
    this.#control.forget();
    this.#note("reset", { cause });
    if (this.#state === "shutdown" || this.#state === "guest-panicked" || this.#state === "internal-error") {
      this.#setState("paused");
    }
    if (this.#state === "suspended") this.#setState("running");
  }

  /** Out of S3. */
  #wakeUp(reason: WakeReason): void {
    this.#threads?.stop();
    this.#machine.wake(reason);
    this.#threads?.revive();
    this.#setState("running");
    this.#threads?.go();
  }

  #shutdown(cause: ShutdownCause): void {
    this.#pause("shutdown");
    this.#note("shutdown", { cause });
  }

  #pause(state: RunState): void {
    this.#threads?.stop();
    this.#clock.stop();
    this.#machine.setRunning(false);
    this.#setState(state);
  }

  #resume(): void {
    if (this.#state === "shutdown" || this.#state === "guest-panicked" || this.#state === "internal-error") {
      throw new QemuError("needs-reset", "Resetting the Virtual Machine is required");
    }
    this.#machine.setRunning(true);
    this.#clock.start();
    this.#setState(this.#machine.suspended ? "suspended" : "running");
    if (this.#state === "running") this.#threads?.go();
  }

  #setState(state: RunState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.#note("state", { state });
  }

  /** A request of the I/O thread; handled between two slices of the guest. */
  #request(name: string, { json }: Message): Message {
    switch (name) {
      case "start":
        if (this.#state === "prelaunch") this.#resume();
        return { json: null };
      case "cont":
        this.#resume();
        return { json: null };
      case "stop":
        if (this.#going) this.#pause("paused");
        return { json: null };
      case "wakeup":
        if (this.#state !== "suspended") {
          throw new QemuError("not-suspended", "Unable to wake up: guest is not in suspended state");
        }
        this.#wakeUp("other");
        return { json: null };
      case "panicked":
        this.#pause("guest-panicked");
        return { json: null };
      case "reset":
        this.#reset(json as ShutdownCause);
        return { json: null };
      case "quit":
        this.#ending = true;
        return { json: null };
      case "command": {
        const { command, args } = json as { command: string; args: Readonly<Record<string, string>> };
        return this.#still(() => runMachineCommand(this.#commands, command, args));
      }
    }
    throw new QemuError("internal", `the machine's thread does not know '${name}'`);
  }

  #note<K extends keyof MachineNotes>(name: K, note: MachineNotes[K]): void {
    this.#mailbox.note(name, note as unknown as Json);
  }

  #chardev(id: string | undefined): CharPort {
    if (id === undefined) return NULL_CHAR;
    const port = this.#chars.get(id);
    if (!port) throw new QemuError("unknown-chardev", `chardev "${id}" not found`);
    return port;
  }

  #drive(id: string): BlockPort {
    const port = this.#blocks.get(id);
    if (!port) throw new QemuError("unknown-drive", `drive "${id}" not found`);
    return port;
  }

  #printStatistics(): void {
    for (const [index, vcpu] of this.#machine.vcpus.entries()) {
      if (index > 0 && this.#threads) return;
      for (const [name, value] of vcpu.statistics()) this.#log.print(`cpu${index} ${name.padEnd(28)} ${value}`);
    }
  }
}
