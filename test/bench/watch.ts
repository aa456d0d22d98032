/**
 * Runs an emulator and notes when its guest says what: lines of the guest's console that begin with `@@` are marks, and
 * their time is the host's, so a guest's clock cannot lie.
 *
 *     @@ at NAME           something is reached: the time from the start of the process
 *     @@ begin NAME        a piece of work begins
 *     @@ end NAME CHECK    and ends; CHECK is what it computed
 */

import { spawn } from "node:child_process";
import { cpuSeconds } from "./process.ts";

export type Clock = "wall" | "cpu";

export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** What seconds are: those of the host's clock, or of CPU time that all threads of the process have used. */
  readonly clock?: Clock;
}

export interface Mark {
  readonly kind: string;
  readonly name: string;
  readonly check: string | undefined;
  /** Seconds since the start of the process. */
  readonly at: number;
}

export interface Watched {
  readonly marks: readonly Mark[];
  /** Seconds to the end of the process; of CPU time, to its last output. */
  readonly seconds: number;
  /** What went wrong, when the process was stopped by us or by a signal. */
  readonly problem: string | undefined;
  readonly status: number | null;
  /** One line about the end, for messages: what the emulator said on standard error, or the last line of the guest. */
  readonly lastWord: string;
}

export interface WatchOptions {
  /** The time limit. */
  readonly seconds: number;
  /** Called at each mark, with the process id of the emulator. */
  readonly onMark?: (mark: Mark, pid: number) => void;
  /** Called with output, before its marks; the process is ended when it returns true. */
  readonly onOutput?: (at: number, text: string) => boolean;
  /** Text to type when the output has the one before it, in order. */
  readonly answers?: readonly { readonly when: string; readonly type: string }[];
  /** Called when an answer is typed. */
  readonly onAnswer?: (at: number) => void;
}

const LONGEST_LINE = 4096;
const TAIL = 4096;
const LAST_WORD = 120;

/** Reads a mark out of a line of the console. */
export function parseMark(line: string, at: number): Mark | undefined {
  const found = /@@ (at|begin|end) (\S+)(?: +(\S+))?\s*$/.exec(line);
  return found ? { kind: found[1], name: found[2], check: found[3], at } : undefined;
}

/** The line of an error message, which may have a stack behind it; a guest's panic; or the last line. */
export function lastWord(output: string, errors: string): string {
  const lines = (text: string): string[] => text.split(/[\r\n]+/).filter((line) => line.trim() !== "");
  const panic = lines(output).find((line) => line.includes("Kernel panic"));
  const said = lines(errors).find((line) => !/^\s+at /.test(line)) ?? panic ?? lines(output).at(-1) ?? "";
  return said.trim().slice(-LAST_WORD);
}

const running = new Set<() => void>();

/** Ends every emulator that still runs; for the end of the bench by a signal. */
export function endAll(): void {
  for (const end of running) end();
}

export function watch(command: Command, options: WatchOptions): Promise<Watched> {
  const started = performance.now();
  const child = spawn(command.file, command.args, {
    stdio: ["pipe", "pipe", "pipe"],
    env: { ...process.env, NODE_NO_WARNINGS: "1", ...command.env },
  });
  const wall = (): number => (performance.now() - started) / 1000;
  const now = command.clock === "cpu" ? (): number => cpuSeconds(child.pid!) : wall;
  let heard = 0;
  const marks: Mark[] = [];
  const answers = [...(options.answers ?? [])];
  let problem: string | undefined;
  let line = "";
  let output = "";
  let errors = "";
  let unanswered = "";
  const end = (): void => void child.kill("SIGKILL");
  running.add(end);
  const timer = setTimeout(() => {
    problem = `no end within ${options.seconds} s`;
    end();
  }, options.seconds * 1000);

  const hear = (text: string): void => {
    const at = now();
    heard = at;
    if (options.onOutput?.(at, text)) end();
    output = (output + text).slice(-TAIL);
    const lines = (line + text).split("\n");
    line = lines.pop()!.slice(-LONGEST_LINE);
    for (const complete of lines) {
      const mark = parseMark(complete, at);
      if (mark === undefined) continue;
      marks.push(mark);
      options.onMark?.(mark, child.pid!);
    }
    if (answers.length === 0) return;
    unanswered = (unanswered + text).slice(-LONGEST_LINE);
    if (!unanswered.includes(answers[0].when)) return;
    unanswered = "";
    options.onAnswer?.(at);
    child.stdin.write(answers.shift()!.type);
  };
  child.stdin.on("error", () => {});
  child.stdout.setEncoding("latin1").on("data", hear);
  child.stderr.setEncoding("utf8").on("data", (text: string) => (errors = (errors + text).slice(0, TAIL)));
  return new Promise((resolve) => {
    child.on("error", (error) => (problem = error.message));
    child.on("close", (status, signal) => {
      clearTimeout(timer);
      running.delete(end);
      if (signal && signal !== "SIGKILL") problem ??= `ended by ${signal}`;
      resolve({
        marks,
        seconds: command.clock === "cpu" ? heard : wall(),
        problem,
        status,
        lastWord: lastWord(output, errors),
      });
    });
  });
}
