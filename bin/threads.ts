/** The programs that run in threads of their own: what the build has to bundle beside the main program. */

import { KICK_THREAD } from "../accel/kvm/threads.ts";
import { COMPILE_THREAD } from "../accel/tcg/threads.ts";
import type { ThreadProgram } from "../core/assets.ts";
import { VCPU_THREAD } from "../core/vm/vcpu-threads.ts";

export const MACHINE_THREAD: ThreadProgram = { name: "machine-thread", source: "bin/machine-thread.ts" };

export const THREADS: readonly ThreadProgram[] = [MACHINE_THREAD, VCPU_THREAD, COMPILE_THREAD, KICK_THREAD];
