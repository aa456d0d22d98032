/** Whether this host can run tests under KVM. */

import { test } from "uvu";
import { openKvm } from "../../accel/kvm/system.ts";
import { messageOf } from "../../core/errors.ts";

/** Why not, or undefined; the reason is printed, too. */
export async function kvmMissing(): Promise<string | undefined> {
  try {
    (await openKvm()).close();
    return undefined;
  } catch (error) {
    const reason = messageOf(error);
    process.stdout.write(`skipped: ${reason}\n`);
    return reason;
  }
}

/** Defines tests where the host has KVM; elsewhere one is skipped that says why. */
export async function whereKvm(define: () => void | Promise<void>): Promise<void> {
  const reason = await kvmMissing();
  if (reason === undefined) await define();
  else test.skip(`without KVM: ${reason}`, () => {});
}
