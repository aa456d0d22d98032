/** A program in a child process, spoken to over its standard streams. */

import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";

export interface Ended {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

const running = new Set<ChildProcessWithoutNullStreams>();

/** Ends every program that a failed test has left behind; for `test.after`. */
export function endConversations(): void {
  for (const child of running) child.kill("SIGKILL");
}

export class Conversation {
  readonly child: ChildProcessWithoutNullStreams;
  readonly ended: Promise<Ended>;
  stdout = "";
  stderr = "";
  #heard = 0;
  #wake: () => void = () => {};
  #over = false;

  constructor(command: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    this.child = spawn(command, args, { stdio: "pipe", env: { ...process.env, NODE_NO_WARNINGS: "1", ...env } });
    running.add(this.child);
    this.child.stdout.setEncoding("latin1").on("data", (data) => {
      this.stdout += data;
      this.#wake();
    });
    this.child.stderr.setEncoding("utf8").on("data", (data) => (this.stderr += data));
    this.child.stdin.on("error", () => {});
    this.ended = new Promise((resolve) => {
      this.child.on("close", (status, signal) => {
        running.delete(this.child);
        this.#over = true;
        this.#wake();
        resolve({ status, signal, stdout: this.stdout, stderr: this.stderr });
      });
    });
  }

  type(text: string): void {
    this.child.stdin.write(text);
  }

  /** Waits until `text` comes out after what the last call found. */
  async expect(text: string, ms = 10_000): Promise<void> {
    const deadline = Date.now() + ms;
    for (;;) {
      const at = this.stdout.indexOf(text, this.#heard);
      if (at >= 0) {
        this.#heard = at + text.length;
        return;
      }
      const left = deadline - Date.now();
      if (this.#over || left <= 0) {
        this.child.kill("SIGKILL");
        throw new Error(
          `no ${JSON.stringify(text)} in ${JSON.stringify(this.stdout.slice(this.#heard))}; ${this.stderr}`,
        );
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }
}
