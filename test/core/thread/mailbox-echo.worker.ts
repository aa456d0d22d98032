/** The other side of mailbox.test.ts: answers from a thread that never returns to its event loop. */

import { workerData } from "node:worker_threads";
import { Doorbell } from "../../../core/thread/doorbell.ts";
import { Mailbox, type MailboxPlan } from "../../../core/thread/mailbox.ts";

const { plan } = workerData as { plan: MailboxPlan };
const bell = new Doorbell(plan.workerBell.buffer, plan.workerBell.address);
const mailbox = new Mailbox(plan, "worker");
let ending = false;
mailbox.onRequest = (name, message) => {
  if (name === "fail") throw new Error("no such luck");
  if (name === "end") ending = true;
  return { json: { name, was: message.json }, bytes: message.bytes?.map((byte) => byte ^ 0xff) };
};
while (!ending || !mailbox.flushed) {
  mailbox.poll();
  if (!ending || !mailbox.flushed) bell.wait();
}
