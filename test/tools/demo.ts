/**
 * The demo: fetches a Debian kernel, busybox and the firmware into the cache, boots them to a shell on this terminal,
 * types a few commands there and powers the guest off.
 */

import { messageOf } from "../../core/errors.ts";
import { linuxOptions, scratch, startGuest } from "./guest.ts";
import { fetchPackages } from "./packages.ts";

const PROMPT = "# ";
const BOOT_SECONDS = 120;
const COMMANDS = ["uname -a", "cat /proc/cpuinfo | head -n 5", "free -m", "poweroff -f"];

async function main(): Promise<number> {
  const progress = (line: string): void => console.log(line);
  for (const set of ["firmware", "linux-amd64"] as const) await fetchPackages(set, { progress });
  const files = scratch();
  try {
    const options = await linuxOptions("amd64", files.path("initramfs.cpio"));
    console.log(`qemu-next ${options.join(" ")}\n`);
    const started = performance.now();
    const guest = await startGuest(...options);
    guest.child.stdout.on("data", (data: string) => process.stdout.write(data));
    guest.child.stderr.on("data", (data: string) => process.stderr.write(data));
    await guest.expect(PROMPT, BOOT_SECONDS * 1000);
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    for (const command of COMMANDS) {
      guest.type(`${command}\n`);
      if (command !== COMMANDS.at(-1)) await guest.expect(PROMPT, BOOT_SECONDS * 1000);
    }
    const { status } = await guest.ended;
    console.log(`\nThe shell was there after ${seconds} s; the guest powered off, exit status ${status}.`);
    return status ?? 1;
  } finally {
    files.remove();
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(`demo: ${messageOf(error)}`);
  process.exitCode = 1;
}
