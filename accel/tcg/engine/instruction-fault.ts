/**
 * Which exception an access to an address that is not canonical raises: #SS when it refers to the stack segment, #GP
 * otherwise. Intel SDM volume 1, section 3.3.7.1, and volume 2 on PUSH, POP, CALL, RET, ENTER and LEAVE.
 *
 * In 64-bit mode an access refers to the stack segment when it is that of a stack instruction to its stack, or when its
 * base register is RSP or RBP; an override to FS or GS makes it one of theirs, the other overrides do nothing.
 */

import type { State } from "../../../core/state/state.ts";
import type { CPU_STATE } from "../env.ts";
import { createInsn, Decoder } from "../x86/decoder.ts";
import { OPCODE_ROWS } from "../x86/rows.ts";

/** The vector that stands for it until then: see assembly/fault.ts. */
export const EXC_NON_CANONICAL = 257;
/** The word of scratch that has the address: see assembly/mmu.ts. */
const ADDRESS_WORD = 127;
const EXC_SS = 12;
const EXC_GP = 13;
const RSP = 4;
const RBP = 5;
const REGISTER = 3;
const STACK_INSTRUCTION = /^(push|pop|call|ret|enter|leave)f?$/;
/** ENTER's frame pointers and LEAVE's frame are anywhere; they have no other operand in memory. */
const FRAME_INSTRUCTION = /^(enter|leave)$/;
const MAX_STACK_ELEMENT = 8n;

/** Made when first needed: few guests ever do this. */
let decoder: Decoder | undefined;
const insn = createInsn(OPCODE_ROWS[0]);

/** The vector for the 64-bit instruction in `bytes`, of which EXC_NON_CANONICAL was just reported. */
export function nonCanonicalVector(bytes: Uint8Array, state: State<typeof CPU_STATE>): number {
  decoder ??= new Decoder(OPCODE_ROWS);
  if (decoder.decode(insn, bytes, 0, bytes.length, 64) <= 0) return EXC_GP;
  const { name } = insn.row;
  const hasOperand = insn.modrm >= 0 && insn.mod !== REGISTER;
  if (hasOperand && insn.segment < 0 && (insn.base === RSP || insn.base === RBP)) return EXC_SS;
  if (FRAME_INSTRUCTION.test(name)) return EXC_SS;
  const distance = BigInt.asIntN(64, state.scratch[ADDRESS_WORD] - state.regs[RSP]);
  const onStack = distance >= -MAX_STACK_ELEMENT && distance < MAX_STACK_ELEMENT;
  return onStack && STACK_INSTRUCTION.test(name) ? EXC_SS : EXC_GP;
}
