/** What planning a region asks of the CPU that runs: where code lies by the TLB, where computed exits have led. */

import type { GuestMemory } from "../../../core/memory/guest-memory.ts";
import type { State } from "../../../core/state/state.ts";
import type { CodeCache } from "../engine/code-cache.ts";
import { type CPU_STATE, HF_CS64, TLB_ENTRIES, TLB_ENTRY_SIZE } from "../env.ts";
import { HISTORY } from "../interp/opcodes.ts";
import type { Surroundings } from "./form.ts";

const CS = 1;
const TLB_TAG_FETCH = 16;
const TLB_ADDEND = 24;

export function createSurroundings(
  memory: GuestMemory,
  current: () => State<typeof CPU_STATE>,
  cache: CodeCache,
): Omit<Surroundings, "regionInsns"> {
  const { u8, view } = memory;
  const widthOf = (hflags: number): number => (hflags & HF_CS64 ? 64 : 32);
  return {
    cache,
    memory: u8,
    locate(delta) {
      const state = current();
      const linear = BigInt.asUintN(widthOf(state.hflags), state.rip + state.segBase[CS] + BigInt(delta));
      const entry = state.tlb + Number((linear >> 12n) % BigInt(TLB_ENTRIES)) * TLB_ENTRY_SIZE;
      if (view.getBigUint64(entry + TLB_TAG_FETCH, true) !== (linear & ~0xfffn)) return undefined;
      return (Number(linear & 0xffffffffn) + view.getUint32(entry + TLB_ADDEND, true)) >>> 0;
    },
    targets({ historyAt, hflags }) {
      const { rip } = current();
      const targets = new Set<number>();
      for (let i = 0; historyAt !== 0 && i < HISTORY; i++) {
        const target = view.getBigUint64(historyAt + i * 8, true);
        if (target !== 0n) targets.add(Number(BigInt.asIntN(widthOf(hflags), target - rip)));
      }
      return [...targets];
    },
  };
}
