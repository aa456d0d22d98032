/**
 * Faults of native code: SIGSEGV, SIGBUS, SIGFPE, SIGILL and SIGTRAP enter machine code of ours, on a stack of its own,
 * which the stub of native.ts provides. Nothing of JavaScript runs in a signal handler.
 */

import koffi from "koffi";

const SIGILL = 4;
const SIGTRAP = 5;
const SIGBUS = 7;
const SIGFPE = 8;
const SIGSEGV = 11;
export const FAULT_SIGNALS = [SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV] as const;

const SA_SIGINFO = 4;
const SA_ONSTACK = 0x0800_0000;
const SA_NODEFER = 0x4000_0000;
/** glibc's struct sigaction: handler, mask of 128 bytes, flags, restorer. */
const SIGACTION_SIZE = 152;
const SIGACTION_FLAGS = 136;

// Where things are in the ucontext_t that a handler gets.
/** R8..R15 RDI RSI RBP RBX RDX RAX RCX RSP RIP EFLAGS CS ERR TRAPNO OLDMASK CR2 */
export const CONTEXT_REGISTERS = 40;
export const CONTEXT_REGISTER_COUNT = 23;
/** Pointer to an FXSAVE image. */
export const CONTEXT_FLOAT = 224;
/** Indices of RAX RCX RDX RBX RSP RBP RSI RDI R8..R15 */
export const CONTEXT_ORDER = [13, 14, 12, 11, 15, 10, 9, 8, 0, 1, 2, 3, 4, 5, 6, 7] as const;
export const CONTEXT_RIP = 16;
export const CONTEXT_FLAGS = 17;
/** CS GS FS SS, 16 bits each. */
export const CONTEXT_SEGMENTS = 18;
export const CONTEXT_ERROR = 19;
export const CONTEXT_TRAP = 20;
export const CONTEXT_CR2 = 22;

/**
 * Makes `handler` the handler of all faults, on the stack given. Returns the handlers before (0: none), in the order of
 * FAULT_SIGNALS, which `handler` has to pass on what is not its own to.
 */
export function catchFaults(handler: bigint, stack: bigint, stackSize: number): bigint[] {
  const libc = koffi.load(null);
  const sigaltstack = libc.func("int sigaltstack(const void *stack, void *old)");
  const sigaction = libc.func("int sigaction(int signal, const void *action, void *old)");
  const stackT = Buffer.alloc(24);
  stackT.writeBigUInt64LE(stack, 0);
  stackT.writeBigUInt64LE(BigInt(stackSize), 16);
  // SAFETY: both structures are read before the call returns; stack and handler live as long as the process.
  if (sigaltstack(stackT, null) !== 0) throw new Error("sigaltstack failed");
  const action = Buffer.alloc(SIGACTION_SIZE);
  action.writeBigUInt64LE(handler, 0);
  action.writeUInt32LE(SA_SIGINFO | SA_ONSTACK | SA_NODEFER, SIGACTION_FLAGS);
  return FAULT_SIGNALS.map((signal) => {
    const old = Buffer.alloc(SIGACTION_SIZE);
    if (sigaction(signal, action, old) !== 0) throw new Error("sigaction failed");
    return old.readBigUInt64LE(0);
  });
}
