/** The project's cache folder, and the locks and atomic moves that let several processes fill it at once. */

import { mkdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { messageOf, QemuError } from "../../core/errors.ts";
import { cacheDirectory } from "../../machines/pc/firmware.ts";

/** A path inside the cache folder. */
export function cachePath(...parts: string[]): string {
  return join(cacheDirectory(process.env), ...parts);
}

export async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Whether a lock folder was left by a process that is gone. */
async function isStale(lock: string): Promise<boolean> {
  const pid = Number(await readFile(join(lock, "pid"), "utf8").catch(() => ""));
  if (pid > 0) return !alive(pid);
  const made = await stat(lock).catch(() => undefined);
  return made !== undefined && Date.now() - made.mtimeMs > 10_000;
}

/** Runs `work` while no other process runs it under the same name. A lock of a dead process is taken over. */
export async function withLock<T>(name: string, work: () => Promise<T>, timeoutMs = 900_000): Promise<T> {
  const lock = cachePath(`${name}.lock`);
  await mkdir(cachePath(), { recursive: true });
  for (const deadline = Date.now() + timeoutMs; ; ) {
    try {
      await mkdir(lock);
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    if (await isStale(lock)) await rm(lock, { recursive: true, force: true });
    else if (Date.now() > deadline) throw new QemuError("cache-locked", `another process keeps ${lock}`);
    else await sleep(200);
  }
  try {
    await writeFile(join(lock, "pid"), String(process.pid));
    return await work();
  } finally {
    await rm(lock, { recursive: true, force: true });
  }
}

/**
 * Makes `target` (a file or a folder) at once: `make` fills a temporary path beside it, which is then moved into place.
 * A target that appeared meanwhile is replaced.
 */
export async function makeAtomically(target: string, make: (temporary: string) => Promise<void>): Promise<void> {
  const temporary = `${target}.${process.pid}.tmp`;
  await mkdir(join(target, ".."), { recursive: true });
  await rm(temporary, { recursive: true, force: true });
  try {
    await make(temporary);
    await rm(target, { recursive: true, force: true });
    await rename(temporary, target);
  } catch (cause) {
    await rm(temporary, { recursive: true, force: true });
    if (QemuError[Symbol.hasInstance](cause)) throw cause;
    throw new QemuError("cache-write", `cannot make ${target}: ${messageOf(cause)}`, { cause });
  }
}
