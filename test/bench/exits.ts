/**
 * Guest (x): what it costs that the CPU comes out of the guest. Loops of accesses to a cheap port and a cheap register
 * in memory, by the host's clock between marks; and commands of the monitor while the guest computes, which have to
 * get the CPU out. Run with KVM, too.
 */

import { writeFileSync } from "node:fs";
import { messageOf } from "../../core/errors.ts";
import { assemble } from "../tools/asm.ts";
import { Conversation } from "../tools/conversation.ts";
import type { Emulator } from "./emulators.ts";
import { type Guest, type Measured, timesOf } from "./guest.ts";
import { median } from "./statistics.ts";
import { watch } from "./watch.ts";

const IMAGE_SIZE = 0x10000;
/** An access is a call with TCG and a way out of the kernel and back with KVM. */
const ACCESSES = { tcg: 1_000_000, kvm: 30_000 };
const COMMANDS = 300;
const PATIENCE_MS = 20_000;

/** A page register of the DMA controller, and the HPET's capabilities. */
const LOOPS: Readonly<Record<string, string>> = {
  "port-write": "out 0x81, al",
  "MMIO-read": "mov eax, [0xfed00000]",
};

function image(count: number): Uint8Array {
  const rows = Object.keys(LOOPS);
  const { bytes } = assemble(`bits 16
    org 0xf0000
    start: cli
    lgdt [cs:gdtr - start]
    in al, 0x92
    or al, 2
    out 0x92, al
    mov eax, cr0
    or al, 1
    mov cr0, eax
    jmp dword 0x08:flat
    bits 32
    flat: mov ax, 0x10
    mov ds, ax
    mov ss, ax
    mov esp, 0x8000
    ${rows
      .map(
        (row, i) => `mov esi, begin_${i}
        call print
        mov ecx, ${count}
        again_${i}: ${LOOPS[row]}
        dec ecx
        jne again_${i}
        mov esi, end_${i}
        call print`,
      )
      .join("\n")}
    mov esi, waits
    call print
    compute: inc ecx
    jmp compute
    print: mov al, [esi]
    test al, al
    je printed
    out 0xe9, al
    inc esi
    jmp print
    ; What was printed may be on its way until the CPU comes out of the guest.
    printed: in al, 0xe9
    ret
    ${rows.map((row, i) => `begin_${i}: db "@@ begin ${row}", 10, 0\nend_${i}: db "@@ end ${row}", 10, 0`).join("\n")}
    waits: db "@@ at computing", 10, 0
    align 8
    gdt: dq 0, 0x00cf9b000000ffff, 0x00cf93000000ffff
    gdtr: dw 0x17
    dd gdt`);
  const firmware = new Uint8Array(IMAGE_SIZE);
  firmware.set(bytes);
  firmware.set([0xea, 0x00, 0x00, 0x00, 0xf0], IMAGE_SIZE - 16);
  return firmware;
}

const MACHINE = ["-nodefaults", "-display", "none", "-m", "16", "-no-reboot"];

const countFor = ({ kvm }: Emulator): number => (kvm ? ACCESSES.kvm : ACCESSES.tcg);

async function accesses(emulator: Emulator, file: string): Promise<Measured[]> {
  let output = "";
  const options = [...MACHINE, "-bios", file, "-debugcon", "stdio"];
  const watched = await watch(emulator.command(options), {
    seconds: 60,
    onOutput(_at, text) {
      output += text;
      return output.includes("@@ at computing\n");
    },
  });
  return timesOf(watched, Object.keys(LOOPS)).map(({ row, value, error }) => ({
    row: row.replace("-", ", "),
    unit: "us",
    value: value === undefined ? undefined : (value / countFor(emulator)) * 1e6,
    error,
  }));
}

/** Medians of commands; the first asks nothing of the CPU. */
async function kicks(emulator: Emulator, file: string, path: (name: string) => string): Promise<Measured[]> {
  const rows: Readonly<Record<string, readonly string[]>> = {
    "monitor, info version": ["info version"],
    "monitor, info registers": ["info registers"],
    "monitor, stop and cont": ["stop", "cont"],
  };
  const {
    file: program,
    args,
    env,
  } = emulator.command([...[...MACHINE, "-bios", file, "-monitor", "stdio", "-debugcon", `file:${path("exits.log")}`]]);
  const guest = new Conversation(program, args, env);
  const command = async (line: string): Promise<void> => {
    guest.type(`${line}\n`);
    await guest.expect("(qemu) ", PATIENCE_MS);
  };
  try {
    await guest.expect("(qemu) ", PATIENCE_MS);
    await command("info registers");
    // Until the guest computes.
    await new Promise((resolve) => setTimeout(resolve, 3000));
    const measured: Measured[] = [];
    for (const [row, lines] of Object.entries(rows)) {
      const times: number[] = [];
      for (let i = 0; i < COMMANDS; i++) {
        const started = performance.now();
        for (const line of lines) await command(line);
        times.push((performance.now() - started) * 1000);
      }
      measured.push({ row, unit: "us", value: median(times) });
    }
    return measured;
  } catch (error) {
    return Object.keys(rows).map((row) => ({ row, unit: "us", error: messageOf(error) }));
  } finally {
    guest.child.kill("SIGKILL");
    await guest.ended;
  }
}

export const exits: Guest = {
  id: "x",
  title: "out of the guest and back",
  onV86: false,
  onKvm: true,
  async prepare({ path }) {
    return async (emulator) => {
      const file = path("exits.bin");
      writeFileSync(file, image(countFor(emulator)));
      return [...(await accesses(emulator, file)), ...(await kicks(emulator, file, path))];
    };
  },
};
