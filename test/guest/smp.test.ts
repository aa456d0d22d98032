// @timeout 180
// @backends wasm,jit-threshold=20,jit-thread=off js,jit-threshold=20 interp
/** Several CPUs at work together: started by INIT and SIPI, at a spinlock, on shared devices, with interrupts between them. */

import { test } from "uvu";
import { endConversations } from "../tools/conversation.ts";
import { ACCELERATOR, scratch } from "../tools/guest.ts";
import { checkSmp } from "../tools/smp.ts";
import type { SmpMode } from "./programs/smp-library.ts";

const files = scratch();
const ROUNDS = 20;
const LIMIT = 60;

const RUNS: readonly [SmpMode, number][] = [
  ["real", 2],
  ["protected", 4],
  ["long", 1],
  ["long", 2],
  ["long", 4],
];

for (const [mode, cpus] of RUNS) {
  test(`${mode} mode, ${cpus} CPUs`, () => checkSmp(ACCELERATOR, { mode, cpus, rounds: ROUNDS }, files.path, LIMIT));
}

test.after(() => {
  endConversations();
  files.remove();
});
test.run();
