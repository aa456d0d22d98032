/** Another thread that sends on a channel, until it has sent `count` bytes. */

import { workerData } from "node:worker_threads";
import { type RemoteCharPlan, RemoteCharSender } from "../../../core/char/remote.ts";
import { Doorbell } from "../../../core/thread/doorbell.ts";

const { plan, bell, count } = workerData as { plan: RemoteCharPlan; bell: SharedArrayBuffer; count: number };
const mainBell = new Doorbell(bell);
const sender = new RemoteCharSender(plan, mainBell, new Doorbell());
const data = Buffer.from("bb");
for (let sent = 0; sent < count; ) sent += sender.write(data.subarray(0, Math.min(2, count - sent)));
