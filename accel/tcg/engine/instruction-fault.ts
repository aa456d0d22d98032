/**
 * What a memory fault is depends on the instruction in two cases, which are decided here, after the fact:
 *
 *  - An access to an address that is not canonical is #SS when it refers to the stack segment, #GP otherwise (Intel SDM
 *    volume 1, section 3.3.7.1). In 64-bit mode it does so when it is that of a stack instruction to its stack, or when
 *    its base register is RSP or RBP; an override to FS or GS makes it one of theirs, the other overrides do nothing.
 *  - A page fault of an instruction that reads and writes its operand is one of a write, also when the read finds it.
 */

import type { State } from "../../../core/state/state.ts";
import { type CPU_STATE, HF_CS32, HF_CS64 } from "../env.ts";
import { type CodeSize, createInsn, Decoder } from "../x86/decoder.ts";
import type { Insn } from "../x86/insn.ts";
import { OPCODE_ROWS } from "../x86/rows.ts";

type CpuState = State<typeof CPU_STATE>;

/** The vector of an access to an address that is not canonical: see assembly/fault.ts. */
const EXC_NON_CANONICAL = 258;
/** The word of scratch that has the address: see assembly/mmu.ts. */
const ADDRESS_WORD = 127;
const EXC_SS = 12;
const EXC_GP = 13;
const EXC_PF = 14;
const PF_WRITE = 2;
const PF_FETCH = 16;
const RSP = 4;
const RBP = 5;
const REGISTER = 3;
const PAGE_SIZE = 4096;
const MAX_LENGTH = 15;
/** Results of `locate` up to here are no addresses. */
const LAST_FAILURE = 1;

const STACK_INSTRUCTION = /^(push|pop|call|ret)f?$/;
/** ENTER's frame pointers and LEAVE's frame are anywhere; they have no other operand in memory. */
const FRAME_INSTRUCTION = /^(enter|leave)$/;
const MAX_STACK_ELEMENT = 8n;
const MODIFIES =
  /^(add|or|adc|sbb|and|sub|xor|inc|dec|not|neg|ro[lr]|rc[lr]|s[ah][lr]|sh[lr]d|bt[src]|xchg|xadd|cmpxchg)$/;

/** Made when first needed. */
let decoder: Decoder | undefined;
const insn = createInsn(OPCODE_ROWS[0]);
const bytes = new Uint8Array(MAX_LENGTH);

/**
 * Puts the exception right that env describes, of the instruction at rip, which has changed no register. `locate` finds
 * the byte `offset` after CS:rip in `memory`; it may leave an exception of its own in env.
 */
export function refineFault(state: CpuState, memory: Uint8Array, locate: (offset: number) => number): void {
  const { excVector, excError, cr2 } = state;
  const isRead = excVector === EXC_PF && (excError & (PF_WRITE | PF_FETCH)) === 0;
  if (!isRead && excVector !== EXC_NON_CANONICAL) return;
  const found = decode(state, memory, locate);
  state.cr2 = cr2;
  state.excVector = isRead ? EXC_PF : found && refersToStack(insn, state) ? EXC_SS : EXC_GP;
  state.excError = isRead && found && modifiesMemory(insn) ? excError | PF_WRITE : excError;
}

/** Decodes the instruction at rip; false if there is none. */
function decode(state: CpuState, memory: Uint8Array, locate: (offset: number) => number): boolean {
  decoder ??= new Decoder(OPCODE_ROWS);
  const codeSize: CodeSize = state.hflags & HF_CS64 ? 64 : state.hflags & HF_CS32 ? 32 : 16;
  const first = locate(0);
  if (first <= LAST_FAILURE) return false;
  const available = Math.min(MAX_LENGTH, PAGE_SIZE - (first % PAGE_SIZE));
  const length = decoder.decode(insn, memory, first, available, codeSize);
  if (length !== 0) return length > 0;
  const second = locate(available);
  if (second <= LAST_FAILURE) return false;
  bytes.set(memory.subarray(first, first + available));
  bytes.set(memory.subarray(second, second + MAX_LENGTH - available), available);
  return decoder.decode(insn, bytes, 0, MAX_LENGTH, codeSize) > 0;
}

function refersToStack(i: Insn, state: CpuState): boolean {
  const hasOperand = i.modrm >= 0 && i.mod !== REGISTER;
  if (hasOperand && i.segment < 0 && (i.base === RSP || i.base === RBP)) return true;
  if (FRAME_INSTRUCTION.test(i.row.name)) return true;
  const distance = BigInt.asIntN(64, state.scratch[ADDRESS_WORD] - state.regs[RSP]);
  const onStack = distance >= -MAX_STACK_ELEMENT && distance < MAX_STACK_ELEMENT;
  return onStack && STACK_INSTRUCTION.test(i.row.name);
}

function modifiesMemory(i: Insn): boolean {
  return i.modrm >= 0 && i.mod !== REGISTER && i.row.operands.startsWith("E") && MODIFIES.test(i.row.name);
}
