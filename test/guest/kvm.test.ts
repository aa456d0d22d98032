// @timeout 120
/** Machines under the host's KVM, as far as a host gets that emulates guest code. Skipped where there is no /dev/kvm. */

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { assemble } from "../tools/asm.ts";
import { Conversation, endConversations } from "../tools/conversation.ts";
import { ended, PROGRAM, scratch } from "../tools/guest.ts";
import { whereKvm } from "../tools/kvm.ts";
import { fetchPackages } from "../tools/packages.ts";
import { GuestProgram } from "./programs/builder.ts";

const files = scratch();
const EXIT = ["-device", "isa-debug-exit,iobase=0xf4,iosize=4"];

async function start(...args: string[]): Promise<Conversation> {
  await fetchPackages("firmware");
  return new Conversation(process.execPath, [PROGRAM, ...args]);
}

const real = `mov dx, 0xe9
  mov si, hello - image
  mov cx, 4
  rep outsb`;
const program = new GuestProgram("kvm", "qemu64");
program
  .data('hello: db "ok ", 10')
  .real(real)
  .code("mov eax, [0xfee00030]\nand eax, 0xff\nmov [0x20000], eax")
  .equal("the local APIC's version", "[0x20000]", 0x14)
  .code("mov dword [0xf0000], 0\nmov eax, [0xf0000]\nmov [0x20000], eax\nmov edi, 0x30000\nmov ecx, 0x1000")
  .code("mov eax, 0x55\nrep stosb")
  .equal("bytes in RAM", "[0x30ffc]", 0x55555555)
  .long(() => program.code("mov rax, 0x123456789abcdef0\nshl rax, 4").equal64("64 bits", "rax", 0x23456789abcdef00n));

await whereKvm(() => {
  const modes = async (irqchip: string): Promise<void> => {
    const image = files.path("program.bin");
    writeFileSync(image, program.image());
    const guest = await start(
      ...[
        "-M",
        `pc,accel=kvm,kernel_irqchip=${irqchip}`,
        "-nodefaults",
        "-display",
        "none",
        "-m",
        "16",
        "-bios",
        image,
        "-no-reboot",
      ],
      ...["-debugcon", "stdio", ...EXIT],
    );
    const { stdout, status } = await ended(guest, 20);
    const lines = stdout.trimEnd().split("\n");
    assert.equal([lines.filter((line) => !line.startsWith("ok ")), lines.length, status], [["done"], 5, 1]);
  };
  for (const irqchip of ["off", "on", "split"]) {
    test(`real, protected and long mode, ports and registers; kernel-irqchip=${irqchip}`, () => modes(irqchip));
  }

  test("what a guest has printed comes out when it only computes, and when it ends", async () => {
    const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    const ends = { computes: "jmp $", resets: "mov al, 0xfe\nout 0x64, al\nhlt" };
    for (const [name, end] of Object.entries(ends)) {
      const [image, log] = [files.path(`${name}.bin`), files.path(`${name}.txt`)];
      const { bytes } = assemble(`bits 16
        mov al, 65
        next: out 0xe9, al
        inc al
        cmp al, 91
        jne next
        ${end}`);
      const firmware = new Uint8Array(0x10000);
      firmware.set(bytes);
      firmware.set([0xea, 0, 0, 0, 0xf0], 0xfff0); // jmp f000:0000
      writeFileSync(image, firmware);
      const options = ["-nodefaults", "-display", "none", "-m", "16", "-bios", image, "-debugcon", `file:${log}`];
      const guest = await start("-accel", "kvm", ...options, "-no-reboot", "-monitor", "stdio");
      const printed = (): string => (existsSync(log) ? readFileSync(log, "latin1") : "");
      for (let tries = 0; name === "computes" && printed() !== letters; tries++) {
        assert.ok(tries < 500, printed());
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      if (name === "computes") guest.type("quit\n");
      assert.is((await ended(guest, 20)).status, 0);
      assert.is(printed(), letters);
    }
  });

  test("SeaBIOS finds nothing to boot; the monitor reaches a CPU in the kernel", async () => {
    const log = files.path("bios.log");
    const guest = await start(
      ...[
        "-M",
        "pc,accel=kvm:tcg",
        "-display",
        "none",
        "-serial",
        "null",
        "-monitor",
        "stdio",
        "-m",
        "32",
        "-smp",
        "2",
      ],
      ...["-debugcon", `file:${log}`, "-global", "isa-debugcon.iobase=0x402"],
    );
    await guest.expect("(qemu) ");
    for (let tries = 0; !/No bootable device/.test(readFileSync(log, "latin1")); tries++) {
      assert.ok(tries < 400, readFileSync(log, "latin1"));
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    assert.match(readFileSync(log, "latin1"), /Found 2 cpu/);
    const ask = async (line: string, answer: string): Promise<void> => {
      guest.type(`${line}\n`);
      await guest.expect(answer);
      await guest.expect("(qemu) ");
    };
    await ask("info registers", "CR0=00000010");
    const started = performance.now();
    for (let i = 0; i < 20; i++) {
      await ask("stop", "stop");
      await ask("cont", "cont");
    }
    assert.ok(performance.now() - started < 40 * 100, "100 ms a command at most");
    await ask("x/2i 0xffff0", "jmp");
    await ask("info tlb", "PG disabled");
    await ask("info kvm", "kvm support: enabled");
    await ask("system_reset", "system_reset");
    guest.type("quit\n");
    assert.is((await ended(guest, 20)).status, 0);
  });

  const boots = async (irqchip: string): Promise<void> => {
    const disk = files.path("disk.img");
    const image = new Uint8Array(1 << 20);
    image.set([0xb0, 20, 0xe6, 0xf4, 0xf4]); // mov al, 20; out 0xf4, al; hlt
    image.set([0x55, 0xaa], 510);
    writeFileSync(disk, image);
    const options = ["-display", "none", "-serial", "none", "-monitor", "none", "-boot", "c", "-vga", "none"];
    const guest = await start(
      "-accel",
      `kvm,kernel-irqchip=${irqchip}`,
      ...options,
      "-m",
      "16",
      ...EXIT,
      "-drive",
      `file=${disk},format=raw`,
    );
    const { status, stderr } = await ended(guest, 60);
    assert.is(status, 41, stderr);
  };
  test("SeaBIOS boots a disk with the kernel's interrupt controllers", () => boots("on"));
  test("SeaBIOS boots a disk with the kernel's local APIC", () => boots("split"));
});

test("what cannot be: a message and status 1", async () => {
  const fails = async (message: RegExp, ...args: string[]): Promise<void> => {
    const { status, stderr } = await ended(await start("-display", "none", "-monitor", "none", ...args), 20);
    assert.is(status, 1);
    assert.match(stderr, message);
  };
  await fails(/Parameter .kernel-irqchip. does not accept value .maybe./, "-accel", "kvm,kernel-irqchip=maybe");
  await fails(/are incompatible/, "-accel", "kvm", "-M", "pc,accel=tcg");
});

test.after(() => {
  endConversations();
  files.remove();
});
test.run();
