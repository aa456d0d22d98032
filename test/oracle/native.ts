/**
 * Runs x86 instructions on the host CPU: the oracle of the CPU tests. A page mapped executable holds a stub that loads
 * segment registers, flags, general registers and the FXSAVE image, runs the bytes given, and stores everything back.
 *
 * The bytes end by falling through or by a fault, which is caught (signals.ts) and reported. Memory operands belong into
 * `scratch`; nothing keeps them from the rest of the process.
 */

import koffi from "koffi";
import { installSegments, LINUX_SEGMENTS, type Segment, segmentTable } from "./descriptors.ts";
import {
  CONTEXT_CR2,
  CONTEXT_ERROR,
  CONTEXT_FLAGS,
  CONTEXT_FLOAT,
  CONTEXT_ORDER,
  CONTEXT_REGISTER_COUNT,
  CONTEXT_REGISTERS,
  CONTEXT_RIP,
  CONTEXT_SEGMENTS,
  CONTEXT_TRAP,
  catchFaults,
  FAULT_SIGNALS,
} from "./signals.ts";

/** An exception, as its handler sees it. */
export interface Fault {
  readonly vector: number;
  readonly error: number;
  /** Offset of the instruction to go on with. */
  readonly rip: bigint;
  /** CR2 of a page fault. */
  readonly address: bigint;
}

/** What user-mode code sees of a CPU. */
export interface CpuImage {
  /** RAX RCX RDX RBX RSP RBP RSI RDI R8..R15 */
  readonly gpr: BigUint64Array;
  rflags: bigint;
  /** FXSAVE64 image, 512 bytes. */
  readonly fx: Uint8Array;
  /** ES CS SS DS FS GS after the code, CS and FS being what they were. */
  selectors?: readonly number[];
  /** What ended the code before it fell through. */
  fault?: Fault;
}

export type Bits = 16 | 32 | 64;

/** True where native code can run: an x86-64 Linux host. */
export const nativeAvailable = process.arch === "x64" && process.platform === "linux";

// The region: code, the stub's data, the signal stack, and scratch memory.
const REGION_SIZE = 0x20000;
const HOST_RSP = 0x1000;
const ACTIVE = 0x1008;
const OLD_HANDLERS = 0x1010;
const HOST_FX = 0x1100;
/** A far pointer to 16-bit or 32-bit code: offset, then selector. */
const FAR_POINTER = 0x1300;
const CONTEXT = 0x1310;
const IN = 0x1400;
const OUT = 0x1800;
const GPRS = 0x000;
const FLAGS = 0x080;
const SELECTORS = 0x088;
const FX = 0x100;
const SIGNAL_STACK = 0x2000;
const SCRATCH = 0x10000;
const SIGNAL_STACK_SIZE = SCRATCH - SIGNAL_STACK;
export const SCRATCH_SIZE = REGION_SIZE - SCRATCH;
const PAGE = 4096;

/** Pages of scratch that code cannot reach, or only read. */
export const ABSENT_PAGE = 0xb000;
export const READ_ONLY_PAGE = 0xd000;

/** Linux's selectors for user code of 32 and 64 bits, and for user data. */
const USER_CS32 = 0x23;
const USER_CS64 = 0x33;
const USER_DS = 0x2b;
const MAX_CODE = 0x800;
const CLEAN_FLAGS = 0x202;
const PROT_NONE = 0;
const PROT_READ = 1;
const PROT_READ_WRITE_EXEC = 7;
/** Below 2 GiB, so that 32-bit addresses reach it. */
const MAP_PRIVATE_ANONYMOUS_32BIT = 0x62;

interface Native {
  readonly address: bigint;
  readonly bytes: Uint8Array;
  readonly enter: () => void;
  readonly codeAt: number;
  readonly epilogue: Uint8Array;
}

const dword = (value: number): number[] => [value, value >> 8, value >> 16, value >> 24].map((byte) => byte & 0xff);
const qword = (value: bigint): number[] =>
  Array.from({ length: 8 }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn));

/** op reg, [rax + disp32] with REX.W */
const memory = (opcode: number[], reg: number, disp: number): number[] => [
  0x48 | (reg >> 3 ? 4 : 0),
  ...opcode,
  0x80 | ((reg & 7) << 3),
  ...dword(disp),
];
/** mov sreg, [rax + disp32], or mov [rax + disp32], sreg */
const moveSegment = (opcode: number, segment: number, disp: number): number[] => [
  opcode,
  0x80 | (segment << 3),
  ...dword(disp),
];
const LOAD_SEGMENT = 0x8e;
const STORE_SEGMENT = 0x8c;
const OTHERS = Array.from({ length: 15 }, (_, index) => index + 1);
const MOV_LOAD = [0x8b];
const MOV_STORE = [0x89];
const LEA = [0x8d];
const FX_GROUP = [0x0f, 0xae];
const RDI = 7;
const RSP = 4;
const SS = 2;

/** ES SS DS GS, as the code finds them; CS follows from its size, FS is the C library's. */
const LOADED_SEGMENTS = [0, 2, 3, 5];

function prologue(address: bigint): number[] {
  return [
    [0x53, 0x55, 0x41, 0x54, 0x41, 0x55, 0x41, 0x56, 0x41, 0x57], // push rbx, rbp, r12-r15
    [0x48, 0xb8, ...qword(address)], // mov rax, address
    memory(MOV_STORE, RSP, HOST_RSP),
    memory(FX_GROUP, 0, HOST_FX),
    memory(FX_GROUP, 1, IN + FX),
    [0xff, 0xb0, ...dword(IN + FLAGS), 0x9d], // push flags; popfq
    ...LOADED_SEGMENTS.map((segment) => moveSegment(LOAD_SEGMENT, segment, IN + SELECTORS + 2 * segment)),
    ...OTHERS.map((reg) => memory(MOV_LOAD, reg, IN + GPRS + 8 * reg)),
    memory(MOV_LOAD, 0, IN + GPRS),
  ].flat();
}

/** With rax = address: back to the caller. */
const LEAVE = [
  memory(MOV_LOAD, RSP, HOST_RSP),
  [0xb9, ...dword(USER_DS), 0x8e, 0xd1], // mov ecx, USER_DS; mov ss, ecx
  [0x68, ...dword(CLEAN_FLAGS), 0x9d], // push CLEAN_FLAGS; popfq
  memory(FX_GROUP, 1, HOST_FX),
  [0xc6, 0x80, ...dword(ACTIVE), 0], // mov byte [rax + ACTIVE], 0
  [0x41, 0x5f, 0x41, 0x5e, 0x41, 0x5d, 0x41, 0x5c, 0x5d, 0x5b, 0xc3], // pops; ret
].flat();

function epilogue(address: bigint): number[] {
  return [
    [0x48, 0xa3, ...qword(address + BigInt(OUT + GPRS))], // mov [out], rax
    [0x48, 0xb8, ...qword(address)],
    ...OTHERS.map((reg) => memory(MOV_STORE, reg, OUT + GPRS + 8 * reg)),
    ...LOADED_SEGMENTS.map((segment) => moveSegment(STORE_SEGMENT, segment, OUT + SELECTORS + 2 * segment)),
    memory(MOV_LOAD, RSP, HOST_RSP),
    [0x9c, 0x8f, 0x80, ...dword(OUT + FLAGS)], // pushfq; pop
    memory(FX_GROUP, 0, OUT + FX),
    LEAVE,
  ].flat();
}

/** The signal handler: copies the context and leaves the stub; passes on what happened elsewhere. */
function handler(address: bigint): number[] {
  const copy = (to: number, count: number): number[] => [
    ...memory(LEA, RDI, to), // lea rdi, [rax + to]
    ...[0xb9, ...dword(count), 0xf3, 0x48, 0xa5], // mov ecx, count; rep movsq
  ];
  const take = [
    [0x68, ...dword(CLEAN_FLAGS), 0x9d],
    [0x48, 0x8d, 0x72, CONTEXT_REGISTERS], // lea rsi, [rdx + CONTEXT_REGISTERS]
    copy(CONTEXT, CONTEXT_REGISTER_COUNT),
    [0x48, 0x8b, 0xb2, ...dword(CONTEXT_FLOAT)], // mov rsi, [rdx + CONTEXT_FLOAT]
    copy(OUT + FX, 64),
    LOADED_SEGMENTS.flatMap((segment) => moveSegment(STORE_SEGMENT, segment, OUT + SELECTORS + 2 * segment)),
    LEAVE,
  ].flat();
  return [
    [0x48, 0xb8, ...qword(address)],
    [0x80, 0xb8, ...dword(ACTIVE), 0], // cmp byte [rax + ACTIVE], 0
    [0x0f, 0x84, ...dword(take.length)], // je: not ours
    take,
    [0xff, 0xa4, 0xf8, ...dword(OLD_HANDLERS)], // jmp [rax + rdi * 8 + OLD_HANDLERS]
  ].flat();
}

function map(): Native {
  const libc = koffi.load(null);
  // SAFETY: a private anonymous mapping of our own; nothing else refers to it and it lives as long as the process.
  const mmap = libc.func("void *mmap(void *address, size_t length, int prot, int flags, int fd, long offset)");
  const mprotect = libc.func("int mprotect(void *address, size_t length, int prot)");
  const pointer: unknown = mmap(null, REGION_SIZE, PROT_READ_WRITE_EXEC, MAP_PRIVATE_ANONYMOUS_32BIT, -1, 0);
  const address = koffi.address(pointer);
  const bytes = new Uint8Array(koffi.view(pointer, REGION_SIZE));
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const start = prologue(address);
  bytes.set(start, 0);
  const handlerAt = start.length + MAX_CODE;
  bytes.set(handler(address), handlerAt);
  const old = catchFaults(address + BigInt(handlerAt), address + BigInt(SIGNAL_STACK), SIGNAL_STACK_SIZE);
  for (const [index, signal] of FAULT_SIGNALS.entries()) view.setBigUint64(OLD_HANDLERS + 8 * signal, old[index], true);
  for (let at = 0; at < PAGE; at++) bytes[SCRATCH + READ_ONLY_PAGE + at] = readOnlyByte(at);
  // SAFETY: JavaScript keeps away from the first page and does not write to the second.
  mprotect(address + BigInt(SCRATCH + ABSENT_PAGE), PAGE, PROT_NONE);
  mprotect(address + BigInt(SCRATCH + READ_ONLY_PAGE), PAGE, PROT_READ);
  const enterType = koffi.proto("void enter(void)");
  return {
    address,
    bytes,
    enter: () => koffi.call(pointer, enterType),
    codeAt: start.length,
    epilogue: Uint8Array.from(epilogue(address)),
  };
}

/** What the read-only page holds at an offset. */
export const readOnlyByte = (at: number): number => (at * 0x9d + (at >> 3)) & 0xff;

let mapped: Native | undefined;
const native = (): Native => (mapped ??= map());

/** Guest-visible memory for the code: a view of host memory at `scratchAddress()`. */
export const scratch = (): Uint8Array => native().bytes.subarray(SCRATCH);
export const scratchAddress = (): bigint => native().address + BigInt(SCRATCH);
/** Segments other than the flat ones: only for code that runs after `useSegments`. */
export const segments = (): ReturnType<typeof segmentTable> => segmentTable(native().address, scratchAddress());

let refusal: string | false | undefined;

/** Makes `segments()` loadable, for 16-bit code and others. Returns undefined, or why the system refuses that. */
export function useSegments(): string | undefined {
  refusal ??= installSegments(Object.values(segments())) ?? false;
  return refusal || undefined;
}

/** Flat data in all segments. */
export const FLAT: readonly Segment[] = Array.from({ length: 6 }, () => LINUX_SEGMENTS[(USER_DS >> 3) - 1]);

/** jmp far [disp32] */
const enterNarrow = (address: bigint): number[] => [0xff, 0x2c, 0x25, ...dword(Number(address) + FAR_POINTER)];
/** jmp 0x33:address */
const leaveNarrow = (address: bigint, bits: 16 | 32): number[] => [
  ...(bits === 16 ? [0x66] : []),
  ...[0xea, ...dword(Number(address)), USER_CS64, 0],
];

/**
 * Offset in CS where `code` of runNative starts: what RIP-relative operands and x87 instruction pointers count from.
 * 16-bit and 32-bit code starts after the jump into that mode, and the segment of 16-bit code at the region's start.
 */
export function codeAddress(bits: Bits = 64): bigint {
  const at = BigInt(native().codeAt + (bits === 64 ? 0 : enterNarrow(0n).length));
  return bits === 16 ? at : native().address + at;
}

/** A state that is safe to run: x87 and SSE as after reset (all masked), RSP in the middle of scratch. */
export function newImage(): CpuImage {
  const image: CpuImage = { gpr: new BigUint64Array(16), rflags: 0x202n, fx: new Uint8Array(512) };
  image.gpr[4] = scratchAddress() + BigInt(SCRATCH_SIZE / 2);
  const view = new DataView(image.fx.buffer);
  view.setUint16(0, 0x37f, true);
  view.setUint32(24, 0x1f80, true);
  view.setUint32(28, 0xffff, true);
  return image;
}

export const copyImage = (image: CpuImage): CpuImage => ({
  gpr: image.gpr.slice(),
  rflags: image.rflags,
  fx: image.fx.slice(),
});

/**
 * Runs `code` from `state` and returns the state after it. In 16-bit and 32-bit code only the low halves of registers
 * count. `loaded` is what ES, SS, DS and GS hold, in the order of the segment registers.
 */
export function runNative(
  code: Uint8Array,
  state: CpuImage,
  bits: Bits = 64,
  loaded: readonly Segment[] = FLAT,
): CpuImage {
  if (code.length > MAX_CODE - 0x200) throw new RangeError(`${code.length} bytes of code do not fit`);
  const { address, bytes, enter, codeAt, epilogue } = native();
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  if (bits === 64) {
    bytes.set(code, codeAt);
    bytes.set(epilogue, codeAt + code.length);
  } else {
    const jump = enterNarrow(address);
    const back = codeAt + jump.length + code.length;
    const leave = leaveNarrow(address + BigInt(back + leaveNarrow(0n, bits).length), bits);
    bytes.set(jump, codeAt);
    bytes.set(code, codeAt + jump.length);
    bytes.set(leave, back);
    bytes.set(epilogue, back + leave.length);
    view.setUint32(FAR_POINTER, Number(codeAddress(bits)), true);
    view.setUint16(FAR_POINTER + 4, bits === 32 ? USER_CS32 : segments().code16.selector, true);
  }
  state.gpr.forEach((value, index) => {
    view.setBigUint64(IN + GPRS + 8 * index, value, true);
  });
  for (const index of LOADED_SEGMENTS) view.setUint16(IN + SELECTORS + 2 * index, loaded[index].selector, true);
  view.setBigUint64(IN + FLAGS, state.rflags, true);
  bytes.set(state.fx, IN + FX);
  const context = (index: number): bigint => view.getBigUint64(CONTEXT + 8 * index, true);
  view.setBigInt64(CONTEXT + 8 * CONTEXT_TRAP, -1n, true);
  bytes[ACTIVE] = 1;
  enter();
  const gpr = new BigUint64Array(16);
  const fx = bytes.slice(OUT + FX, OUT + FX + 512);
  const vector = Number(BigInt.asIntN(64, context(CONTEXT_TRAP)));
  for (let index = 0; index < 16; index++) {
    const value = vector < 0 ? view.getBigUint64(OUT + GPRS + 8 * index, true) : context(CONTEXT_ORDER[index]);
    gpr[index] = bits === 64 ? value : value & 0xffff_ffffn;
  }
  const selectors = loaded.map(({ selector }, index) =>
    LOADED_SEGMENTS.includes(index) ? view.getUint16(OUT + SELECTORS + 2 * index, true) : selector,
  );
  if (vector < 0) return { gpr, rflags: view.getBigUint64(OUT + FLAGS, true), fx, selectors };
  // The kernel has loaded its own SS for the handler.
  selectors[SS] = Number(context(CONTEXT_SEGMENTS) >> 48n);
  const fault: Fault = {
    vector,
    error: Number(context(CONTEXT_ERROR)),
    rip: context(CONTEXT_RIP),
    address: context(CONTEXT_CR2),
  };
  return { gpr, rflags: context(CONTEXT_FLAGS), fx, selectors, fault };
}
