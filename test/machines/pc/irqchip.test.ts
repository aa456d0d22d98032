// @timeout 120
/**
 * A machine under the host's KVM goes from one place of its interrupt controllers to another while its timers tick: ours,
 * the kernel's, the kernel's local APIC with ours around it. Skipped where there is no /dev/kvm, but for TCG's part.
 */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { PENDING_INTERRUPT, PENDING_INTERRUPT_VECTOR_SHIFT } from "../../../accel/x86/cpu-state.ts";
import { GuestProgram } from "../../guest/programs/builder.ts";
import { whereKvm } from "../../tools/kvm.ts";
import { TestBoard } from "./board.ts";

const CHECKPOINT = 0x500;
const SERIAL_IRQ = 4;
const STAGES = 6;
/** A vector that no device has. */
const ACKNOWLEDGED = 0x70;
const APIC = 0xfee0_0000;
const IOAPIC = 0xfec0_0000;

const gate = (vector: number, handler: string): string =>
  `mov dword [idt + ${vector * 8}], (${handler} & 0xffff) | 0x80000
  mov dword [idt + ${vector * 8 + 4}], (${handler} & 0xffff0000) | 0x8e00`;
const out = (port: number, ...values: number[]): string =>
  `mov dx, ${port}\n${values.map((value) => `mov al, ${value}\nout dx, al`).join("\n")}`;

/**
 * Waits in HLT for interrupts of the 8254 through the 8259 pair, of the local APIC's timer, and of a level-triggered pin
 * of the I/O APIC: the serial port's, which stays asserted over the first end of interrupt. Prints a letter for each
 * stage, at whose checkpoint all of them are under way. Handlers leave by RETF, which hosts emulate where they lack IRET.
 */
const program = new GuestProgram("irqchip");
program
  .data(`align 4
    ticks: dd 0
    apic_ticks: dd 0
    served: dd 0
    asserted: dd 0
    letter: dd 65
    tick: push eax
    inc dword [ticks]
    mov al, 0x20
    out 0x20, al
    pop eax
    retf 4
    apic_tick: inc dword [apic_ticks]
    mov dword [${APIC + 0xb0}], 0
    retf 4
    serve: push eax
    push edx
    inc dword [served]
    mov dx, 0x3fa
    dec dword [asserted]
    jns serve_end
    in al, dx
    serve_end: mov dword [${APIC + 0xb0}], 0
    pop edx
    pop eax
    retf 4
    acknowledged: push eax
    mov al, 0x21
    out 0xe9, al
    pop eax
    retf 4`)
  .code(`${gate(0x40, "tick")}
    ${gate(0x50, "apic_tick")}
    ${gate(0x60, "serve")}
    ${gate(ACKNOWLEDGED, "acknowledged")}
    ${out(0x20, 0x11)}
    ${out(0x21, 0x40, 4, 1, 0xfe)}
    ${out(0x43, 0x34)}
    ${out(0x40, 0, 8)}
    mov dword [${APIC + 0xf0}], 0x1ff
    mov dword [${APIC + 0x3e0}], 0xb
    mov dword [${APIC + 0x320}], 0x20050
    mov dword [${APIC + 0x380}], 1000000
    mov dword [${IOAPIC}], ${0x10 + 2 * SERIAL_IRQ}
    mov dword [${IOAPIC + 0x10}], 0x8060
    ${out(0x3fc, 8)}
    stage: mov dword [asserted], 1
    ${out(0x3f9, 0, 2)}
    mov al, [letter]
    out 0xe9, al
    mov esi, [ticks]
    mov edi, [apic_ticks]
    mov ebp, [served]
    add esi, 2
    add edi, 2
    add ebp, 2
    mov dx, ${CHECKPOINT}
    out dx, al
    wait_more: sti
    hlt
    cli
    cmp [ticks], esi
    jb wait_more
    cmp [apic_ticks], edi
    jb wait_more
    cmp [served], ebp
    jb wait_more
    inc dword [letter]
    cmp dword [letter], ${65 + STAGES}
    jb stage`);

const folder = mkdtempSync(join(tmpdir(), "qemu-next-irqchip-"));
const bios = join(folder, "bios.bin");
writeFileSync(bios, program.image());

/** A board whose guest stops at its checkpoints. */
class Station {
  readonly board: TestBoard;
  #arrived = false;

  private constructor(board: TestBoard) {
    this.board = board;
  }

  static async create(irqchip: string): Promise<Station> {
    const accel = irqchip === "tcg" ? irqchip : `kvm,kernel-irqchip=${irqchip}`;
    const options = ["-accel", accel, "-cpu", "qemu64", "-nodefaults", "-display", "none", "-m", "16"];
    const devices = ["-serial", "null", "-debugcon", "null", "-device", "isa-debug-exit,iobase=0xf4,iosize=4"];
    const board = await TestBoard.create([...options, "-bios", bios, ...devices]);
    const station = new Station(board);
    const write = (): void => {
      station.#arrived = true;
      board.cpu.kick();
    };
    board.machine.ports.map(CHECKPOINT, { name: "checkpoint", length: 1, handler: { read: () => 0xff, write } });
    return station;
  }

  /** To the next checkpoint, or the end. */
  run(): void {
    this.#arrived = false;
    this.board.run(100_000, () => this.#arrived);
  }
}

async function checkAcknowledged(irqchip: string): Promise<void> {
  const here = await Station.create("tcg");
  here.run();
  const { machine, memory } = here.board.save();
  const [{ fields, ...cpu }] = machine.cpus;
  const pending = PENDING_INTERRUPT | (ACKNOWLEDGED << PENDING_INTERRUPT_VECTOR_SHIFT);
  const there = await Station.create(irqchip);
  there.board.load({
    machine: { ...machine, cpus: [{ ...cpu, fields: { ...fields, eflags: "0x200", pending } }] },
    memory,
  });
  there.run();
  assert.is(there.board.output.debugcon0, "!B");
}
const acknowledged = "an interrupt that is acknowledged when it is saved";
test(`${acknowledged}, TCG`, () => checkAcknowledged("tcg"));

await whereKvm(() => {
  test(`${acknowledged}, kernel-irqchip=on`, () => checkAcknowledged("on"));

  for (const route of [["on"], ["split"], ["off", "on", "split", "tcg"]]) {
    test(`interrupts with kernel-irqchip=${route.join(", then ")}`, async () => {
      let text = "";
      let here = await Station.create(route[0]);
      for (let hops = 1; ; hops++) {
        here.run();
        text += here.board.output.debugcon0;
        if (here.board.ended !== undefined) break;
        assert.ok(hops < 20);
        const there = await Station.create(route[hops % route.length]);
        there.board.load(here.board.save());
        here = there;
      }
      assert.equal([text, here.board.ended], ["ABCDEFdone\n", "exit 1"]);
    });
  }
});

test.after(() => rmSync(folder, { recursive: true }));
test.run();
