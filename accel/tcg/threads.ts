/** The programs that the accelerator runs in threads of their own. */

import type { ThreadProgram } from "../../core/assets.ts";

export const COMPILE_THREAD: ThreadProgram = {
  name: "compile-thread",
  source: "accel/tcg/wasm/compile-thread.ts",
  part: "accel/tcg",
};
