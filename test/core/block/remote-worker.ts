/** The machine's thread of remote.test.ts: copies the disk's first half to the second through a `RemoteBlockPort`. */

import { parentPort, workerData } from "node:worker_threads";
import { type RemoteBlockPlan, RemoteBlockPort } from "../../../core/block/remote.ts";
import { Doorbell } from "../../../core/thread/doorbell.ts";

const { plan, memory, bell } = workerData as {
  plan: RemoteBlockPlan;
  memory: SharedArrayBuffer;
  bell: SharedArrayBuffer;
};
const port = new RemoteBlockPort(plan, memory);
const doorbell = new Doorbell(bell);
const until = (condition: () => boolean): void => {
  port.poll();
  while (!condition()) {
    if (!doorbell.wait(10_000)) throw new Error("nobody rang");
    port.poll();
  }
};

const half = port.length / 2;
const block = 4096;
const errors: unknown[] = [];
let left = half / block;
for (let at = 0; at < half; at += block) {
  const buffer = at % (2 * block) === 0 ? new Uint8Array(memory, 65536 + at, block) : new Uint8Array(block);
  port.read(at, [buffer.subarray(0, 100), buffer.subarray(100)], (readError) => {
    errors.push(readError);
    port.write(half + at, [buffer], (writeError) => {
      errors.push(writeError);
      left--;
    });
  });
}
until(() => left === 0);
let changed = false;
port.onMediumChange(() => {
  changed = true;
});
port.setTray(true);
until(() => changed);
parentPort!.postMessage({ errors: errors.filter((error) => error !== undefined), inserted: port.inserted });
