// @timeout 300
// @backends wasm js interp
/** A partitioned disk with GRUB in its boot record, a file system, a kernel and busybox. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { endConversations } from "../tools/conversation.ts";
import { buildDiskImage, readDiskFile } from "../tools/disk-image.ts";
import { ended, scratch, startGuest } from "../tools/guest.ts";

const files = scratch();

test("GRUB boots the disk; what the guest writes is in the image afterwards", async () => {
  const image = files.path("disk.img");
  await buildDiskImage({ output: image, script: "echo written by the guest > /from-guest; sync; cat /from-guest" });
  const guest = await startGuest("-accel", "tcg", "-M", "pc", image, "-nographic", "-m", "256");
  await guest.expect("GRUB", 60_000);
  const { status, stdout, stderr } = await ended(guest, 150);
  assert.is(status, 0, stderr);
  assert.match(stdout, /written by the guest/);
  assert.not.match(stdout, /Oops|BUG:|Kernel panic|I\/O error/);
  const written = await readDiskFile(image, "/from-guest");
  assert.is(Buffer.from(written ?? []).toString(), "written by the guest\n");
});

test.after(() => {
  endConversations();
  files.remove();
});
test.run();
