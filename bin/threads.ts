/** The programs that run in threads of their own: what the build has to bundle beside the main program. */

import type { ThreadProgram } from "../core/assets.ts";

export const MACHINE_THREAD: ThreadProgram = {
  name: "machine-thread",
  source: new URL("./machine-thread.ts", import.meta.url),
};

export const THREADS: readonly ThreadProgram[] = [MACHINE_THREAD];
