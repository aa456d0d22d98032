/** Whole machines in child processes: qemu-next as a user starts it, spoken to over its terminal. */

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { Conversation, type Ended } from "./conversation.ts";
import type { Architecture } from "./debian.ts";
import { buildInitramfs } from "./initramfs.ts";
import { fetchPackages, linuxFiles } from "./packages.ts";
import { withTimeout } from "./with-timeout.ts";

export const PROGRAM = resolve(import.meta.dirname, "../../bin/qemu-next.js");

/** A folder for a test's files; `remove` deletes it. */
export function scratch(): { path: (name: string) => string; remove: () => void } {
  const directory = mkdtempSync(join(tmpdir(), "qemu-next-guest-"));
  return {
    path: (name) => join(directory, name),
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}

/** What the test run wants of the accelerator, the back end and perhaps more properties: see test/run.ts. */
export const BACKEND = process.env.QEMU_NEXT_TEST_BACKEND || "wasm";
export const ACCELERATOR = ["-accel", `tcg,backend=${BACKEND}`];

/** Starts qemu-next. The firmware is fetched first when it is missing. */
export async function startGuest(...args: string[]): Promise<Conversation> {
  await fetchPackages("firmware");
  return new Conversation(process.execPath, [PROGRAM, ...ACCELERATOR, ...args]);
}

export function ended(guest: Conversation, seconds: number): Promise<Ended> {
  return withTimeout("the guest's end", seconds * 1000, guest.ended);
}

/** Options that boot Linux with busybox: to a shell on the serial port, or through a script and then off. */
export async function linuxOptions(architecture: Architecture, initramfs: string, script?: string): Promise<string[]> {
  const { kernel, busybox } = await linuxFiles(architecture);
  writeFileSync(initramfs, buildInitramfs({ busybox, script }));
  return ["-m", "256", "-nographic", "-kernel", kernel, "-initrd", initramfs, "-append", "console=ttyS0"];
}

const MONITOR = ["-display", "none", "-serial", "null", "-monitor", "stdio"];

/** A machine whose monitor is on the terminal and whose screen can be read. */
export class ScreenGuest {
  readonly guest: Conversation;
  readonly #file: string;

  private constructor(guest: Conversation, file: string) {
    this.guest = guest;
    this.#file = file;
  }

  /** `file` is where the text of the screen passes through. */
  static async start(file: string, ...args: string[]): Promise<ScreenGuest> {
    const guest = await startGuest(...MONITOR, ...args);
    await guest.expect("(qemu) ");
    return new ScreenGuest(guest, file);
  }

  async command(line: string): Promise<void> {
    this.guest.type(`${line}\n`);
    await this.guest.expect(line);
    await this.guest.expect("(qemu) ");
  }

  /** The text on the screen; empty in graphics modes. */
  async text(): Promise<string> {
    rmSync(this.#file, { force: true });
    await this.command(`screendump ${this.#file} -f txt`);
    return existsSync(this.#file) ? readFileSync(this.#file, "utf8") : "";
  }

  /** Waits until the screen shows `wanted`; returns the whole text. */
  async see(wanted: RegExp, seconds: number): Promise<string> {
    const deadline = Date.now() + seconds * 1000;
    for (;;) {
      const text = await this.text();
      if (wanted.test(text)) return text;
      if (Date.now() > deadline) throw new Error(`no ${wanted} on the screen:\n${text}`);
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }

  /** Presses keys one after the other, by QEMU's names. */
  async press(...keys: string[]): Promise<void> {
    for (const key of keys) await this.command(`sendkey ${key}`);
  }

  async quit(): Promise<Ended> {
    this.guest.type("quit\n");
    return ended(this.guest, 20);
  }
}
