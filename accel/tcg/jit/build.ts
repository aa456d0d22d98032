/** From a plan to a region: the IR of its blocks once more, and what connects them. */

import type { IrTranslator } from "../engine/ir-translator.ts";
import type { RegionPlan } from "./form.ts";
import { connect, makeReducible, type Region, type RegionBlock } from "./region.ts";

/** Undefined if the first block's code is not what the plan says. */
export function buildRegion(plan: RegionPlan, translator: IrTranslator): Region | undefined {
  const { phys, hflags, code } = plan;
  const blocks: RegionBlock[] = [];
  const returnsTo: (readonly number[])[] = [];
  let offset = 0;
  for (const block of plan.blocks) {
    const { length, insns, delta } = block;
    const source = { phys: block.phys, bytes: code, offset, available: length, nextPage: () => 0 };
    const ir = translator.intermediate(source, hflags, insns);
    offset += length;
    if (ir) {
      blocks.push({ phys: block.phys, length, insns, delta, ir });
      returnsTo.push(block.returnsTo);
    } else if (blocks.length === 0) return undefined;
  }
  const region = connect(phys, hflags, blocks, returnsTo);
  makeReducible(region);
  return region;
}
