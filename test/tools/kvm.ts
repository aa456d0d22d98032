/** Whether this host can run tests under KVM. */

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
