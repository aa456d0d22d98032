/** The thread that compiles makes what the caller's thread would make. */

import { setImmediate } from "node:timers/promises";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Finished } from "../../../../accel/tcg/jit/backend.ts";
import type { RegionPlan } from "../../../../accel/tcg/jit/form.ts";
import { WasmBackend } from "../../../../accel/tcg/wasm/backend.ts";
import { ThreadQueue } from "../../../../accel/tcg/wasm/thread-queue.ts";
import { SmallGuest } from "../jit/small-guest.ts";

const LOOKUP = 0x200000;
/** Not an instruction of 64-bit code. */
const NO_OPCODE = 0x06;
const LOOP = "entry:\n add rax, [rsi]\n dec ecx\n jne entry\nout:\n ret";

async function finished(queue: ThreadQueue): Promise<Finished> {
  for (;;) {
    const result = queue.poll();
    if (result) return result;
    await setImmediate();
  }
}

test("a plan comes back as functions", async () => {
  const guest = await SmallGuest.create(LOOP);
  guest.taken("entry", "entry", 1000);
  const table = new WebAssembly.Table({ element: "anyfunc", initial: 2 });
  const modules: Uint8Array[] = [];
  const backend = new WasmBackend(guest.memory.memory, guest.helpers, table, LOOKUP);
  const queue = new ThreadQueue(backend, { model: "qemu64", severalCpus: false }, (bytes) => modules.push(bytes));
  const here = backend.compile([guest.region("entry")!]);
  queue.submit(5, guest.plan("entry")!);
  const { ids, refused, batch } = await finished(queue);
  assert.equal([ids, refused], [[5], []]);
  assert.equal(batch.regions, here.regions);
  assert.is(table.get(1), null, "not in its place before it is installed");
  batch.install([{ place: 1, cells: 0 }]);
  assert.type(table.get(1), "function");
  assert.is(modules.length, 1);
});

test("a plan whose code makes no sense is refused, the others are compiled", async () => {
  const guest = await SmallGuest.create(LOOP);
  const table = new WebAssembly.Table({ element: "anyfunc", initial: 2 });
  const queue = new ThreadQueue(new WasmBackend(guest.memory.memory, guest.helpers, table, LOOKUP), {
    model: "qemu64",
    severalCpus: false,
  });
  const good = guest.plan("entry")!;
  const bad: RegionPlan = { ...good, code: new Uint8Array(good.code.length).fill(NO_OPCODE) };
  queue.submit(1, bad);
  queue.submit(2, good);
  const { ids, refused } = await finished(queue);
  assert.equal([ids, refused], [[2], [1]]);
  assert.is(queue.poll(), undefined, "nothing is left");
});

test.run();
