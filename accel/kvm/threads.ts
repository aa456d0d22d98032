/** The programs that the accelerator runs in threads of their own. */

import type { ThreadProgram } from "../../core/assets.ts";

export const KICK_THREAD: ThreadProgram = {
  name: "kick-thread",
  source: "accel/kvm/kick-thread.ts",
  part: "accel/kvm",
};

/** The words that the thread and the vCPU share: 1 while the vCPU is in KVM_RUN; 1 after the thread has failed. */
export const IN_KERNEL = 0;
export const FAILED = 1;
