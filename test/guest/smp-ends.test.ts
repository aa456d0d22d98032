// @timeout 200
/**
 * Ways in which one of several CPUs ends, suspends or stops the machine while the others halt or compute, and INIT in every
 * state of a CPU: under TCG, and under the host's KVM where there is one.
 */

import { mkdirSync, writeFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Conversation, type Ended, endConversations } from "../tools/conversation.ts";
import { ACCELERATOR, ended, PROGRAM, scratch } from "../tools/guest.ts";
import { whereKvm } from "../tools/kvm.ts";
import { garbage, INTERRUPTED, interrupted, suspends, tripleFaults, writesPort } from "./programs/smp-ends.ts";

const files = scratch();
const LIMIT = 30;
const MACHINE = ["-smp", "3", "-nodefaults", "-display", "none", "-m", "16", "-device", "VGA"];
const EXIT = ["-device", "isa-debug-exit,iobase=0xf4,iosize=4"];
const PANIC_PORT = 0x505;
const BOMB_PORT = 0x3e0;

/** A plugin with two cards whose ports throw: one that the machine's thread owns, and at +4 one that all share. */
const BOMB = `const card = (name, base, placement) => ({
  name, bus: "ISA", category: "Misc", properties: {}, userCreatable: true, placement,
  create(context) {
    const handler = { read: () => 0, write: () => { throw new Error("boom"); } };
    context.ports.map(base, { name, length: 1, handler });
    return { reset() {} };
  },
});
module.exports = {
  name: "bomb",
  api: 1,
  apply(host) {
    const cards = [card("owned-bomb", ${BOMB_PORT}), card("shared-bomb", ${BOMB_PORT + 4}, "shared")];
    for (const type of cards) host.hooks.device.for(type.name).tap("bomb", () => type);
  },
};
`;

function bombPlugin(): string[] {
  const folder = files.path("qemu-next-plugin-bomb");
  const provides = ["device:owned-bomb", "device:shared-bomb"];
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    `${folder}/package.json`,
    JSON.stringify({
      name: "qemu-next-plugin-bomb",
      version: "1.0.0",
      main: "./index.js",
      keywords: ["qemu-next-plugin"],
      "qemu-next": { api: 1, entry: "./index.js", provides },
    }),
  );
  writeFileSync(`${folder}/index.js`, BOMB);
  return ["-plugin", folder, "-device", "owned-bomb", "-device", "shared-bomb"];
}

function start(accelerator: readonly string[], image: Uint8Array, ...args: string[]): Conversation {
  const bios = files.path("firmware.bin");
  writeFileSync(bios, image);
  return new Conversation(process.execPath, [PROGRAM, ...accelerator, ...MACHINE, "-bios", bios, ...args]);
}

/** What `guest` printed before its status, of which bit 0 is always set. */
async function outcome(guest: Conversation): Promise<[stdout: string, exit: number]> {
  const { stdout, status } = await ended(guest, LIMIT);
  return [stdout, (status ?? 0) >> 1];
}

const PRINT = ["-debugcon", "stdio", ...EXIT];

function checkInterrupts(name: string, accelerator: readonly string[]): void {
  test(`${name}: INIT, startup IPIs and NMIs in every state`, async () => {
    assert.equal(await outcome(start(accelerator, interrupted(), ...PRINT)), [INTERRUPTED, 7]);
  });
}

function check(name: string, accelerator: readonly string[], threads: boolean): void {
  for (const halts of [false, true]) {
    const first = halts ? "the first halts" : "the first computes";

    test(`${name}: two CPUs triple fault at once while ${first}`, async () => {
      assert.equal(await outcome(start(accelerator, tripleFaults(halts), ...PRINT)), ["BBB", 5]);
      const { stdout, status } = await ended(start(accelerator, tripleFaults(halts), ...PRINT, "-no-reboot"), LIMIT);
      assert.equal([stdout, status], ["B", 0]);
    });

    test(`${name}: a panic while ${first}`, async () => {
      const panic = ["-device", "pvpanic", "-action", "panic=exit-failure"];
      const { status } = await ended(start(accelerator, writesPort(halts, PANIC_PORT, 1), ...panic), LIMIT);
      assert.is(status, 1);
    });

    test(`${name}: a CPU suspends the machine while ${first}`, async () => {
      const log = files.path("debugcon.txt");
      const printed = ["-debugcon", `file:${log}`, ...EXIT];
      const guest = start(accelerator, suspends(halts), ...printed, "-monitor", "stdio");
      await guest.expect("(qemu) ");
      while (!guest.stdout.endsWith("(suspended)\r\n(qemu) ")) {
        guest.type("info status\n");
        await guest.expect("(qemu) ");
      }
      for (const command of ["info registers -a", "stop", "cont", "system_wakeup"]) {
        guest.type(`${command}\n`);
        if (command !== "system_wakeup") await guest.expect("(qemu) ");
      }
      assert.is(((await ended(guest, LIMIT)).status ?? 0) >> 1, 6);
    });
  }

  checkInterrupts(name, accelerator);
  test(`${name}: random bytes on every CPU; the monitor answers, and quit ends it`, async () => {
    const guest = start(accelerator, garbage(0x1234567), "-monitor", "stdio");
    await guest.expect("(qemu) ");
    for (let round = 0; round < 10; round++) {
      for (const command of ["info registers -a", "stop", "system_reset", "cont"]) {
        guest.type(`${command}\n`);
        await guest.expect("(qemu) ");
      }
    }
    guest.type("quit\n");
    assert.is((await ended(guest, LIMIT)).status, 0);
  });

  if (!threads) return;
  test(`${name}: a device fails in the machine's thread`, async () => {
    for (const halts of [false, true]) {
      const guest = start(accelerator, writesPort(halts, BOMB_PORT, 1), ...bombPlugin());
      const { status, stderr }: Ended = await ended(guest, LIMIT);
      assert.is(status, 1);
      assert.match(stderr, /the machine's thread failed: boom/);
    }
  });

  test(`${name}: a device fails in the thread of a CPU`, async () => {
    const guest = start(accelerator, writesPort(false, BOMB_PORT + 4, 1), ...bombPlugin());
    const { status, stderr }: Ended = await ended(guest, LIMIT);
    assert.is(status, 1);
    assert.match(stderr, /the thread of CPU 2 failed: boom/);
  });
}

check("tcg", ACCELERATOR, false);
await whereKvm(() => {
  check("kvm", ["-accel", "kvm"], true);
  checkInterrupts("kvm,kernel-irqchip=on", ["-accel", "kvm,kernel-irqchip=on"]);
});

test.after(() => {
  endConversations();
  files.remove();
});
test.run();
