/** Whole machines in child processes: qemu-next as a user starts it, spoken to over its terminal. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
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

/** Starts qemu-next. The firmware is fetched first when it is missing. */
export async function startGuest(...args: string[]): Promise<Conversation> {
  await fetchPackages("firmware");
  return new Conversation(process.execPath, [PROGRAM, ...args]);
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
