/**
 * The benchmark: `npm run bench`. Boots Debian's kernel with busybox to its shell, runs a shell loop there, lets
 * the guest idle, and powers it off; runs a loop of plain arithmetic on the bare machine; prints a table with the targets. Numbers depend on the machine; compare within one.
 */

import { mkdtempSync, readFileSync, rmSync, watch, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { messageOf } from "../core/errors.ts";
import { assemble } from "./tools/asm.ts";
import { linuxOptions, scratch, startGuest } from "./tools/guest.ts";

const TICKS_PER_SECOND = 100;
const GUEST_MIB = 256;
const IDLE_SECONDS = 10;
const LOOP_COUNT = 20_000;

interface Row {
  readonly what: string;
  readonly value: string;
  readonly target: string;
}

/** CPU seconds a process has used. */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

function residentMib(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]) / 1024;
}

const pause = (seconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

/** Milliseconds from the start of the process to the firmware's first byte on its debug port; the best of three. */
async function firstBiosByte(): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), "qemu-next-bench-"));
  const times: number[] = [];
  for (let round = 0; round < 3; round++) {
    const file = join(directory, `bios${round}.log`);
    const started = performance.now();
    const arrived = new Promise<number>((resolve) => {
      const watcher = watch(directory, (_, name) => {
        if (name !== `bios${round}.log` || readFileSync(file).length === 0) return;
        watcher.close();
        resolve(performance.now() - started);
      });
    });
    const options = ["-display", "none", "-debugcon", `file:${file}`, "-global", "isa-debugcon.iobase=0x402"];
    const guest = await startGuest(...options);
    times.push(await arrived);
    guest.child.kill("SIGTERM");
    await guest.ended;
  }
  rmSync(directory, { recursive: true });
  return Math.min(...times);
}

const BIOS_SIZE = 0x10000;
const LOOP_ROUNDS = 150_000_000;
const LOOP_INSTRUCTIONS = 5;

/** A loop of loads, stores and arithmetic in flat 32-bit code, as a firmware image that ends the program when done. */
function loopImage(): Uint8Array {
  const { bytes } = assemble(`
    bits 16
    org 0xf0000
    start: cli
    lgdt [cs:gdtr - start]
    mov eax, cr0
    or eax, 1
    mov cr0, eax
    jmp dword 0x08:protected
    bits 32
    protected: mov ax, 0x10
    mov ds, ax
    mov ss, ax
    mov es, ax
    mov ecx, ${LOOP_ROUNDS}
    again: mov eax, [0x8000]
    add eax, ecx
    mov [0x8000], eax
    dec ecx
    jnz again
    mov dx, 0x501
    xor eax, eax
    out dx, al
    stop: hlt
    jmp stop
    align 8
    gdt: dq 0, 0x00cf9a000000ffff, 0x00cf92000000ffff
    gdtr: dw 0x17
    dd gdt
  `);
  const image = new Uint8Array(BIOS_SIZE);
  image.set(bytes);
  image.set([0xea, 0x00, 0x00, 0x00, 0xf0], 0xfff0);
  return image;
}

/** Millions of instructions a second in a loop that fits any cache; the best of three. */
async function integerLoop(): Promise<number> {
  const files = scratch();
  const bios = files.path("loop.bin");
  const log = files.path("stats.log");
  writeFileSync(bios, loopImage());
  let best = 0;
  for (let round = 0; round < 3; round++) {
    const started = performance.now();
    const exit = ["-device", "isa-debug-exit"];
    const guest = await startGuest("-bios", bios, "-display", "none", "-m", "16", ...exit, "-d", "stats", "-D", log);
    await guest.ended;
    const seconds = (performance.now() - started) / 1000;
    best = Math.max(best, (LOOP_ROUNDS * LOOP_INSTRUCTIONS) / seconds / 1e6);
  }
  files.remove();
  return best;
}

async function linux(): Promise<Row[]> {
  const files = scratch();
  const log = files.path("stats.log");
  const guest = await startGuest(
    ...(await linuxOptions("amd64", files.path("initramfs.cpio"))),
    ...["-m", String(GUEST_MIB), "-d", "stats", "-D", log],
  );
  const pid = guest.child.pid!;
  const started = performance.now();
  const since = (from: number): number => (performance.now() - from) / 1000;
  await guest.expect("Run /init", 120_000);
  const init = since(started);
  await guest.expect("# ", 120_000);
  const shell = since(started);
  const bootCpu = cpuSeconds(pid);
  guest.type(`i=0; while [ $i -lt ${LOOP_COUNT} ]; do i=$((i + 1)); done; echo COUNT''ED\n`);
  const loopStarted = performance.now();
  await guest.expect("COUNTED", 120_000);
  const loop = since(loopStarted);
  await pause(1);
  const before = cpuSeconds(pid);
  await pause(IDLE_SECONDS);
  const idle = ((cpuSeconds(pid) - before) / IDLE_SECONDS) * 100;
  const resident = residentMib(pid);
  const busy = cpuSeconds(pid);
  guest.type("poweroff -f\n");
  const { status } = await guest.ended;
  const stats = readFileSync(log, "utf8");
  const instructions = Number(/instructions\s+(\d+)/.exec(stats)![1]);
  files.remove();
  return [
    { what: "start to /init", value: `${init.toFixed(1)} s`, target: "25 s" },
    { what: "start to shell", value: `${shell.toFixed(1)} s`, target: "" },
    { what: "CPU time to shell", value: `${bootCpu.toFixed(1)} s`, target: "" },
    { what: `shell loop of ${LOOP_COUNT}`, value: `${loop.toFixed(2)} s`, target: "" },
    { what: "guest instructions", value: `${(instructions / 1e6).toFixed(0)} million`, target: "" },
    { what: "instructions per CPU second", value: `${(instructions / 1e6 / busy).toFixed(0)} MIPS`, target: "60 MIPS" },
    { what: "CPU of an idle guest", value: `${idle.toFixed(1)} %`, target: "2 %" },
    {
      what: `memory above ${GUEST_MIB} MiB of guest RAM`,
      value: `${(resident - GUEST_MIB).toFixed(0)} MiB`,
      target: "250 MiB",
    },
    { what: "exit status", value: String(status), target: "0" },
  ];
}

try {
  const first = {
    what: "start to first BIOS byte",
    value: `${(await firstBiosByte()).toFixed(0)} ms`,
    target: "400 ms",
  };
  const loop = { what: "small integer loop", value: `${(await integerLoop()).toFixed(0)} MIPS`, target: "150 MIPS" };
  const rows = [first, loop, ...(await linux())];
  console.log(`| what | measured | target |\n|---|---|---|`);
  for (const { what, value, target } of rows) console.log(`| ${what} | ${value} | ${target} |`);
} catch (error) {
  console.error(`bench: ${messageOf(error)}`);
  process.exitCode = 1;
}
