/** Stretches of code with a jump, call, return or loop in them, for the oracle. */

import { stackPlace } from "./examine.ts";
import { randomSelector } from "./images.ts";
import type { Layout } from "./layout.ts";
import type { Bits, CpuImage } from "./native.ts";
import type { Random } from "./random.ts";

/** Code, and the mnemonic it stands for. */
export interface Transfer {
  readonly name: string;
  readonly bytes: readonly number[];
}

/** Selectors of code that is executable in ring 3. */
const CODE_SELECTORS = [0x07, 0x23, 0x33, 0x37, 0x3f];

const word = (value: number): number[] => [value & 255, (value >> 8) & 255];
const dword = (value: number): number[] => [...word(value), ...word(value >> 16)];

/** A short stretch of code with a jump, call, return or loop in it that ends by falling through. */
export function nearTransfer(layout: Layout, random: Random, image: CpuImage, address: bigint): number[] | undefined {
  const { bits } = layout;
  const stack = stackPlace(layout, image);
  if (!layout.contains(stack.linear - 64n, 128)) return undefined;
  // Changes a register and no flag, so that it shows whether it was jumped over: lea r, [r + imm8]
  const register = random.pick([0, 2, 3, 6, 7]);
  const sizePrefixes = { 16: [0x66, 0x67], 32: [], 64: [0x48] }[bits];
  const marker = [...sizePrefixes, 0x8d, 0x40 | (register << 3) | register, random.below(128)];
  const size = marker.length;
  const near = bits === 16 ? word(size) : dword(size);
  switch (random.below(8)) {
    case 0:
    case 1:
      return [0x70 | random.below(16), size, ...marker];
    case 2:
      return [0x0f, 0x80 | random.below(16), ...near, ...marker];
    case 3:
      return [...(random.oneIn(2) ? [0x67] : []), 0xe0 | random.below(4), size, ...marker];
    case 4:
      return random.oneIn(2) ? [0xe8, ...near, ...marker] : [0xeb, size, ...marker];
    case 5: // lea rax, [rip+2] or mov eax, ...; push rax; ret
      return [...addressOf(bits, address, 2), 0x50, 0xc3];
    case 6: // the same with ret 16
      return [...addressOf(bits, address, 4), 0x50, 0xc2, 0x10, 0x00];
    default: // jmp or call rax
      return [...addressOf(bits, address, 2), 0xff, random.oneIn(2) ? 0xe0 : 0xd0];
  }
}

/** A far jump, call or return to what follows it, or to a segment that is no code. */
export function farTransfer(layout: Layout, random: Random, image: CpuImage, address: bigint): Transfer | undefined {
  const { bits } = layout;
  const stack = stackPlace(layout, image);
  if (!layout.contains(stack.linear - 64n, 128)) return undefined;
  const own = { 16: 0x07, 32: 0x23, 64: 0x33 }[bits];
  let selector = (own & ~3) | random.below(4);
  if (random.oneIn(2)) selector = randomSelector(random);
  if (CODE_SELECTORS.includes(selector | 3) && (selector | 3) !== own) return undefined;
  const push = (value: number): number[] => [0x68, ...(bits === 16 ? word(value) : dword(value))];
  if (bits === 64) {
    const target = [...addressOf(bits, address, 0).slice(0, 3), ...dword(3), 0x50];
    if (random.oneIn(2)) return { name: "retf", bytes: [...push(selector), ...target, 0x48, 0xcb] };
    const ss = random.oneIn(2) ? 0x2b : randomSelector(random);
    return { name: "iret", bytes: [...push(ss), 0x54, 0x9c, ...push(selector), ...target, 0x48, 0xcf] };
  }
  const size = bits >> 3;
  const pointer = (length: number): number[] => {
    const target = Number(address) + length;
    return [...(bits === 16 ? word(target) : dword(target)), ...word(selector)];
  };
  switch (random.below(4)) {
    case 0:
      return { name: "jmpf", bytes: [0xea, ...pointer(3 + size)] };
    case 1:
      return { name: "callf", bytes: [0x9a, ...pointer(3 + size)] };
    case 2:
      return { name: "retf", bytes: [...push(selector), ...push(Number(address) + 3 + 2 * size), 0xcb] };
    default:
      return { name: "iret", bytes: [0x9c, ...push(selector), ...push(Number(address) + 4 + 2 * size), 0xcf] };
  }
}

/** Code at `address` that loads into rAX the address `distance` bytes after its end. */
function addressOf(bits: Bits, address: bigint, distance: number): number[] {
  if (bits === 64) return [0x48, 0x8d, 0x05, ...dword(distance)];
  if (bits === 16) return [0xb8, ...word(Number(address) + 3 + distance)];
  return [0xb8, ...dword(Number(address) + 5 + distance)];
}
