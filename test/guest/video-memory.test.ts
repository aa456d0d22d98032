// @timeout 120
/**
 * The screen of a guest that draws a little at a time, as a user would dump it: what is drawn anew where writes to video
 * memory are logged is all that has changed. Under TCG writes are trapped, under KVM the kernel logs them.
 */

import { readFileSync, writeFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Conversation, endConversations } from "../tools/conversation.ts";
import { firmwareImage, OPEN_FS, OPEN_FS_TABLE } from "../tools/firmware.ts";
import { ACCELERATOR, ended, PROGRAM, scratch } from "../tools/guest.ts";
import { whereKvm } from "../tools/kvm.ts";

const files = scratch();
const WIDTH = 320;
const HEIGHT = 200;
const PIXELS = WIDTH * HEIGHT;
const FRAME_BUFFER = 0xe0000000;
/** The number of steps that are done. */
const COUNTER = 0x500;
const VBE = { xres: 1, yres: 2, bpp: 3, enable: 4, yOffset: 9 };
const PATIENCE_MS = 20_000;

/** What the guest does at an NMI: `count` pixels of `color` from `pixel` on, through the frame buffer or a register. */
type Step = { readonly pixel: number; readonly count: number; readonly color: number } | { readonly top: number };

const STEPS: readonly Step[] = [
  { pixel: 0, count: 1, color: 0x112233 },
  { pixel: 0, count: PIXELS, color: 0x0000ff },
  { pixel: 3 * 1024 - 1, count: 2, color: 0xff0000 },
  { pixel: 100 * WIDTH + 7, count: 1, color: 0x00ff00 },
  { pixel: 100 * WIDTH + 8, count: 1, color: 0x00fe00 },
  { pixel: PIXELS - 1, count: 1, color: 0xffffff },
  { pixel: PIXELS, count: 4 * WIDTH, color: 0xabcdef },
  { pixel: 5 * WIDTH, count: 40 * WIDTH, color: 0x804020 },
  { top: 3 },
  { pixel: (HEIGHT + 2) * WIDTH, count: 5, color: 0x123456 },
  { top: 0 },
  { pixel: 6 * WIDTH, count: 1, color: 0x654321 },
];

function firmware(): string {
  const vbe = (index: number, value: number): string =>
    `mov dx, 0x1ce\nmov ax, ${index}\nout dx, ax\ninc dx\nmov ax, ${value}\nout dx, ax`;
  const config = (register: number, value: number): string =>
    `mov dx, 0xcf8\nmov eax, ${0x80001000 + register}\nout dx, eax\nmov dl, 0xfc\nmov eax, ${value}\nout dx, eax`;
  const rows = STEPS.map((step) =>
    "top" in step ? `dd 1, ${step.top}, 0, 0` : `dd 0, ${FRAME_BUFFER + step.pixel * 4}, ${step.count}, ${step.color}`,
  );
  const image = firmwareImage(`cli
    xor ax, ax
    mov ds, ax
    mov ss, ax
    mov sp, 0x7000
    mov dword [${COUNTER}], 0
    mov word [8], on_nmi
    mov word [10], 0xf000
    ${OPEN_FS}
    ${config(0x10, FRAME_BUFFER)}
    ${config(4, 3)}
    ${vbe(VBE.xres, WIDTH)}
    ${vbe(VBE.yres, HEIGHT)}
    ${vbe(VBE.bpp, 32)}
    ${vbe(VBE.enable, 0x41)}
    mov dx, 0x3da
    in al, dx
    mov dl, 0xc0
    mov al, 0x20
    out dx, al
    mov dword [${COUNTER + 4}], 1
    again: hlt
    jmp again
    on_nmi:
    mov bx, [${COUNTER}]
    shl bx, 4
    mov edi, [cs:bx+steps+4]
    mov ecx, [cs:bx+steps+8]
    mov eax, [cs:bx+steps+12]
    cmp byte [cs:bx+steps], 0
    jne register
    draw: mov [fs:edi], eax
    add edi, 4
    dec ecx
    jne draw
    done: inc dword [${COUNTER}]
    iretw
    register: mov dx, 0x1ce
    mov ax, ${VBE.yOffset}
    out dx, ax
    inc dx
    mov ax, di
    out dx, ax
    jmp done
    ${OPEN_FS_TABLE}
    steps: ${rows.join("\n")}`);
  const file = files.path("firmware.bin");
  writeFileSync(file, image);
  return file;
}

class Guest {
  readonly #guest: Conversation;
  readonly #video = new Uint32Array(2 * PIXELS);
  #top = 0;

  constructor(accelerator: readonly string[]) {
    const options = ["-nodefaults", "-display", "none", "-m", "16", "-device", "VGA,addr=2", "-monitor", "stdio"];
    this.#guest = new Conversation(process.execPath, [PROGRAM, ...accelerator, ...options, "-bios", firmware()]);
  }

  async command(line: string): Promise<string> {
    const from = this.#guest.stdout.length;
    this.#guest.type(`${line}\n`);
    await this.#guest.expect("(qemu) ", PATIENCE_MS);
    return this.#guest.stdout.slice(from);
  }

  /** Waits for a word of memory to become `value`. */
  async sees(address: number, value: number): Promise<void> {
    const wanted = `0x${value.toString(16).padStart(8, "0")}`;
    const deadline = Date.now() + PATIENCE_MS;
    while (!(await this.command(`xp/1xw ${address}`)).includes(`: ${wanted}`)) {
      assert.ok(Date.now() < deadline, `the guest does not come to ${wanted}`);
    }
  }

  async start(): Promise<void> {
    await this.#guest.expect("(qemu) ", PATIENCE_MS);
    await this.sees(COUNTER + 4, 1);
  }

  async step(number: number): Promise<void> {
    const step = STEPS[number];
    await this.command("nmi");
    await this.sees(COUNTER, number + 1);
    if ("top" in step) this.#top = step.top;
    else this.#video.fill(step.color, step.pixel, step.pixel + step.count);
  }

  async compare(what: string): Promise<void> {
    const file = files.path("screen.ppm");
    await this.command(`screendump ${file}`);
    const picture = readFileSync(file);
    const header = `P6\n${WIDTH} ${HEIGHT}\n255\n`;
    assert.is(picture.toString("latin1", 0, header.length), header);
    for (let i = 0; i < PIXELS; i++) {
      const is = picture.readUIntBE(header.length + i * 3, 3);
      const want = this.#video[this.#top * WIDTH + i];
      if (is !== want) assert.unreachable(`${what}: pixel ${i} is ${is.toString(16)}, not ${want.toString(16)}`);
    }
  }

  async quit(): Promise<void> {
    this.#guest.type("quit\n");
    assert.is((await ended(this.#guest, 20)).status, 0);
  }
}

function check(accelerator: readonly string[]): void {
  test(accelerator.join(" "), async () => {
    const guest = new Guest(accelerator);
    await guest.start();
    await guest.compare("start");
    for (const number of STEPS.keys()) {
      await guest.step(number);
      await guest.compare(`step ${number}`);
    }
    await guest.quit();
  });
}

check(ACCELERATOR);
await whereKvm(() => {
  check(["-accel", "kvm"]);
  check(["-accel", "kvm,kernel-irqchip=on", "-smp", "2"]);
});

test.after(() => {
  endConversations();
  files.remove();
});
test.run();
