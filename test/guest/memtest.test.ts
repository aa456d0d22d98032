// @timeout 900
// @backends wasm js interp
// @beside
/** memtest86+, which computes for a minute and waits for three. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { endConversations } from "../tools/conversation.ts";
import { BACKEND, ScreenGuest, scratch } from "../tools/guest.ts";
import { packageFile } from "../tools/packages.ts";

const files = scratch();
const screen = files.path("screen.txt");

/**
 * The last test of a pass is to wait for bits to fade: 160 seconds of nothing, which one back end has to sit through. They
 * become three times as many on a busy host: memtest measures its clock in steps of a millisecond, and takes any time that
 * it was not allowed to run for a part of one.
 */
const PASSED = BACKEND === "wasm" ? /Pass:\s+[1-9]/ : /Test #10/;

test("memtest86+ passes over 16 MB without an error", async () => {
  const kernel = await packageFile("memtest", "boot/memtest86+x64.bin");
  const guest = await ScreenGuest.start(screen, "-m", "16", "-kernel", kernel);
  const text = await guest.see(PASSED, 800);
  assert.match(text, /Errors: 0\b/);
  assert.is((await guest.quit()).status, 0);
});

test.after(() => {
  endConversations();
  files.remove();
});
test.run();
