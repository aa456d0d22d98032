/**
 * The I/O thread's side of a machine: opens what the command line names, starts the machine's thread, carries bytes and
 * requests between the two, and ends it all in order: the machine stops, characters and disks are written out, the
 * terminal is put back.
 */

import { unlinkSync, writeFileSync } from "node:fs";
import type { Worker } from "node:worker_threads";
import type { Accelerator } from "../accel.ts";
import type { ThreadProgram } from "../assets.ts";
import { openImage } from "../block/driver.ts";
import type { BlockNode } from "../block/node.ts";
import { BlockServer, createRemoteBlockPlan } from "../block/remote.ts";
import type { Chardev } from "../char/chardev.ts";
import { Mux } from "../char/mux.ts";
import type { CharPort } from "../char/port.ts";
import { createRemoteCharPlan, RemoteCharHost, type RemoteCharPlan } from "../char/remote.ts";
import type { ShutdownCause } from "../device.ts";
import { type ErrorContext, messageOf, QemuError } from "../errors.ts";
import { Log, openLog } from "../log.ts";
import { GuestMemory } from "../memory/guest-memory.ts";
import { Monitor } from "../monitor/monitor.ts";
import type { CommandLine } from "../options/command-line.ts";
import type { BlockPlan } from "../options/drives.ts";
import { withOption } from "../options/keyval.ts";
import type { MachineOptions } from "../options/machine-options.ts";
import { parseProperties } from "../options/properties.ts";
import type { MomentName, Moments } from "../plugin/hooks.ts";
import type { PluginHost } from "../plugin/host.ts";
import { Doorbell } from "../thread/doorbell.ts";
import { createMailboxPlan, type Json, Mailbox, type Message } from "../thread/mailbox.ts";
import { endThread } from "./end-thread.ts";
import { type MachineNotes, type MachinePlan, RESERVED_MEMORY, type RunState, WAKE_SECTION_SIZE } from "./protocol.ts";
import { hasVcpuThreads } from "./thread-parts.ts";
import { VcpuWorkers } from "./vcpu-workers.ts";
import { startTime } from "./wall-clock.ts";

/** How long the machine's thread may take to notice that it has to end, before it is ended by force. */
const END_TIMEOUT_MS = 2000;
/** The same when the thread of a vCPU has failed, which may hold a lock for ever. */
const FAILED_TIMEOUT_MS = 500;

/** What the program around the machine gives. */
export interface VmEnvironment {
  readonly host: PluginHost;
  /** The machine's thread: runs `awaitMachine`, and gets the plan as a message. It may still be starting. */
  readonly thread: Worker;
  /** The program of the threads of further vCPUs. */
  readonly vcpuProgram: ThreadProgram;
  readonly version: string;
  /** A line for the user on standard error. */
  inform(message: string): void;
  /** A line that scripts look for, on standard output. */
  announce(line: string): void;
  /** An error for the user on standard error. */
  report(error: unknown): void;
}

/** A drive as the I/O thread knows it. */
export interface VmDrive {
  readonly plan: BlockPlan;
  readonly server: BlockServer;
  /** The file that is in; undefined when the drive is empty. */
  file: string | undefined;
  trayOpen: boolean;
  locked: boolean;
}

type MachineLine = Extract<CommandLine, { kind: "machine" }>;

export class Vm {
  readonly environment: VmEnvironment;
  readonly options: MachineOptions;
  readonly drives = new Map<string, VmDrive>();
  readonly chardevs = new Map<string, Chardev>();
  /** Resolves with the exit status when everything has been written out and closed. */
  readonly ended: Promise<number>;
  state: RunState = "prelaunch";
  readonly #line: MachineLine;
  readonly #mainBell = new Doorbell();
  readonly #memory: GuestMemory;
  readonly #workerBell: Doorbell;
  readonly #mailbox: Mailbox;
  readonly #plan: MachinePlan;
  readonly #chars: RemoteCharHost[] = [];
  readonly #monitors: Monitor[] = [];
  readonly #muxes = new Map<string, Mux>();
  #worker: Worker | undefined;
  #vcpuWorkers: VcpuWorkers | undefined;
  #endTimeout = END_TIMEOUT_MS;
  #running = false;
  #threadEnded: () => void = () => {};
  #threadsEnded: Promise<void> | undefined;
  #ending = false;
  #pumping = true;
  /** The file of -pidfile, once it was written. */
  #pidFile: string | undefined;
  #ready!: { resolve: () => void; reject: (error: Error) => void };
  #finish!: (status: number) => void;

  private constructor(environment: VmEnvironment, line: MachineLine, options: MachineOptions, memory: GuestMemory) {
    this.environment = environment;
    this.options = options;
    this.#line = line;
    this.#memory = memory;
    this.#workerBell = new Doorbell(memory.buffer, memory.reserve("wake", WAKE_SECTION_SIZE));
    const mailbox = createMailboxPlan(this.#mainBell, this.#workerBell);
    this.#mailbox = new Mailbox(mailbox, "main");
    this.#mailbox.onNote = (name, message) => this.#noted(name as keyof MachineNotes, message);
    this.#plan = {
      options,
      memory: memory.memory,
      mailbox,
      chars: [],
      blocks: [],
      log: openLog(line.io.log.items, line.io.log.file),
      started: startTime(),
      plugins: line.plugins,
    };
    this.ended = new Promise((resolve) => {
      this.#finish = resolve;
    });
  }

  /** Makes the machine and starts it (unless -S). Whatever fails is undone before it is thrown. */
  static async start(environment: VmEnvironment, line: MachineLine): Promise<Vm> {
    const { host } = environment;
    const type = await host.require("machine", line.machine.machine);
    const accelerator = await host.require("accelerator", line.machine.accelerator);
    const firmware = type.findFirmware(line.firmware);
    const memory = GuestMemory.create({
      reserved: accelerator.reservedMemory(line.machine.smp.cpus) + RESERVED_MEMORY,
      ram: line.machine.ram,
    });
    const vm = new Vm(environment, line, { ...line.machine, firmware }, memory);
    try {
      await vm.#open();
      if (line.io.pidFile !== undefined) {
        writePidFile(line.io.pidFile);
        vm.#pidFile = line.io.pidFile;
      }
      await vm.#startThread(accelerator);
      host.tell("machineInit", vm.options);
      if (!vm.options.startPaused) await vm.#mailbox.request("start");
      for (const monitor of vm.#monitors) monitor.start();
    } catch (error) {
      // The guest may end before it has well begun.
      if (vm.#ending) return vm;
      await vm.#close();
      throw error;
    }
    return vm;
  }

  stop(): Promise<unknown> {
    return this.#mailbox.request("stop");
  }

  cont(): Promise<unknown> {
    return this.#mailbox.request("cont");
  }

  reset(cause: ShutdownCause = "host-qmp-system-reset"): Promise<unknown> {
    return this.#mailbox.request("reset", cause);
  }

  /** Ends S3. */
  wakeUp(): Promise<unknown> {
    return this.#mailbox.request("wakeup");
  }

  /** Runs a monitor command in the machine's thread. */
  command(command: string, args: Readonly<Record<string, string>> = {}): Promise<Message> {
    return this.#mailbox.request("command", { command, args });
  }

  /** Ends the machine and then the program's part in it; a second call changes nothing. */
  async quit(status: number): Promise<void> {
    if (this.#ending) return;
    this.#ending = true;
    await this.#endThreads();
    try {
      await this.#close();
    } catch (error) {
      this.environment.report(error);
      status ||= 1;
    }
    this.#finish(status);
  }

  /** Puts another image into a drive, or with `file` undefined takes the one in it out. */
  async changeMedium(drive: VmDrive, file: string | undefined, format?: string, readOnly?: boolean): Promise<void> {
    const { plan, server } = drive;
    const node =
      file === undefined
        ? undefined
        : await openImage(this.environment.host, file, {
            format,
            readOnly: readOnly ?? plan.readOnly,
            snapshot: plan.snapshot,
          });
    const before = server.node;
    await server.setNode(node);
    drive.file = file;
    await before?.flush();
    await before?.close();
  }

  /** A front end of a character device; `focus` is told when a multiplexer gives and takes the input. */
  frontEnd(id: string, focus?: (focused: boolean) => void): CharPort {
    const mux = this.#muxes.get(id);
    if (mux) return mux.port(focus);
    const chardev = this.chardevs.get(id);
    if (!chardev) throw new QemuError("unknown-chardev", `chardev "${id}" not found`);
    return chardev;
  }

  isShared(id: string): boolean {
    return this.#muxes.has(id);
  }

  /** Disks first: a missing image is found before a terminal is touched or somebody is waited for. */
  async #open(): Promise<void> {
    const { io } = this.#line;
    for (const plan of io.blocks) await withOption(plan.option, () => this.#openDrive(plan));
    for (const plan of io.chardevs) {
      const message = `'${plan.backend}' is not a valid char driver name`;
      await withOption(plan.option, async () => {
        const type = await this.environment.host.require("chardev", plan.backend, message);
        parseProperties(`chardev-${plan.backend}`, type.options, plan.options);
        const chardev = await type.open(plan.options, {
          id: plan.id,
          fail: (error) => this.#fail(error),
          inform: (text) => this.environment.inform(text),
          announce: (text) => this.environment.announce(text),
          interrupt: (signal) => void process.kill(process.pid, signal),
        });
        this.chardevs.set(plan.id, chardev);
        if (plan.mux) this.#muxes.set(plan.id, this.#createMux(chardev, io.escapeCode));
      });
    }
    for (const id of io.machineChardevs) {
      const plan = createRemoteCharPlan(id, this.options.smp.cpus > 1);
      (this.#plan.chars as RemoteCharPlan[]).push(plan);
      this.#chars.push(new RemoteCharHost(this.frontEnd(id), plan, this.#workerBell));
    }
    for (const id of io.monitors) this.#monitors.push(new Monitor(this, id));
  }

  #createMux(chardev: Chardev, escapeCode: number): Mux {
    return new Mux(chardev, {
      escapeCode,
      quit: () => void this.quit(0),
      commit: () => "this version of qemu-next cannot write snapshot changes back",
    });
  }

  async #openDrive(plan: BlockPlan): Promise<void> {
    let node: BlockNode | undefined;
    if (plan.file !== undefined) {
      const { format, readOnly, snapshot } = plan;
      node = await openImage(this.environment.host, plan.file, { format, readOnly, snapshot });
    }
    const remote = createRemoteBlockPlan();
    const drive: VmDrive = {
      plan,
      file: plan.file,
      trayOpen: false,
      locked: false,
      server: new BlockServer({
        plan: remote,
        memory: this.#memory.buffer,
        node,
        wake: () => this.#workerBell.ring(),
        onTray: (open) => {
          drive.trayOpen = open;
        },
        onLocked: (locked) => {
          drive.locked = locked;
        },
      }),
    };
    this.drives.set(plan.id, drive);
    (this.#plan.blocks as MachinePlan["blocks"][number][]).push({ id: plan.id, plan: remote });
  }

  async #startThread(accelerator: Accelerator): Promise<void> {
    const ready = new Promise<void>((resolve, reject) => {
      this.#ready = { resolve, reject };
    });
    const worker = this.environment.thread;
    this.#worker = worker;
    worker.on("error", (error) => {
      const failure = new QemuError("internal", `the machine's thread failed: ${messageOf(error)}`, { cause: error });
      this.#fail(failure);
      this.#ready.reject(failure);
    });
    worker.on("exit", () => {
      this.#mailbox.poll();
      this.#worker = undefined;
      const gone = new QemuError("internal", "the machine's thread has ended");
      if (this.#running) this.#fail(gone);
      this.#ready.reject(gone);
      this.#mailbox.abandon(gone);
      this.#threadEnded();
    });
    worker.postMessage(this.#plan);
    if (hasVcpuThreads(this.#plan, accelerator)) this.#vcpuWorkers = this.#startVcpus();
    void this.#pump();
    await ready;
  }

  #startVcpus(): VcpuWorkers {
    return new VcpuWorkers({
      program: this.environment.vcpuProgram,
      machine: this.#plan,
      bell: this.#workerBell,
      onFailure: (error) => {
        this.#endTimeout = FAILED_TIMEOUT_MS;
        this.#fail(error);
        this.#ready.reject(error);
      },
    });
  }

  async #pump(): Promise<void> {
    while (this.#pumping) {
      await this.#mainBell.waitAsync();
      this.#poll();
    }
  }

  #poll(): void {
    this.#mailbox.poll();
    for (const char of this.#chars) char.poll();
  }

  #noted(name: keyof MachineNotes, { json }: Message): void {
    const { panicAction } = this.#line.io;
    switch (name) {
      case "vcpus":
        this.#vcpuWorkers?.handOver(json as unknown as MachineNotes["vcpus"]);
        break;
      case "ready":
        this.#running = true;
        this.#ready.resolve();
        break;
      case "failed": {
        const { code, message, hint, context, stack } = json as unknown as MachineNotes["failed"];
        const error = new QemuError(code, message, { hint, context: context as ErrorContext });
        if (stack) error.stack = stack;
        this.#ready.reject(error);
        break;
      }
      case "state":
        this.state = (json as unknown as MachineNotes["state"]).state;
        this.#tell("vmStateChange", this.state);
        break;
      case "reset":
        this.#tell("reset", (json as unknown as MachineNotes["reset"]).cause);
        break;
      case "shutdown":
        if (!this.options.noShutdown) void this.quit(0);
        break;
      case "exit":
        void this.quit((json as unknown as MachineNotes["exit"]).status);
        break;
      case "panic":
        if (panicAction === "pause") this.#mailbox.request("panicked").catch(() => {});
        else if (panicAction !== "none") void this.quit(panicAction === "exit-failure" ? 1 : 0);
        break;
    }
  }

  #tell<K extends MomentName>(moment: K, ...args: Moments[K]): void {
    try {
      this.environment.host.tell(moment, ...args);
    } catch (error) {
      this.#fail(error as Error);
    }
  }

  /** Something went wrong for good: says so and ends with status 1. */
  #fail(error: Error): void {
    if (this.#ending) return;
    this.environment.report(error);
    void this.quit(1);
  }

  #endThreads(): Promise<void> {
    this.#threadsEnded ??= this.#endAllThreads();
    return this.#threadsEnded;
  }

  async #endAllThreads(): Promise<void> {
    const worker = this.#worker;
    if (worker) {
      const gone = new Promise<void>((resolve) => {
        this.#threadEnded = resolve;
      });
      this.#mailbox.request("quit").catch(() => {});
      const timer = setTimeout(() => void endThread(worker).then(this.#threadEnded), this.#endTimeout);
      await gone;
      clearTimeout(timer);
    }
    await this.#vcpuWorkers?.end();
  }

  /** Writes out what the machine has sent, then closes everything; goes on after a failure and throws the first one. */
  async #close(): Promise<void> {
    await this.#endThreads();
    const failures: unknown[] = [];
    const attempt = async (action: () => unknown): Promise<void> => {
      try {
        await action();
      } catch (error) {
        failures.push(error);
      }
    };
    for (const { server } of this.drives.values()) {
      await attempt(async () => {
        await server.close();
        if (server.node && !server.node.readOnly) await server.node.flush();
      });
      await attempt(() => server.node?.close());
    }
    await attempt(() => this.#drain());
    for (const chardev of this.chardevs.values()) await attempt(() => chardev.close());
    this.#pumping = false;
    this.#mainBell.ring();
    new Log(this.#plan.log).close();
    if (this.#pidFile !== undefined) removePidFile(this.#pidFile);
    if (failures.length > 0) throw failures[0];
  }

  /** Waits until the backends have taken all output; one that takes none for a while is given up. */
  async #drain(): Promise<void> {
    const deadline = performance.now() + END_TIMEOUT_MS;
    while (this.#chars.some((char) => !char.drained) && performance.now() < deadline) {
      this.#poll();
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }
}

function writePidFile(path: string): void {
  try {
    writeFileSync(path, `${process.pid}\n`, { mode: 0o600 });
  } catch (cause) {
    throw new QemuError("pid-file", `cannot create PID file: ${messageOf(cause)}`, { cause });
  }
}

function removePidFile(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // Somebody else has removed it.
  }
}

/** The value of a reply that is a text. */
export function replyText(json: Json): string {
  return typeof json === "string" ? json : "";
}
