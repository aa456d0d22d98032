/**
 * Builds a complete Debian on a bootable disk, without mounts on the host: mmdebstrap installs it (in user and mount
 * namespaces of its own, or as root), mke2fs fills the partition from its folder, and GRUB goes in front. Root is logged
 * in on the first serial port. Timers that would start work of their own at the first boot are masked.
 *
 * From a shell: `node test/tools/debian-disk.ts OUT.img [PACKAGE...]`.
 */

import { spawn } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { messageOf, QemuError } from "../../core/errors.ts";
import { makeAtomically } from "./cache.ts";
import { mirror, type Progress, SUITE } from "./debian.ts";
import { createDisk, installGrub, PARTITION_START } from "./disk-image.ts";
import { packageFile } from "./packages.ts";

export interface DebianDiskOptions {
  readonly output: string;
  /** Packages beside those that every Debian has. */
  readonly packages?: readonly string[];
  /** More files, by path without the leading slash; they are executable. */
  readonly files?: Readonly<Record<string, string>>;
  readonly sizeMib?: number;
  readonly progress?: Progress;
}

const BASE = ["systemd-sysv", "dbus", "linux-image-cloud-amd64"];
const MASKED =
  "apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer logrotate.timer";

const GRUB_CONFIG = `serial --unit=0 --speed=115200
terminal_output serial console
set timeout=0
menuentry "Debian" {
  linux /vmlinuz root=/dev/sda1 rw console=ttyS0
  initrd /initrd.img
}
`;

const LOGIN = `[Service]
ExecStart=
ExecStart=-/sbin/agetty --autologin root --noclear --keep-baud 115200 %I linux
`;

/** Fills the partition with the installed system, $1. The binding leaves out what is mounted inside it. */
function hook(files: string, image: string, kib: number): string {
  return `#!/bin/sh
set -e
root=$1
cp -r ${files}/. "$root/"
chroot "$root" passwd -d root >/dev/null
chroot "$root" systemctl mask ${MASKED} 2>/dev/null
echo debian >"$root/etc/hostname"
echo '/dev/sda1 / ext4 defaults 0 1' >"$root/etc/fstab"
rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/*
bound=$root.bound
mkdir "$bound"
mount --bind "$root" "$bound"
status=0
mke2fs -q -F -t ext4 -L root -E offset=${PARTITION_START},root_owner=0:0 -d "$bound" ${image} ${kib}k || status=1
umount "$bound"
rmdir "$bound"
exit $status
`;
}

/** Runs mmdebstrap; its last lines are the error. */
function install(program: string, args: readonly string[], folder: string): Promise<void> {
  const path = `${process.env.PATH}:/usr/sbin:/sbin`;
  const child = spawn(program, args, {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, PATH: path, LC_ALL: "C", TMPDIR: folder },
  });
  let errors = "";
  child.stderr.on("data", (data) => (errors = (errors + data).slice(-2000)));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (status) => {
      if (status === 0) return resolve();
      const reason = errors.trim().split("\n").slice(-3).join("; ");
      reject(
        new QemuError("debian-disk", `mmdebstrap: ${reason}`, {
          hint: "it needs root rights, or user namespaces and the Debian package 'uidmap' with an entry for the user in /etc/subuid and /etc/subgid",
        }),
      );
    });
  });
}

/** Makes the disk; an old one is replaced in one step. */
export async function buildDebianDisk(options: DebianDiskOptions): Promise<void> {
  const { output, packages = [], files = {}, sizeMib = 2048, progress = () => {} } = options;
  const program = await packageFile("mmdebstrap", "usr/bin/mmdebstrap");
  const folder = await mkdtemp(join(tmpdir(), "qemu-next-debian-"));
  try {
    const all = {
      ...files,
      "boot/grub/grub.cfg": GRUB_CONFIG,
      "etc/systemd/system/serial-getty@ttyS0.service.d/autologin.conf": LOGIN,
    };
    for (const [path, text] of Object.entries(all)) {
      const file = join(folder, "files", path);
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, text, { mode: Object.hasOwn(files, path) ? 0o755 : 0o644 });
    }
    await makeAtomically(output, async (image) => {
      await createDisk(image, sizeMib);
      const script = join(folder, "fill.sh");
      await writeFile(script, hook(join(folder, "files"), image, (sizeMib - 1) * 1024), { mode: 0o755 });
      const include = `--include=${[...BASE, ...packages].join(",")}`;
      progress(`installing Debian ${SUITE} with ${packages.join(", ") || "nothing more"}; this takes minutes`);
      const how = ["--mode=auto", "--variant=important", "--format=null", include, `--customize-hook=${script} "$1"`];
      await install(program, [...how, SUITE, "-", await mirror()], folder);
      await installGrub(image, sizeMib);
    });
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function main([output, ...packages]: readonly string[]): Promise<void> {
  if (output === undefined) throw new QemuError("usage", "usage: node test/tools/debian-disk.ts OUT.img [PACKAGE...]");
  await buildDebianDisk({ output, packages, progress: console.log });
  console.log(`${output} boots Debian ${SUITE}`);
}

if (import.meta.main) {
  main(process.argv.slice(2)).catch((error: unknown) => {
    console.error(messageOf(error));
    if (error instanceof QemuError && error.hint) console.error(`hint: ${error.hint}`);
    process.exitCode = 1;
  });
}
