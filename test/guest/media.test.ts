// @timeout 600
// @backends wasm js interp
/** Other people's programs: GRUB from a CD, iPXE, the Debian installer. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { endConversations } from "../tools/conversation.ts";
import { ScreenGuest, scratch, startGuest } from "../tools/guest.ts";
import { packageFile } from "../tools/packages.ts";

const files = scratch();
const screen = files.path("screen.txt");
const INSTALLER = "usr/lib/debian-installer/images/12/amd64/text/debian-installer/amd64";

test("GRUB's rescue CD reaches its menu on the screen and obeys typed keys", async () => {
  const iso = await packageFile("grub-rescue", "usr/lib/grub-rescue/grub-rescue-cdrom.iso");
  const guest = await ScreenGuest.start(screen, "-cdrom", iso, "-boot", "d");
  await guest.see(/GNU GRUB +version/, 60);
  await guest.press("c");
  await guest.see(/grub>/, 20);
  await guest.press("l", "s", "ret");
  await guest.see(/grub> ls\s+\(cd\)/, 20);
  await guest.command("info block");
  assert.is((await guest.quit()).status, 0);
});

test("iPXE prints its banner", async () => {
  const guest = await ScreenGuest.start(screen, "-kernel", await packageFile("ipxe", "boot/ipxe.lkrn"));
  await guest.see(/iPXE .*Open Source Network Boot Firmware/s, 60);
  assert.is((await guest.quit()).status, 0);
});

test("the Debian installer shows its first dialog on the serial console", async () => {
  const guest = await startGuest(
    ...["-nographic", "-m", "1024", "-kernel", await packageFile("installer", `${INSTALLER}/linux`)],
    ...["-initrd", await packageFile("installer", `${INSTALLER}/initrd.gz`)],
    ...["-append", "console=ttyS0 DEBIAN_FRONTEND=text"],
  );
  await guest.expect("Select a language", 200_000);
  guest.type("\x01x");
  assert.is((await guest.ended).status, 0);
});

test.after(() => {
  endConversations();
  files.remove();
});
test.run();
