// @timeout 240
/** The program of smp.test.ts under the host's KVM. Skipped where there is no /dev/kvm. */

import { test } from "uvu";
import { endConversations } from "../tools/conversation.ts";
import { scratch } from "../tools/guest.ts";
import { whereKvm } from "../tools/kvm.ts";
import { checkSmp } from "../tools/smp.ts";
import { SMP_MODES, type SmpMode } from "./programs/smp-library.ts";

const files = scratch();
const ROUNDS = 8;
const LIMIT = 60;
const CPUS = [1, 2, 4];

await whereKvm(() => {
  const check = (irqchip: string, mode: SmpMode, cpus: number): void => {
    test(`${mode} mode, ${cpus} CPUs, kernel-irqchip=${irqchip}`, () => {
      const accelerator = ["-accel", `kvm,kernel-irqchip=${irqchip}`];
      return checkSmp(accelerator, { mode, cpus, rounds: ROUNDS }, files.path, LIMIT);
    });
  };
  for (const mode of SMP_MODES) for (const cpus of CPUS) check("off", mode, cpus);
  check("on", "long", 2);
  check("split", "protected", 2);
});

test.after(() => {
  endConversations();
  files.remove();
});
test.run();
