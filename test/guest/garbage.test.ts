// @backends wasm,jit-threshold=20,jit-thread=off js,jit-threshold=20 interp
/** Firmware made of random bytes: whatever a guest executes, the program goes on and ends when it is told to. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { ACCELERATOR } from "../tools/guest.ts";
import { fetchPackages } from "../tools/packages.ts";

const BIOS_SIZE = 0x10000;
const RESET_VECTOR = 0xfff0;
const SEEDS = 6;
const RUN_MS = 1500;

/** xorshift32 bytes from `seed`. */
function randomImage(seed: number): Uint8Array {
  const image = new Uint8Array(BIOS_SIZE);
  let state = (seed * 2654435761) >>> 0 || 1;
  for (let i = 0; i < BIOS_SIZE; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    image[i] = state >>> 24;
  }
  return image;
}

/** JMP FAR f000:offset */
const farJump = (offset: number): number[] => [0xea, offset & 0xff, offset >> 8, 0x00, 0xf0];

/** Real-mode garbage from the reset vector on. */
function realModeGarbage(seed: number): Uint8Array {
  const image = randomImage(seed);
  image.set(farJump(0x1000), RESET_VECTOR);
  return image;
}

/** Garbage in flat 32-bit protected mode. */
function protectedModeGarbage(seed: number): Uint8Array {
  const image = randomImage(seed);
  const gdtr = [0x17, 0x00, 0x48, 0xff, 0x0f, 0x00];
  const gdt = [0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0x9a, 0xcf, 0, 0xff, 0xff, 0, 0, 0, 0x92, 0xcf, 0];
  image.set(gdtr, 0xff40);
  image.set(gdt, 0xff48);
  // cli; lgdt cs:[ff40]; mov eax,cr0; or eax,1; mov cr0,eax; jmp dword 8:ffe00
  const enter = [0xfa, 0x2e, 0x0f, 0x01, 0x16, 0x40, 0xff, 0x0f, 0x20, 0xc0, 0x66, 0x83, 0xc8, 0x01, 0x0f, 0x22, 0xc0];
  image.set([...enter, 0x66, 0xea, 0x00, 0xfe, 0x0f, 0x00, 0x08, 0x00], 0xff00);
  // mov eax,10h; mov ds,ax; mov ss,ax; mov es,ax; mov esp,7000h
  image.set([0xb8, 0x10, 0, 0, 0, 0x8e, 0xd8, 0x8e, 0xd0, 0x8e, 0xc0, 0xbc, 0, 0x70, 0, 0], 0xfe00);
  image.set(farJump(0xff00), RESET_VECTOR);
  return image;
}

async function survives(image: Uint8Array): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "qemu-next-garbage-"));
  try {
    const bios = join(folder, "bios.bin");
    writeFileSync(bios, image);
    const nowhere = ["-display", "none", "-serial", "null", "-monitor", "none", "-debugcon", "null"];
    const child = spawn(process.execPath, ["bin/qemu-next.js", ...ACCELERATOR, "-bios", bios, "-m", "16", ...nowhere]);
    let said = "";
    child.stderr.on("data", (data: Buffer) => {
      said += data.toString();
    });
    const exited = once(child, "exit");
    const timer = setTimeout(() => child.kill("SIGTERM"), RUN_MS);
    const [status] = (await exited) as [number | null];
    clearTimeout(timer);
    assert.is(said.replace(/^qemu-next: terminating on signal 15\n/, ""), "");
    assert.is(status, 0);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

// The video BIOS; the system firmware is the test's own.
await fetchPackages("firmware");

for (let seed = 1; seed <= SEEDS; seed++) {
  test(`real-mode garbage, seed ${seed}`, () => survives(realModeGarbage(seed)));
  test(`protected-mode garbage, seed ${seed}`, () => survives(protectedModeGarbage(seed)));
}

test.run();
