/**
 * Builds a bootable disk without root rights and without mounts: GRUB's boot.img and core.img in the master boot record
 * and the gap behind it, and one ext4 partition with kernel, initramfs, busybox and an /sbin/init that runs a script
 * (the guest powers off after it) or a shell. The file is sparse.
 *
 * From a shell: `node test/tools/disk-image.ts OUT.img [SCRIPT-TEXT]`.
 */

import { execFile } from "node:child_process";
import { chmod, copyFile, mkdir, mkdtemp, open, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { messageOf, QemuError } from "../../core/errors.ts";
import { makeAtomically } from "./cache.ts";
import { APPLETS, buildInitramfs } from "./initramfs.ts";
import { fetchPackages, linuxFiles, packageFile } from "./packages.ts";

export interface DiskImageOptions {
  readonly output: string;
  /** Shell commands that /sbin/init runs; the guest then powers off. Without it the console gets a shell. */
  readonly script?: string;
  readonly sizeMib?: number;
}

const MIB = 2 ** 20;
const SECTOR = 512;
/** Where the one partition begins, in bytes. */
export const PARTITION_START = MIB;
const BOOT_CODE_SIZE = 440;
const PARTITION_ENTRY = 446;
const DISK_SIGNATURE = 0x716e_7874;
const FILE_SYSTEM_UUID = "71656d75-6e65-7874-2d72-6f6f74667331";
const LINUX_PARTITION = 0x83;
const GRUB_MODULES =
  "biosdisk part_msdos ext2 normal configfile linux serial terminal echo ls cat halt reboot test sleep";

const GRUB_CONFIG = `serial --unit=0 --speed=115200
terminal_input serial console
terminal_output serial console
set timeout=2
menuentry "Debian kernel, busybox root" {
  linux /boot/vmlinuz root=/dev/sda1 console=ttyS0 quiet
  initrd /boot/initrd
}
`;

/** The end of the initramfs's /init: finds the root partition, and hands over to it. */
const FIND_ROOT = `root=$(sed 's/.*root=\\([^ ]*\\).*/\\1/' /proc/cmdline)
tries=0
while [ ! -b $root ] && [ $tries -lt 100 ]; do sleep 0.1; tries=$((tries + 1)); done
mount -t ext4 $root /mnt || exec sh
mount -o move /dev /mnt/dev
mount -o move /proc /mnt/proc
mount -o move /sys /mnt/sys
exec switch_root /mnt /sbin/init
`;

const INIT = (script: string | undefined): string => `#!/bin/sh
export PATH=/bin:/sbin HOME=/root TERM=vt100
mount -o remount,rw /
${script ?? "setsid cttyhack sh"}
sync
mount -o remount,ro /
poweroff -f
`;

const run = promisify(execFile);

/** Runs a tool of the host's; what it says on failure is the error. */
export async function tool(
  file: string,
  args: readonly string[],
  debianPackage: string,
  env: NodeJS.ProcessEnv = {},
): Promise<Buffer> {
  // Debian keeps the file system tools out of an ordinary user's search path.
  const path = `${process.env.PATH}:/usr/sbin:/sbin`;
  try {
    const options = {
      env: { ...process.env, PATH: path, LC_ALL: "C", ...env },
      encoding: "buffer",
      maxBuffer: 64 * MIB,
    } as const;
    return (await run(file, [...args], options)).stdout;
  } catch (cause) {
    const { code, stderr } = cause as NodeJS.ErrnoException & { stderr?: Buffer };
    const missing = code === "ENOENT";
    throw new QemuError("disk-image", missing ? `'${file}' was not found` : `${file}: ${stderr ?? messageOf(cause)}`, {
      cause,
      hint: missing ? `it is in the Debian package '${debianPackage}'` : undefined,
    });
  }
}

/** core.img: GRUB with all modules it needs, looking for its configuration on the first partition. */
async function makeCore(folder: string): Promise<{ boot: Uint8Array; core: Uint8Array }> {
  const packages = await fetchPackages("grub");
  const libraries = packages.flatMap(({ root }) => [
    join(root, "lib/x86_64-linux-gnu"),
    join(root, "usr/lib/x86_64-linux-gnu"),
  ]);
  const modules = await packageFile("grub", "usr/lib/grub/i386-pc");
  const output = join(folder, "core.img");
  const mkimage = await packageFile("grub", "usr/bin/grub-mkimage");
  const args = [
    "-O",
    "i386-pc",
    "-d",
    modules,
    "-p",
    "(hd0,msdos1)/boot/grub",
    "-o",
    output,
    ...GRUB_MODULES.split(" "),
  ];
  await tool(mkimage, args, "grub-common", { LD_LIBRARY_PATH: libraries.join(":") });
  return { boot: await readFile(join(modules, "boot.img")), core: await readFile(output) };
}

/** The files of the partition. */
async function makeRoot(folder: string, script: string | undefined): Promise<void> {
  const { kernel, busybox, modules } = await linuxFiles("amd64");
  for (const name of ["boot/grub", "bin", "sbin", "dev", "proc", "sys", "root", "tmp", "etc", "var"]) {
    await mkdir(join(folder, name), { recursive: true });
  }
  await copyFile(kernel, join(folder, "boot/vmlinuz"));
  const initramfs = buildInitramfs({
    busybox,
    handOver: FIND_ROOT,
    modules: { directory: modules, names: ["ata_piix", "sd_mod", "ext4"] },
  });
  await writeFile(join(folder, "boot/initrd"), initramfs);
  await writeFile(join(folder, "boot/grub/grub.cfg"), GRUB_CONFIG);
  await copyFile(busybox, join(folder, "bin/busybox"));
  await chmod(join(folder, "bin/busybox"), 0o755);
  for (const name of APPLETS.split(" ")) await symlink("busybox", join(folder, "bin", name));
  await writeFile(join(folder, "sbin/init"), INIT(script), { mode: 0o755 });
}

/** The first sector: GRUB's code, a signature and one active partition from 1 MiB to the end. */
function masterBootRecord(boot: Uint8Array, diskSize: number): Uint8Array {
  const sector = new Uint8Array(SECTOR);
  const view = new DataView(sector.buffer);
  sector.set(boot.subarray(0, BOOT_CODE_SIZE));
  view.setUint32(BOOT_CODE_SIZE, DISK_SIGNATURE, true);
  const OUT_OF_RANGE = [0xfe, 0xff, 0xff] as const;
  sector.set([0x80, ...OUT_OF_RANGE, LINUX_PARTITION, ...OUT_OF_RANGE], PARTITION_ENTRY);
  view.setUint32(PARTITION_ENTRY + 8, PARTITION_START / SECTOR, true);
  view.setUint32(PARTITION_ENTRY + 12, (diskSize - PARTITION_START) / SECTOR, true);
  view.setUint16(510, 0xaa55, true);
  return sector;
}

/** Makes a file, to its size, for a disk with one partition, which `mke2fs -E offset` can fill. */
export async function createDisk(file: string, sizeMib: number): Promise<void> {
  const image = await open(file, "w");
  await image.truncate(sizeMib * MIB);
  await image.close();
}

/** Makes a disk bootable: partition table, GRUB's first sector, and GRUB before the partition. */
export async function installGrub(file: string, sizeMib: number): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "qemu-next-grub-"));
  try {
    const { boot, core } = await makeCore(folder);
    if (core.length > PARTITION_START - SECTOR)
      throw new QemuError("disk-image", "GRUB does not fit before the partition");
    const disk = await open(file, "r+");
    await disk.write(masterBootRecord(boot, sizeMib * MIB), 0, SECTOR, 0);
    await disk.write(core, 0, core.length, SECTOR);
    await disk.close();
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Makes the disk; an old one is replaced in one step. */
export async function buildDiskImage({ output, script, sizeMib = 128 }: DiskImageOptions): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "qemu-next-disk-"));
  try {
    const root = join(folder, "root");
    await makeRoot(root, script);
    await makeAtomically(output, async (file) => {
      await createDisk(file, sizeMib);
      const features = ["-t", "ext4", "-O", "^metadata_csum,^64bit", "-U", FILE_SYSTEM_UUID];
      const place = ["-E", `offset=${PARTITION_START},root_owner=0:0`];
      const blocks = `${(sizeMib - 1) * 1024}k`;
      await tool("mke2fs", ["-q", "-F", ...features, ...place, "-d", root, file, blocks], "e2fsprogs");
      await installGrub(file, sizeMib);
    });
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** A file of the disk's partition, read from the host; undefined when it is not there. */
export async function readDiskFile(image: string, path: string): Promise<Uint8Array | undefined> {
  const source = `${image}?offset=${PARTITION_START}`;
  const listing = await tool("debugfs", ["-R", `stat ${path}`, source], "e2fsprogs");
  if (!listing.includes("Inode:")) return undefined;
  return new Uint8Array(await tool("debugfs", ["-R", `cat ${path}`, source], "e2fsprogs"));
}

async function main([output, script]: readonly string[]): Promise<void> {
  if (output === undefined) throw new QemuError("usage", "usage: node test/tools/disk-image.ts OUT.img [SCRIPT-TEXT]");
  await buildDiskImage({ output, script });
  console.log(`${output} boots GRUB, a Debian kernel and busybox`);
}

if (import.meta.main) {
  main(process.argv.slice(2)).catch((error: unknown) => {
    console.error(messageOf(error));
    if (error instanceof QemuError && error.hint) console.error(`hint: ${error.hint}`);
    process.exitCode = 1;
  });
}
