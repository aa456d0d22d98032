// @timeout 120
/** Guest programs that check, from inside, what only privileged code can see. */

import { writeFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { endConversations } from "../tools/conversation.ts";
import { ended, scratch, startGuest } from "../tools/guest.ts";
import { debug } from "./programs/debug.ts";
import { paging } from "./programs/paging.ts";
import { protection } from "./programs/protection.ts";
import { virtual8086 } from "./programs/virtual-8086.ts";

const files = scratch();
const EXIT_PORT = 0xf4;

for (const program of [protection, paging, virtual8086, debug]) {
  test(program.name, async () => {
    const image = files.path(`${program.name}.bin`);
    writeFileSync(image, program.image());
    const guest = await startGuest(
      ...["-nodefaults", "-display", "none", "-cpu", "max", "-m", "16", "-bios", image, "-no-reboot"],
      ...["-debugcon", "stdio", "-device", `isa-debug-exit,iobase=${EXIT_PORT},iosize=4`],
    );
    const { status, stdout } = await ended(guest, 30);
    const lines = stdout.trimEnd().split("\n");
    assert.equal(
      lines.filter((line) => !line.startsWith("ok ")),
      ["done"],
    );
    assert.equal(status, 1);
  });
}

test.after(() => {
  endConversations();
  files.remove();
});
test.run();
