/** What the comparison under KVM runs: each row is a guest, and how far it came on one emulator. */

import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { inOrder, smpImage, smpOptions, smpReport } from "../guest/programs/smp.ts";
import { SMP_MODES, type SmpProgram } from "../guest/programs/smp-library.ts";
import type { Conversation } from "../tools/conversation.ts";
import { buildInitramfs } from "../tools/initramfs.ts";
import { linuxFiles, packageFile } from "../tools/packages.ts";
import { withTimeout } from "../tools/with-timeout.ts";

export interface Outcome {
  readonly reached: boolean;
  /** From the start of the process to what was to be reached, or to the end of the attempt. */
  readonly seconds: number;
  /** How far it came, or why no farther. */
  readonly note: string;
}

/** Starts an emulator with KVM and QEMU's options. */
export type Start = (args: readonly string[]) => Conversation;

export interface Row {
  readonly group: string;
  readonly title: string;
  /** The time limit. */
  readonly seconds: number;
  /** The end of the guest's output is what it came to, not a failure. */
  readonly progress?: boolean;
  run(start: Start, seconds: number): Promise<Outcome>;
}

const QUIET = ["-display", "none", "-nic", "none"];
const BIOS_LOG = ["-debugcon", "stdio", "-global", "isa-debugcon.iobase=0x402"];
const EXIT = ["-device", "isa-debug-exit,iobase=0xf4,iosize=4"];
const SMP_CPUS = [1, 2, 4];
const SMP_ROUNDS = 20;
const LONGEST_NOTE = 100;

/** The line that says most: an error of the emulator that is no warning, or the last of the guest. */
function lastWord({ stderr, stdout }: Conversation): string {
  const lines = (text: string): string[] => text.split(/[\r\n]+/).filter((line) => line.trim() !== "");
  const error = lines(stderr).find((line) => !/warning:|^\s+at /.test(line));
  return (error ?? lines(stdout).at(-1) ?? "nothing came").trim().slice(0, LONGEST_NOTE);
}

/** Runs a guest until `until` resolves, which has to reject when the guest did not get there; then ends it. */
async function timed(guest: Conversation, until: (guest: Conversation) => Promise<void>): Promise<Outcome> {
  const started = performance.now();
  const seconds = (): number => (performance.now() - started) / 1000;
  try {
    await until(guest);
    return { reached: true, seconds: seconds(), note: "" };
  } catch {
    return { reached: false, seconds: seconds(), note: lastWord(guest) };
  } finally {
    guest.child.kill("SIGKILL");
    await guest.ended;
  }
}

async function endsWith(guest: Conversation, status: number, seconds: number): Promise<void> {
  const end = await withTimeout("the guest's end", seconds * 1000, guest.ended);
  if (end.status !== status) throw new Error(`status ${end.status}`);
}

const bios: Row = {
  group: "bios",
  title: "SeaBIOS, nothing to boot",
  seconds: 60,
  run: (start, seconds) =>
    timed(start([...QUIET, "-m", "32", "-serial", "null", "-monitor", "none", ...BIOS_LOG]), (guest) =>
      guest.expect("No bootable device", seconds * 1000),
    ),
};

const sector = (path: (name: string) => string): Row => ({
  group: "bios",
  title: "SeaBIOS to a boot sector",
  seconds: 60,
  run(start, seconds) {
    const disk = path("sector.img");
    const image = new Uint8Array(1 << 20);
    image.set([0xb0, 20, 0xe6, 0xf4, 0xf4]); // mov al, 20; out 0xf4, al; hlt
    image.set([0x55, 0xaa], 510);
    writeFileSync(disk, image);
    const options = ["-m", "32", "-serial", "null", "-monitor", "none", "-drive", `file=${disk},format=raw`];
    return timed(start([...QUIET, ...options, ...EXIT]), (guest) => endsWith(guest, 41, seconds));
  },
});

/** The text of the screen, read through the monitor. */
async function screen(guest: Conversation): Promise<string> {
  const from = guest.stdout.length;
  guest.type("xp/2000xh 0xb8000\n");
  await guest.expect("(qemu) ");
  const cells = guest.stdout.slice(from).matchAll(/0x([0-9a-f]{4})\b/g);
  return [...cells].map(([, cell]) => String.fromCharCode(Number.parseInt(cell, 16) & 0xff)).join("");
}

const grub: Row = {
  group: "grub",
  title: "GRUB's rescue CD to its menu",
  seconds: 90,
  async run(start, seconds) {
    const iso = await packageFile("grub-rescue", "usr/lib/grub-rescue/grub-rescue-cdrom.iso");
    const options = ["-m", "64", "-serial", "null", "-monitor", "stdio", "-cdrom", iso, "-boot", "d"];
    return timed(start([...QUIET, ...options]), async (guest) => {
      const deadline = Date.now() + seconds * 1000;
      await guest.expect("(qemu) ");
      while (!(await screen(guest)).includes("GNU GRUB")) {
        if (Date.now() > deadline) throw new Error("no menu");
        await new Promise((resolve) => setTimeout(resolve, 500));
      }
    });
  },
};

const smp = (program: SmpProgram, path: (name: string) => string): Row => ({
  group: "smp",
  title: `own guest, ${program.mode} mode, ${program.cpus} CPU${program.cpus > 1 ? "s" : ""}`,
  seconds: 25,
  run(start, seconds) {
    const [image, serial] = [path("smp.bin"), path("smp.txt")];
    writeFileSync(image, smpImage(program));
    rmSync(serial, { force: true });
    return timed(start(smpOptions(program, image, serial)), async (guest) => {
      await endsWith(guest, 1, seconds);
      const { debug, serial: text } = inOrder(guest.stdout, readFileSync(serial, "latin1"));
      const expected = smpReport(program);
      if (debug !== expected.debug || text !== expected.serial) throw new Error("other output");
    });
  },
});

/** How far a kernel came: its lines, and the last one, which begins with its time. */
function kernelProgress({ stdout }: Conversation): string {
  const lines = stdout.split(/[\r\n]+/).filter((line) => line.startsWith("["));
  return `${lines.length} lines to ${lines.at(-1)!.slice(0, LONGEST_NOTE)}`;
}

const linux = (path: (name: string) => string): Row => ({
  group: "linux",
  title: "Debian's amd64 kernel to power off",
  seconds: 120,
  progress: true,
  async run(start, seconds) {
    const { kernel, busybox } = await linuxFiles("amd64");
    const initramfs = path("linux.cpio");
    writeFileSync(initramfs, buildInitramfs({ busybox, script: "uname -a" }));
    const guest = start([
      ...[...QUIET, "-m", "256", "-serial", "stdio", "-monitor", "none", "-no-reboot"],
      ...["-cpu", "host,-cx16,-rdrand", "-kernel", kernel, "-initrd", initramfs],
      ...["-append", "console=ttyS0 nokaslr panic=-1 earlyprintk=ttyS0"],
    ]);
    const outcome = await timed(guest, (running) => endsWith(running, 0, seconds));
    const end = outcome.reached ? "" : /Kernel panic.*/.exec(guest.stdout)?.[0];
    return { ...outcome, note: end ?? (guest.stdout.includes("\n[") ? kernelProgress(guest) : outcome.note) };
  },
});

/** All rows; `path` names files that they may make. */
export function kvmRows(path: (name: string) => string): Row[] {
  const programs = SMP_MODES.flatMap((mode) => SMP_CPUS.map((cpus) => ({ mode, cpus, rounds: SMP_ROUNDS })));
  return [...[bios, sector(path)], ...programs.map((program) => smp(program, path)), ...[grub, linux(path)]];
}
