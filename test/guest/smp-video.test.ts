// @timeout 60
/** Several CPUs and one video memory: each sees what the others have written, and so does who looks from outside. */

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Conversation, endConversations } from "../tools/conversation.ts";
import { ended, PROGRAM, scratch } from "../tools/guest.ts";
import { whereKvm } from "../tools/kvm.ts";
import { LAST_CELL, textInTurns } from "./programs/smp-video.ts";

const files = scratch();
const LIMIT = 20;
const OPTIONS = ["-nodefaults", "-display", "none", "-vga", "std", "-m", "16", "-smp", "3", "-no-reboot"];
const EXIT = ["-device", "isa-debug-exit,iobase=0xf4,iosize=1"];

function check(accelerator: string, halts: boolean): void {
  test(`${accelerator}: text in turns, then the first CPU ${halts ? "halts" : "computes"}`, async () => {
    const [bios, log] = [files.path("firmware.bin"), files.path(`${accelerator}-${halts}.txt`)];
    writeFileSync(bios, textInTurns(halts));
    const output = ["-debugcon", `file:${log}`, "-monitor", "stdio"];
    const guest = new Conversation(process.execPath, [
      ...[PROGRAM, "-accel", accelerator, ...OPTIONS, "-bios", bios, ...output, ...EXIT],
    ]);
    await guest.expect("(qemu) ");
    while (!existsSync(log) || readFileSync(log, "latin1") !== "D") {
      assert.is(guest.child.exitCode, null, "a CPU did not see what another one has written");
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const cell = `0x${LAST_CELL.toString(16).padStart(4, "0")}`;
    for (const at of ["0xb8000", "0xb818e"]) {
      guest.type(`xp/1hx ${at}\n`);
      await guest.expect(`${cell}\r\n(qemu) `);
    }
    guest.type("quit\n");
    assert.is((await ended(guest, LIMIT)).status, 0);
  });
}

check("tcg", true);
await whereKvm(() => {
  for (const halts of [false, true]) check("kvm", halts);
});

test.after(() => {
  endConversations();
  files.remove();
});
test.run();
