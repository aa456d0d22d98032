// @timeout 120
/** A machine saved in the middle of its work goes on, in the same place and in another one, as if nothing had been. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { assemble } from "../../tools/asm.ts";
import { TestBoard } from "./board.ts";

const IMAGE_SIZE = 0x10000;
const RESET_VECTOR = 0xfff0;
const LIMIT = 5000;

/** Computes with integer, x87 and SSE registers while the timer interrupts; prints what came out. */
const SOURCE = `
bits 16
start:
    cli
    xor ax, ax
    mov ds, ax
    mov ss, ax
    mov sp, 0x7000
    mov word [0x20], tick
    mov word [0x22], 0xf000
    mov word [0x500], 0
    mov al, 0x11
    out 0x20, al
    mov al, 8
    out 0x21, al
    mov al, 4
    out 0x21, al
    mov al, 1
    out 0x21, al
    mov al, 0xfe
    out 0x21, al
    mov al, 0x34
    out 0x43, al
    mov al, 120
    out 0x40, al
    mov al, 0
    out 0x40, al
    mov eax, cr4
    or eax, 0x600
    mov cr4, eax
    fninit
    fldz
    pxor xmm3, xmm3
    mov eax, 7
    movd xmm4, eax
    mov ebx, 1
    mov esi, 60
    sti
round:
    mov ecx, 20000
again:
    imul ebx, ebx, 1103515245
    add ebx, 12345
    fld1
    faddp st1, st0
    paddd xmm3, xmm4
    dec ecx
    jnz again
    hlt
    dec esi
    jnz round
    cli
    call print
    fistp dword [0x510]
    mov ebx, [0x510]
    call print
    movd ebx, xmm3
    call print
    cmp word [0x500], 50
    setae bl
    movzx ebx, bl
    call print
    mov al, 1
    out 0xf4, al
    hlt
print:
    mov cx, 8
digit:
    rol ebx, 4
    mov al, bl
    and al, 15
    add al, 65
    out 0xe9, al
    dec cx
    jnz digit
    ret
tick:
    push ax
    inc word [0x500]
    mov al, 0x20
    out 0x20, al
    pop ax
    iret
`;

const folder = mkdtempSync(join(tmpdir(), "qemu-next-save-"));
const bios = join(folder, "bios.bin");
const image = new Uint8Array(IMAGE_SIZE);
image.set(assemble(SOURCE).bytes);
image.set([0xea, 0, 0, 0, 0xf0], RESET_VECTOR);
writeFileSync(bios, image);
const OPTIONS = ["-nodefaults", "-display", "none", "-m", "2", "-bios", bios, "-debugcon", "null"];
const board = (): Promise<TestBoard> =>
  TestBoard.create([...OPTIONS, "-device", "isa-debug-exit,iobase=0xf4,iosize=4"]);
const printed = ({ output }: TestBoard): string => output.debugcon0;

let expected = "";

test("uninterrupted", async () => {
  const machine = await board();
  machine.run(LIMIT);
  assert.is(machine.ended, "exit 3");
  expected = printed(machine);
  assert.match(expected, /^[A-P]{8}AABCEPIAAAIACMIAAAAAAAAB$/);
});

test("saved, cleared and loaded again and again", async () => {
  const machine = await board();
  let loads = 0;
  while (machine.ended === undefined && loads < LIMIT) {
    machine.run(7);
    if (machine.ended !== undefined) break;
    const snapshot = machine.save();
    machine.machine.reset();
    machine.run(3);
    machine.ended = undefined;
    machine.load(snapshot);
    const again = machine.save().machine;
    assert.equal(again.cpus, snapshot.machine.cpus);
    for (const [name, state] of Object.entries(snapshot.machine.devices)) assert.equal(again.devices[name], state);
    loads++;
    machine.run(1);
  }
  assert.ok(loads > 5, `${loads} times`);
  assert.is(machine.ended, "exit 3");
  assert.is(printed(machine), expected);
});

test("loaded into another machine", async () => {
  const first = await board();
  first.run(40);
  assert.is(first.ended, undefined);
  const second = await board();
  second.load(first.save());
  second.run(LIMIT);
  assert.is(second.ended, "exit 3");
  assert.is(printed(second), expected);
});

test("a saved machine with other devices is refused", async () => {
  const machine = await board();
  const { machine: saved, memory } = machine.save();
  const { pc, ...devices } = saved.devices;
  assert.throws(() => machine.load({ machine: { ...saved, devices }, memory }), /no state for 'pc'/);
  assert.throws(() => machine.load({ machine: { ...saved, cpus: [] }, memory }), /has 0 CPUs, not 1/);
});

test.after(() => rmSync(folder, { recursive: true, force: true }));
test.run();
