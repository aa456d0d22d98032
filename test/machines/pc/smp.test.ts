// @timeout 120
/** Several CPUs on a whole board: how they start and stop (Intel SDM volume 3, section 9.4), and saved machines. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { inOrder, smpImage, smpReport } from "../../guest/programs/smp.ts";
import { assemble } from "../../tools/asm.ts";
import { firmwareImage, OPEN_FS, OPEN_FS_TABLE } from "../../tools/firmware.ts";
import { TestBoard } from "./board.ts";

const LIMIT = 20_000;
const folder = mkdtempSync(join(tmpdir(), "qemu-next-smp-"));

function board(image: Uint8Array, cpus: number): Promise<TestBoard> {
  const bios = join(folder, "bios.bin");
  writeFileSync(bios, image);
  const io = ["-debugcon", "null", "-serial", "null", "-device", "isa-debug-exit,iobase=0xf4,iosize=4"];
  return TestBoard.create([..."-nodefaults -display none -m 16 -bios".split(" "), bios, "-smp", String(cpus), ...io]);
}

const ICR = { init: 0x4500, sipi: 0x4600, nmi: 0x4400, smi: 0x4200, self: 0x40000, others: 0xc0000 };

/** Real-mode code with FS opened to 4 GiB for the APIC; `again` is where a bootstrap processor comes after INIT. */
function program(main: string, started: string, again = "hlt"): Uint8Array {
  const image = firmwareImage(`cli
    mov ax, cs
    mov ds, ax
    ${OPEN_FS}
    xor ax, ax
    mov ss, ax
    mov sp, 0x7000
    mov es, ax
    cmp byte [es:0x500], 0
    jne second_time
    mov byte [es:0x500], 1
    mov edi, 0xfee000f0
    mov dword [fs:edi], 0x1ff
    mov edi, 0xfee00300
    mov byte [es:0x2000], 0xea
    mov dword [es:0x2001], ${0xf0000000 + 0x400}
    mov dword [es:0x3000], 0x03eb9090
${main}
    mov al, 0
    out 0xf4, al
    hlt
second_time:
${again}
print:
    out 0xe9, al
    ret
wait_for:
    pause
    cmp [es:0x504], al
    jne wait_for
    ret
    ${OPEN_FS_TABLE}`);
  image.set(assemble(`bits 16\norg 0x400\n${started}`).bytes, 0x400);
  return image;
}
const send = (command: number): string => `mov dword [fs:edi], 0x${command.toString(16)}`;
const say = (letter: string): string => `mov al, '${letter}'\nout 0xe9, al`;

test("an AP runs after INIT and SIPI, from the vector's page; a SIPI is for those that wait, INIT makes it wait again", async () => {
  const main = `
    ${send(ICR.others | ICR.nmi)}
    ${send(ICR.others | ICR.sipi | 2)}
    mov al, 1
    call wait_for
    ${say("b")}
    ${send(ICR.others | ICR.sipi | 2)}
    mov byte [es:0x505], 1
    mov al, 2
    call wait_for
    ${send(ICR.others | ICR.init)}
    mov ecx, 100
rest: pause
    loop rest
    mov byte [es:0x505], 0
    ${send(ICR.others | ICR.sipi | 2)}
    ${send(ICR.others | ICR.sipi | 2)}
    mov al, 3
    call wait_for
    ${say("d")}`;
  const started = `
    xor ax, ax
    mov es, ax
    inc byte [es:0x504]
    ${say("A")}
wait: pause
    cmp byte [es:0x505], 0
    je wait
    inc byte [es:0x504]
    ${say("C")}
    cli
    hlt`;
  const machine = await board(program(main, started), 2);
  machine.run(LIMIT);
  assert.is(machine.output.debugcon0, "AbCAd");
  assert.is(machine.ended, "exit 1");
});

test("INIT makes the bootstrap processor begin at the reset vector, and the others wait", async () => {
  const main = `${say("1")}\n${send(ICR.self | ICR.init)}\nhere: jmp here`;
  const machine = await board(program(main, "hlt", `${say("2")}\nmov al, 1\nout 0xf4, al\nhlt`), 3);
  machine.run(LIMIT);
  assert.is(machine.output.debugcon0, "12");
  assert.is(machine.ended, "exit 3");
});

/** Where a handler of system management interrupts begins: marks the first byte of SMRAM. */
const MARK_SMRAM = `bits 16
    org 0x8000
    xor ax, ax
    mov es, ax
    mov ax, 0xa000
    mov ds, ax
    mov byte [0], 0x5a`;

/** Lets the host bridge have SMRAM, starts the other CPUs, and interrupts this one. */
const START_WITH_SMRAM = `
    mov eax, 0x80000070
    mov dx, 0xcf8
    out dx, eax
    mov dx, 0xcfe
    mov al, 0x0a
    out dx, al
    ${send(ICR.others | ICR.sipi | 2)}
    ${send(ICR.self | ICR.smi)}`;

/** Runs to the end, and resets the machine with the program's variables cleared. */
function runAndReset(machine: Awaited<ReturnType<typeof board>>): void {
  machine.run(LIMIT);
  assert.is(machine.ended, "exit 1");
  machine.ended = undefined;
  machine.machine.memory.dma.write(0x500, new Uint8Array(16));
  machine.machine.reset();
}

test("a reset while APs run makes them wait again", async () => {
  const main = `${send(ICR.others | ICR.sipi | 2)}\nmov al, 2\ncall wait_for\n${say("r")}`;
  const machine = await board(program(main, `xor ax, ax\nmov es, ax\nlock inc byte [es:0x504]\nagain: jmp again`), 3);
  for (let time = 0; time < 2; time++) {
    runAndReset(machine);
  }
  assert.is(machine.output.debugcon0, "rr");
});

test("SMRAM is shown to a CPU in system management mode, and to no other", async () => {
  const handler = assemble(`${MARK_SMRAM}
    ${say("1")}
    inc byte [es:0x504]
handled: pause
    cmp byte [es:0x504], 2
    jne handled
    mov al, [0]
    sub al, 0x5a - '3'
    out 0xe9, al
    rsm`).bytes;
  const main = `${START_WITH_SMRAM}
    nop
    mov ax, 0xa000
    mov es, ax
    mov al, [es:0]
    sub al, 0xff - '4'
    out 0xe9, al`;
  const started = `
    xor ax, ax
    mov es, ax
    mov ax, 0xa000
    mov ds, ax
started: pause
    cmp byte [es:0x504], 1
    jne started
    mov byte [0], 0x11
    mov al, [0]
    sub al, 0xff - '2'
    out 0xe9, al
    inc byte [es:0x504]
    cli
    hlt`;
  const machine = await board(program(main, started), 2);
  for (let time = 0; time < 2; time++) {
    machine.machine.memory.dma.write(0x38000, handler);
    runAndReset(machine);
  }
  assert.is(machine.output.debugcon0, "12341234");
});

test("a machine saved while a CPU is in system management mode goes on so", async () => {
  const handler = assemble(`${MARK_SMRAM}
    inc byte [es:0x504]
inside: pause
    cmp byte [es:0x505], 1
    jne inside
    mov al, [0]
    sub al, 0x5a - 'S'
    out 0xe9, al
    rsm`).bytes;
  const main = `${START_WITH_SMRAM}
    mov ax, 0xa000
    mov es, ax
    mov al, [es:0]
    sub al, 0xff - 'N'
    out 0xe9, al`;
  const image = program(main, "turning: jmp turning");
  for (const extra of [0, 1]) {
    const first = await board(image, 2);
    first.machine.memory.dma.write(0x38000, handler);
    first.run(LIMIT, () => first.machine.memory.read(0x504, 1) === 1);
    first.run(extra);
    const second = await board(image, 2);
    second.load(first.save());
    second.machine.memory.dma.write(0x505, Uint8Array.of(1));
    second.run(LIMIT);
    assert.is(second.output.debugcon0, "SN");
    assert.is(second.ended, "exit 1");
  }
});

test("four CPUs at work, saved and loaded into another machine again and again", async () => {
  const job = { mode: "long", cpus: 4, rounds: 2 } as const;
  const image = smpImage(job);
  let machine = await board(image, 4);
  let debug = "";
  let serial = "";
  for (let loads = 0; loads < 6 && machine.ended === undefined; loads++) {
    machine.run(loads === 5 ? LIMIT : 60 + 40 * loads);
    debug += machine.output.debugcon0;
    serial += machine.output.serial0;
    if (machine.ended !== undefined) break;
    const next = await board(image, 4);
    next.load(machine.save());
    machine = next;
  }
  assert.is(machine.ended, "exit 1");
  assert.equal(inOrder(debug, serial), smpReport(job));
});

test("a machine with another number of CPUs is refused", async () => {
  const image = program("", "hlt");
  const two = await board(image, 2);
  const one = await board(image, 1);
  assert.throws(() => one.load(two.save()), /has 2 CPUs, not 1/);
});

test.after(() => rmSync(folder, { recursive: true, force: true }));
test.run();
