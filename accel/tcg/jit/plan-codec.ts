/**
 * Plans as one array of int32 for the way between threads: cloning their objects took longer than making them.
 *
 * A plan is [id, phys, hflags, number of blocks], its blocks as [phys, length, insns, delta, number of returns, returns],
 * then its code, padded to words.
 */

import type { PlannedBlock, RegionPlan } from "./form.ts";

export interface NumberedPlan {
  readonly id: number;
  readonly plan: RegionPlan;
}

export function encodePlans(plans: readonly NumberedPlan[]): Int32Array {
  const words: number[] = [];
  for (const { id, plan } of plans) {
    const { phys, hflags, blocks, code } = plan;
    words.push(id, phys, hflags, blocks.length);
    for (const block of blocks) {
      words.push(block.phys, block.length, block.insns, block.delta, block.returnsTo.length, ...block.returnsTo);
    }
    for (let i = 0; i < code.length; i += 4) {
      words.push(code[i] | (code[i + 1] << 8) | (code[i + 2] << 16) | (code[i + 3] << 24));
    }
  }
  return Int32Array.from(words);
}

export function decodePlans(words: Int32Array): NumberedPlan[] {
  const plans: NumberedPlan[] = [];
  for (let at = 0; at < words.length; ) {
    const [id, phys, hflags, count] = words.subarray(at, at + 4);
    at += 4;
    const blocks: PlannedBlock[] = [];
    let length = 0;
    for (let n = 0; n < count; n++) {
      const returns = words[at + 4];
      blocks.push({
        phys: words[at] >>> 0,
        length: words[at + 1],
        insns: words[at + 2],
        delta: words[at + 3],
        returnsTo: [...words.subarray(at + 5, at + 5 + returns)],
      });
      length += words[at + 1];
      at += 5 + returns;
    }
    const code = new Uint8Array(words.buffer, words.byteOffset + at * 4, length);
    at += Math.ceil(length / 4);
    plans.push({ id, plan: { phys: phys >>> 0, hflags, blocks, code } });
  }
  return plans;
}
