/** Packages on disk for the tests of third-party plugins. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import * as assert from "uvu/assert";
import { QemuError } from "../../../core/errors.ts";

export interface Scratch {
  readonly root: string;
  path(...names: string[]): string;
  /** Writes files below the folder `name`, and answers with its path. Objects become JSON. */
  write(name: string, files: Readonly<Record<string, string | object>>): string;
  remove(): void;
}

export function scratchFolder(): Scratch {
  const root = mkdtempSync(join(tmpdir(), "qemu-next-plugin-"));
  return {
    root,
    path: (...names) => join(root, ...names),
    write(name, files) {
      for (const [file, contents] of Object.entries(files)) {
        const path = join(root, name, file);
        mkdirSync(dirname(path), { recursive: true });
        writeFileSync(path, typeof contents === "string" ? contents : JSON.stringify(contents));
      }
      return join(root, name);
    },
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
}

/** A package.json with a manifest. */
export function packageJson(name: string, manifest: object, more: object = {}): object {
  return { name, version: "1.2.3", ...more, "qemu-next": manifest };
}

/** The QemuError that `action` ends with. */
export async function failure(action: () => unknown): Promise<QemuError> {
  try {
    await action();
  } catch (error) {
    if (error instanceof QemuError) return error as QemuError;
    throw error;
  }
  assert.unreachable("did not fail");
  throw new Error();
}
