/** The programs that run in threads of their own: what the build has to bundle beside the main program. */

import { KICK_THREAD } from "../accel/kvm/threads.ts";
import { COMPILE_THREAD } from "../accel/tcg/threads.ts";
import type { ThreadProgram } from "../core/assets.ts";

export const MACHINE_THREAD: ThreadProgram = { name: "machine-thread", source: "bin/machine-thread.ts" };

export const THREADS: readonly ThreadProgram[] = [MACHINE_THREAD, COMPILE_THREAD, KICK_THREAD];
