/** The programs that the accelerator runs in threads of their own. */

import type { ThreadProgram } from "../../core/assets.ts";

export const KICK_THREAD: ThreadProgram = {
  name: "kick-thread",
  source: "accel/kvm/kick-thread.ts",
  part: "accel/kvm",
};
