/**
 * Guest (f): a complete Debian with systemd from a disk, through SeaBIOS and GRUB, to root's shell on the serial port,
 * where the host types a command that does the work, and off again.
 */

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { cachePath, exists, withLock } from "../tools/cache.ts";
import { buildDebianDisk } from "../tools/debian-disk.ts";
import { type Guest, type Measured, timesOf } from "./guest.ts";
import { watch } from "./watch.ts";

const RAM_MIB = 512;
const PROMPT = "root@debian:~# ";
const PACKAGES = ["openssl", "stress-ng"];
const ALGORITHMS = ["sha256", "aes-128-cbc"];
const OPENSSL_BLOCK = 8192;
const OPENSSL_BYTES = 100e6;

/** `openssl speed` works for three seconds, and says how many blocks it got through; the host takes the time. */
const WORK = `#!/bin/sh
for algorithm in ${ALGORITHMS.join(" ")}; do
  echo @@ begin $algorithm
  blocks=$(openssl speed -elapsed -seconds 3 -bytes ${OPENSSL_BLOCK} $algorithm 2>&1 |
    sed -n 's/^Doing .* blocks: \\([0-9]*\\) .*/\\1/p')
  echo @@ end $algorithm $blocks
done
echo @@ begin stress-ng
stress-ng --cpu 1 --cpu-ops 50 --verify --quiet && echo @@ end stress-ng
echo @@ at power-off
poweroff
`;

/** A rate becomes the time for a fixed amount, so that smaller is better as in all other rows. */
export function perAmount({ row, value, check, error }: Measured): Measured {
  const name = `${row}, 100 MB`;
  const blocks = Number(check);
  if (value === undefined || !(blocks > 0)) return { row: name, unit: "s", error: error ?? "openssl gave no count" };
  return { row: name, unit: "s", value: (value * OPENSSL_BYTES) / OPENSSL_BLOCK / blocks };
}

async function disk(progress: (line: string) => void): Promise<string> {
  const tool = readFileSync(join(import.meta.dirname, "../tools/debian-disk.ts"));
  const hash = createHash("sha256").update(tool).update(WORK).update(PACKAGES.join()).digest("hex").slice(0, 16);
  const output = cachePath("bench", `debian-${hash}.img`);
  await withLock("debian-disk", async () => {
    if (!(await exists(output))) {
      await buildDebianDisk({ output, packages: PACKAGES, files: { "usr/local/bin/work": WORK }, progress });
    }
  });
  return output;
}

export const debianDisk: Guest = {
  id: "f",
  title: "Debian 12 with systemd, from a disk",
  onV86: false,
  async prepare({ progress }) {
    const image = await disk(progress);
    const options = [
      ...["-m", String(RAM_MIB), "-display", "none", "-serial", "stdio", "-monitor", "none", "-no-reboot"],
      ...["-nic", "none", "-snapshot", "-drive", `file=${image},format=raw`],
    ];
    return async (emulator) => {
      let typed: number | undefined;
      const watched = await watch(emulator.command(options), {
        seconds: 900,
        answers: [{ when: PROMPT, type: "work\n" }],
        onAnswer: (at) => (typed = at),
      });
      const times = timesOf(watched, ["shell", ...ALGORITHMS, "stress-ng", "power-off"]);
      return times.map((measured): Measured => {
        const { row, value } = measured;
        if (row === "shell") return typed === undefined ? measured : { row, unit: "s", value: typed };
        if (ALGORITHMS.includes(row)) return perAmount(measured);
        if (row !== "power-off" || value === undefined) return measured;
        if (watched.problem || watched.status !== 0)
          return { row, unit: "s", error: watched.problem ?? watched.lastWord };
        return { row, unit: "s", value: watched.seconds - value };
      });
    };
  },
};
