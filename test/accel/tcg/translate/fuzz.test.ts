/** Any decodable instruction in any mode is translated without throwing and within the room there is. */

import { readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { buildHelpers } from "../../../../accel/tcg/assembly/build.ts";
import {
  ENV,
  HF_ADDSEG,
  HF_CPL,
  HF_CS32,
  HF_CS64,
  HF_EM,
  HF_IOPL_SHIFT,
  HF_LMA,
  HF_OSFXSR,
  HF_OSXSAVE,
  HF_PE,
  HF_SEGCHECK,
  HF_SS32,
  HF_TS,
  HF_VM,
} from "../../../../accel/tcg/env.ts";
import { IrBuilder } from "../../../../accel/tcg/ir/builder.ts";
import { Optimizer } from "../../../../accel/tcg/ir/optimize.ts";
import { Translator } from "../../../../accel/tcg/translate/translator.ts";
import { createInsn, Decoder } from "../../../../accel/tcg/x86/decoder.ts";
import { format } from "../../../../accel/tcg/x86/format.ts";
import { OPCODE_ROWS } from "../../../../accel/tcg/x86/rows.ts";
import { Random } from "../../../oracle/random.ts";

const ROUNDS = 40_000;
/** Temporaries from here on have other uses. */
const USABLE_TEMPS = 250;
const ROOM = 1024;
const PREFIXES = [0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x0f, 0x2e, 0x64];
const MODE_BITS = [HF_SS32, HF_ADDSEG, HF_SEGCHECK, HF_TS, HF_EM, HF_OSFXSR, HF_OSXSAVE, 3 << HF_IOPL_SHIFT];

const module = new WebAssembly.Module(readFileSync(await buildHelpers()));
const exportsOf = WebAssembly.Module as unknown as { exports(from: WebAssembly.Module): { name: string }[] };
const helpers = new Map(exportsOf.exports(module).map(({ name }, index) => [name, index]));
const decoder = new Decoder(OPCODE_ROWS);
const insn = createInsn(OPCODE_ROWS[0]);

function randomMode(random: Random, bits: number): number {
  let flags = random.below(HF_CPL + 1);
  for (const bit of MODE_BITS) if (random.oneIn(2)) flags |= bit;
  if (bits === 64) return flags | HF_CS64 | HF_LMA | HF_PE;
  if (bits === 32) flags |= HF_CS32;
  if (random.oneIn(2)) flags |= HF_PE;
  if (bits === 16 && random.oneIn(3)) flags |= HF_PE | HF_VM | 3;
  return flags;
}

test("random instructions in random modes", () => {
  const random = new Random(11);
  const ir = new IrBuilder(helpers);
  const t = new Translator(ir);
  const optimizer = new Optimizer();
  const bytes = new Uint8Array(15);
  for (let round = 0; round < ROUNDS; round++) {
    for (let at = 0; at < bytes.length; at++)
      bytes[at] = at < 2 && random.oneIn(3) ? random.pick(PREFIXES) : random.u32();
    const bits = random.pick([16, 32, 64] as const);
    const length = decoder.decode(insn, bytes, 0, bytes.length, bits);
    if (length <= 0) continue;
    t.begin(randomMode(random, bits), random.below(4096));
    t.beginInsn(length);
    insn.row.emit(t, insn);
    t.finish();
    assert.ok((ir.temp() - ENV.temps) / 8 < USABLE_TEMPS, `${format(insn)} takes too many temporaries`);
    assert.ok(ir.count <= ROOM, `${format(insn)} takes ${ir.count} operations`);
    optimizer.run(ir);
  }
});

test.run();
