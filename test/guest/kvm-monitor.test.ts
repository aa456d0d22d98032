// @timeout 240
/**
 * The monitor and a vCPU that is in the kernel: thousands of commands to guests that halt, compute, or do nothing but
 * accesses. None may hang or be lost, and each is answered within 50 ms, not counting the times without a CPU on a busy
 * host, or on one that is a virtual machine of a busy host.
 */

import { writeFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Conversation, endConversations } from "../tools/conversation.ts";
import { firmwareImage, OPEN_FS, OPEN_FS_TABLE } from "../tools/firmware.ts";
import { ended, PROGRAM, scratch } from "../tools/guest.ts";
import { whereKvm } from "../tools/kvm.ts";
import { runDelay, stolenTime } from "../tools/run-delay.ts";

const files = scratch();
/** A word for each CPU. */
const COUNTER = 0x500;
const ROUNDS = 100;
/** Every so many rounds it is looked at whether the guest runs and stands still when it should. */
const LOOK = 25;
const LIMIT_MS = 50;
const PATIENCE_MS = 20_000;

const count = (cpu = 0): string => `inc dword [${COUNTER + 4 * cpu}]`;
/** The first CPU starts the second, which begins at the start of the firmware too. */
const TWO = `mov ecx, 0x1b
  rdmsr
  test ah, 1
  je second
  ${OPEN_FS}
  mov ebx, 0xfee00300
  mov dword [fs:ebx], 0xc4500
  mov cx, 1000
  later: in al, 0x80
  dec cx
  jne later
  mov dword [fs:ebx], 0xc46f0
  again: ${count()}
  jmp again
  second: ${count(1)}
  jmp second
  ${OPEN_FS_TABLE}`;
const GUESTS: Readonly<Record<string, string>> = {
  halts: "again: hlt\njmp again",
  computes: `again: ${count()}\njmp again`,
  "reads a port": `again: in al, 0x61\n${count()}\njmp again`,
  "reads a register in memory": `mov ax, 0xa000\nmov es, ax\nagain: mov al, [es:0]\n${count()}\njmp again`,
  "computes on two CPUs": TWO,
};

function firmware(name: string): string {
  const image = firmwareImage(`cli
    xor ax, ax
    mov ds, ax
    mov ss, ax
    mov sp, 0x7000
    mov word [8], on_nmi
    mov word [10], 0xf000
    ${GUESTS[name]}
    on_nmi: ${count()}
    iretw`);
  const file = files.path("firmware.bin");
  writeFileSync(file, image);
  return file;
}

class Monitor {
  readonly guest: Conversation;
  /** Milliseconds of each command: by the clock, and without the times when threads waited for a CPU. */
  readonly times: { wall: number; net: number }[] = [];

  constructor(guest: Conversation) {
    this.guest = guest;
  }

  async command(line: string): Promise<string> {
    const { guest } = this;
    const waited = (): number => runDelay(guest.child.pid!) + runDelay(process.pid) + stolenTime();
    const before = waited();
    const from = guest.stdout.length;
    const started = performance.now();
    guest.type(`${line}\n`);
    await guest.expect("(qemu) ", PATIENCE_MS);
    const wall = performance.now() - started;
    this.times.push({ wall, net: wall - (waited() - before) });
    return guest.stdout.slice(from);
  }

  async counters(cpus: number): Promise<string[]> {
    return [...(await this.command(`xp/${cpus}xw ${COUNTER}`)).matchAll(/ (0x\w{8})\b/g)].map(([, word]) => word);
  }

  /** Waits until no counter is what it was. */
  async moved(old: readonly string[]): Promise<void> {
    const deadline = Date.now() + PATIENCE_MS;
    const still = async (): Promise<boolean> =>
      (await this.counters(old.length)).some((word, cpu) => word === old[cpu]);
    while (await still()) assert.ok(Date.now() < deadline, "the guest does not go on");
  }

  /** The median and the longest. */
  summary(): string {
    const sorted = this.times.map(({ wall }) => wall).sort((a, b) => a - b);
    const [median, longest] = [sorted[sorted.length >> 1], sorted.at(-1)!];
    return `${sorted.length} commands, median ${median.toFixed(1)} ms, longest ${longest.toFixed(1)} ms`;
  }
}

await whereKvm(() => {
  const check = (name: string, accelerator: string): void => {
    test(`a guest that ${name}, with ${accelerator}`, async () => {
      const options = ["-nodefaults", "-display", "none", "-m", "16", "-device", "VGA", "-monitor", "stdio"];
      const cpus = GUESTS[name] === TWO ? 2 : 1;
      const args = [PROGRAM, "-accel", accelerator, ...options, "-bios", firmware(name), "-smp", String(cpus)];
      const monitor = new Monitor(new Conversation(process.execPath, args));
      await monitor.guest.expect("(qemu) ", PATIENCE_MS);
      // The prompt is there before the machine is.
      await monitor.command("info status");
      monitor.times.length = 0;
      for (let round = 1; round <= ROUNDS; round++) {
        await monitor.command("stop");
        if (round % LOOK === 0) {
          const old = await monitor.counters(cpus);
          assert.is(old.length, cpus);
          assert.match(await monitor.command("info status"), /VM status: paused/);
          assert.equal(await monitor.counters(cpus), old);
          await monitor.command("cont");
          if (name === "halts") await monitor.command("nmi");
          await monitor.moved(old);
        } else await monitor.command("cont");
        await monitor.command("info registers");
        await monitor.command("system_reset");
      }
      monitor.guest.type("quit\n");
      assert.is((await ended(monitor.guest, 20)).status, 0);
      process.stdout.write(`${name}, ${accelerator}: ${monitor.summary()}\n`);
      const slow = monitor.times.filter(({ net }) => net > LIMIT_MS);
      assert.equal(slow, []);
    });
  };
  for (const name of Object.keys(GUESTS)) check(name, "kvm");
  check("computes on two CPUs", "kvm,kernel-irqchip=on");
});

test.after(() => {
  endConversations();
  files.remove();
});
test.run();
