/** Stands in for the thread of a vCPU: counts, and reads and writes the ports of the machine's thread, until it is ended. */

import { workerData } from "node:worker_threads";
import { Doorbell } from "../../../core/thread/doorbell.ts";
import { VCPU_LINK_SIZE, VcpuLink } from "../../../core/vm/vcpu-link.ts";

const { buffer, index } = workerData as { buffer: SharedArrayBuffer; index: number };
const bell = new Doorbell(buffer, 0);
const link = new VcpuLink(buffer, index * VCPU_LINK_SIZE, () => bell.ring());
const counts = new Int32Array(buffer, 16, 8);

link.stand(0);
for (;;) {
  const { epoch } = link;
  link.bell.take();
  if (link.wanted === "end") break;
  if (link.wanted === "stand") {
    link.stand(epoch);
    continue;
  }
  const count = Atomics.add(counts, index, 1);
  if (count % 100 === 7) link.ports.write(0x80 + index, count, 4);
  if (count % 1000 === 9 && link.memory.read(2 ** 40 + count, 2) !== (count & 0xffff)) link.leave("failed");
  if (count === 5000) link.post({ kind: "exit", exit: "triple-fault" });
  if (count === 5000) link.stand(epoch);
}
link.leave("ended");
