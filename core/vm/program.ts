/** What `main` does: reads the command line, runs the machine, and answers signals, until there is an exit status. */

import { writeSync } from "node:fs";
import { constants } from "node:os";
import type { Worker } from "node:worker_threads";
import { startThread, type ThreadProgram } from "../assets.ts";
import { messageOf, QemuError } from "../errors.ts";
import { messageOptions, readCommandLine } from "../options/command-line.ts";
import type { CommandSummary } from "../options/help.ts";
import type { PluginHost } from "../plugin/host.ts";
import { endThread, leaveStuckThreads } from "./end-thread.ts";
import { versionText } from "./version.ts";
import type { Vm } from "./vm.ts";

export interface ProgramEnvironment {
  readonly name: string;
  readonly version: string;
  /** Sub-commands, for -help. */
  readonly commands?: readonly CommandSummary[];
  readonly host: PluginHost;
  readonly threads: {
    /** The program of the machine's thread; it calls `runMachineThread`. */
    readonly machine: ThreadProgram;
    /** That of the thread of a further vCPU; it calls `runVcpuThread`. */
    readonly vcpu: ThreadProgram;
  };
}

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** A small young generation: what the machine's thread allocates lives short, and memory is better left to guests. */
const THREAD_OPTIONS = { name: "machine", resourceLimits: { maxYoungGenerationSizeMb: 24 } };
/** Words that make the program print something and end. */
const PRINTS = /^(--?(h|help|version)|(.*,)?(help|\?))$/;

/** An error as the user sees it: `qemu-next: -opt arg: message`, then what to do. A bug of ours shows its stack. */
export function formatError(program: string, error: unknown, trace: boolean): string {
  const known = error instanceof QemuError ? error : undefined;
  const option = known?.context.option;
  const head = `${program}: ${option ? `${option}: ` : ""}${messageOf(error)}`;
  const lines = [head, ...(known?.hint ? [known.hint] : [])];
  const origin = known?.cause instanceof Error ? known.cause : error;
  const stack = origin instanceof Error ? origin.stack : undefined;
  if ((trace || !known || known.code === "internal") && stack) lines.push(stack);
  return `${lines.join("\n")}\n`;
}

/** Resolves with the process's exit status. */
export async function runProgram(args: readonly string[], environment: ProgramEnvironment): Promise<number> {
  const status = await run(args, environment);
  await leaveStuckThreads(status);
  return status;
}

async function run(args: readonly string[], environment: ProgramEnvironment): Promise<number> {
  const { name, version, commands, host, threads } = environment;
  const { trace, timestamps } = messageOptions(args);
  const print = (fd: number, text: string): void => {
    try {
      writeSync(fd, text);
    } catch {
      // Nobody listens.
    }
  };
  const say = (text: string): void => print(2, `${timestamps ? `${new Date().toISOString()} ` : ""}${text}`);
  let thread: Worker | undefined;
  try {
    // The thread starts while the command line is read: that is a good part of the start-up time.
    if (!args.some((arg) => PRINTS.test(arg))) thread = startThread(threads.machine, THREAD_OPTIONS);
    const line = await readCommandLine(args, host, { name, version: versionText(name, version), commands });
    host.tell("cmdline", args);
    if (line.kind === "text") {
      await new Promise((resolve) => process.stdout.write(line.text, resolve));
      return 0;
    }
    for (const warning of line.io.warnings) say(`${name}: warning: ${warning}\n`);
    if (line.io.notice && process.stderr.isTTY) say(`${name}: ${line.io.notice}\n`);
    let vm: Vm | undefined;
    let signalled: NodeJS.Signals | undefined;
    const onSignal = (signal: NodeJS.Signals): void => {
      if (!signalled) say(`${name}: terminating on signal ${constants.signals[signal]}\n`);
      signalled = signal;
      // A hang-up means that the terminal has gone: an error, unlike being told to end.
      const status = signal === "SIGHUP" ? 1 : 0;
      if (vm) void vm.quit(status);
      else process.exit(status);
    };
    for (const signal of SIGNALS) process.on(signal, onSignal);
    const inform = (message: string): void => say(`${name}: ${message}\n`);
    const announce = (line: string): void => print(1, `${line}\n`);
    const report = (error: unknown): void => say(formatError(name, error, trace));
    const { Vm } = await import("./vm.ts");
    thread ??= startThread(threads.machine, THREAD_OPTIONS);
    vm = await Vm.start({ host, thread, vcpuProgram: threads.vcpu, version, inform, announce, report }, line);
    const status = await vm.ended;
    host.tell("shutdown");
    return status;
  } catch (error) {
    say(formatError(name, error, trace));
    return 1;
  } finally {
    if (thread) await endThread(thread);
  }
}
