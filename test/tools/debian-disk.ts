/**
 * Builds a complete Debian on a bootable disk, without root rights: mmdebstrap installs it in a user and a mount
 * namespace, mke2fs fills the partition from its folder, and GRUB goes in front. Root is logged in on the first serial
 * port. Timers that would start work of their own at the first boot are masked.
 *
 * The namespace knows one user only, to whom it is root; fakeroot remembers all other owners, and the file system gets
 * them from there. What mmdebstrap would mount afresh (a devpts with a group that the namespace lacks, a proc for which
 * it has no rights) is bound from the host instead.
 *
 * From a shell: `node test/tools/debian-disk.ts OUT.img [PACKAGE...]`.
 */

import { spawn } from "node:child_process";
import { copyFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
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

/** Before packages are unpacked: fakeroot's library, where those who run inside find it too. $1 is the new root. */
const SETUP = (library: string): string => `#!/bin/sh
set -e
mkdir -p "$(dirname "$1${library}")"
cp ${library} "$1${library}"
`;

/** Before they are configured. */
const MOUNT = `#!/bin/sh
set -e
for name in dev proc sys; do
  mkdir -p "$1/$name"
  mount --rbind /$name "$1/$name"
done
`;

/** When all is installed: the last files, and into the partition. */
const FILL = (folder: string, image: string, kib: number): string => `#!/bin/sh
set -e
cp -r ${folder}/files/. "$1/"
chroot "$1" passwd -d root >/dev/null
chroot "$1" systemctl mask ${MASKED} 2>/dev/null
for name in dev proc sys; do umount -l "$1/$name"; done
echo debian >"$1/etc/hostname"
echo '/dev/sda1 / ext4 defaults 0 1' >"$1/etc/fstab"
rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/* "$1${folder}"
mke2fs -q -F -t ext4 -E offset=${PARTITION_START},root_owner=0:0 -d "$1" ${image} ${kib}k
`;

/** Runs mmdebstrap; its last lines are the error. */
async function install(args: readonly string[], folder: string, library: string): Promise<void> {
  const fakeroot = await packageFile("mmdebstrap", "usr/bin/fakeroot-sysv");
  const daemon = await packageFile("mmdebstrap", "usr/bin/faked-sysv");
  const program = await packageFile("mmdebstrap", "usr/bin/mmdebstrap");
  const command = [fakeroot, "--lib", library, "--faked", daemon, "--", program, ...args];
  const child = spawn("unshare", ["--map-root-user", "--mount", ...command], {
    stdio: ["ignore", "ignore", "pipe"],
    // Only the fake: the real change of owner fails in a way that fakeroot does not expect.
    env: {
      ...process.env,
      PATH: `${process.env.PATH}:/usr/sbin:/sbin`,
      LC_ALL: "C",
      TMPDIR: folder,
      FAKEROOTDONTTRYCHOWN: "1",
    },
  });
  let errors = "";
  child.stderr.on("data", (data) => (errors = (errors + data).slice(-20000)));
  const status = await new Promise<number | null>((resolve, reject) => child.on("error", reject).on("close", resolve));
  if (status === 0) return;
  // After the error come reports of cleaning up.
  const lines = errors.split("\n").filter((line) => line.trim() !== "" && !/^(I:|rm:|E: rm)/.test(line));
  throw new QemuError("debian-disk", `mmdebstrap: ${lines.slice(-4).join("; ").slice(0, 600)}`, {
    hint: "it needs Debian's apt, perl and e2fsprogs, and a kernel that lets every user make user namespaces",
  });
}

/** Makes the disk; an old one is replaced in one step. */
export async function buildDebianDisk(options: DebianDiskOptions): Promise<void> {
  const { output, packages = [], files = {}, sizeMib = 2048, progress = () => {} } = options;
  const folder = await mkdtemp(join(tmpdir(), "qemu-next-debian-"));
  const put = async (name: string, text: string, mode = 0o755): Promise<string> => {
    const file = join(folder, name);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text, { mode });
    return file;
  };
  try {
    await put("files/boot/grub/grub.cfg", GRUB_CONFIG, 0o644);
    await put("files/etc/systemd/system/serial-getty@ttyS0.service.d/autologin.conf", LOGIN, 0o644);
    for (const [path, text] of Object.entries(files)) await put(join("files", path), text);
    const library = join(folder, "libfakeroot.so");
    await copyFile(await packageFile("mmdebstrap", "usr/lib/*/libfakeroot/libfakeroot-sysv.so"), library);
    await makeAtomically(output, async (image) => {
      await createDisk(image, sizeMib);
      progress(`installing Debian ${SUITE} with ${packages.join(", ") || "nothing more"}; this takes minutes`);
      const args = [
        ...["--mode=root", "--skip=chroot/mount", "--variant=important", "--format=null"],
        ...[`--include=${[...BASE, ...packages].join(",")}`, '--aptopt=APT::Sandbox::User "root"'],
        `--setup-hook=${await put("setup.sh", SETUP(library))} "$1"`,
        `--hook-dir=${await packageFile("mmdebstrap", "usr/share/mmdebstrap/hooks/merged-usr")}`,
        `--extract-hook=${await put("mount.sh", MOUNT)} "$1"`,
        `--customize-hook=${await put("fill.sh", FILL(folder, image, (sizeMib - 1) * 1024))} "$1"`,
      ];
      await install([...args, SUITE, "-", await mirror()], folder, library);
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
