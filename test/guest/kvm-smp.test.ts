// @timeout 240
/** The program of smp.test.ts under the host's KVM. Skipped where there is no /dev/kvm. */

import { test } from "uvu";
import { endConversations } from "../tools/conversation.ts";
import { scratch } from "../tools/guest.ts";
import { kvmMissing } from "../tools/kvm.ts";
import { checkSmp } from "../tools/smp.ts";
import { SMP_MODES } from "./programs/smp-library.ts";

const files = scratch();
const ROUNDS = 20;
const LIMIT = 60;
const CPUS = [1];

const reason = await kvmMissing();
if (reason !== undefined) {
  test.skip(`without KVM: ${reason}`, () => {});
} else {
  for (const mode of SMP_MODES) {
    for (const cpus of CPUS) {
      const program = { mode, cpus, rounds: ROUNDS };
      test(`${mode} mode, ${cpus} CPUs`, () => checkSmp(["-accel", "kvm"], program, files.path, LIMIT));
    }
  }
}

test.after(() => {
  endConversations();
  files.remove();
});
test.run();
