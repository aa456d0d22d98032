/**
 * How fast the program itself starts and how large it is; the executable that `npm run build:binary` makes is measured
 * beside the sources.
 */

import { execFile } from "node:child_process";
import { statSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Progress } from "../tools/debian.ts";
import type { Emulator } from "./emulators.ts";
import type { Guest } from "./guest.ts";
import { median } from "./statistics.ts";
import { watch } from "./watch.ts";

const execute = promisify(execFile);

const RUNS = 9;
/** Time limit of one start, in seconds. */
const LIMIT = 30;

/** -version, and against Node doing nothing: the rest of it is what the program adds. */
export const startUp: Guest = {
  id: "v",
  title: "start of the program",
  onV86: false,
  onExecutable: true,
  async prepare() {
    return async (emulator) => {
      const version: number[] = [];
      const nothing: number[] = [];
      const { file, args, env } = emulator.program!;
      // By the clock: what does not write anything shows no CPU time.
      const command = { file, args: [...args, "-version"], env };
      for (let i = 0; i < RUNS; i++) {
        const started = await watch(command, { seconds: LIMIT });
        if (started.status !== 0) return [{ row: "-version", unit: "s", error: started.lastWord }];
        version.push(started.seconds);
        const node = { file: process.execPath, args: ["-e", "0"] };
        nothing.push((await watch(node, { seconds: LIMIT })).seconds);
      }
      const seconds = median(version);
      const size =
        emulator.file === undefined
          ? []
          : [{ row: "size", unit: "MB" as const, value: statSync(emulator.file).size / 1e6 }];
      return [
        { row: "-version", unit: "s", value: seconds },
        { row: "-version, of 'node -e 0'", unit: "%", value: (seconds / median(nothing)) * 100 },
        ...size,
      ];
    };
  },
};

/** The executable with everything in it, made at `path` from the sources in `root`. */
export async function executable(path: string, root: string, progress: Progress): Promise<Emulator> {
  progress("making the executable");
  await execute(process.execPath, [join(root, "bin/qemu-next.js"), "bundle", "--output", path]);
  const program = { file: path, args: [] };
  return {
    name: "executable",
    version: "",
    ours: true,
    file: path,
    program,
    command: (args) => ({ ...program, args }),
  };
}
