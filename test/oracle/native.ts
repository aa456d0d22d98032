/**
 * Runs x86-64 instructions on the host CPU: the oracle of the CPU tests. A page mapped executable holds a stub that
 * loads flags, general registers and the FXSAVE image, runs the bytes given, and stores everything back.
 *
 * The bytes must end by falling through, must not fault (a SIGSEGV or SIGFPE ends the process) and must not unmask SSE
 * exceptions. Unmasked x87 exceptions are fine as long as no waiting x87 instruction follows in the same run. Memory
 * operands belong into `scratch`; RSP has to point into it too.
 */

import koffi from "koffi";

/** What user-mode code sees of a CPU. */
export interface CpuImage {
  /** RAX RCX RDX RBX RSP RBP RSI RDI R8..R15 */
  readonly gpr: BigUint64Array;
  rflags: bigint;
  /** FXSAVE64 image, 512 bytes. */
  readonly fx: Uint8Array;
}

/** True where native code can run: an x86-64 Linux host. */
export const nativeAvailable = process.arch === "x64" && process.platform === "linux";

const REGION_SIZE = 0x20000;
const HOST_RSP = 0x1000;
const HOST_FX = 0x1100;
const IN = 0x1400;
const OUT = 0x1800;
const GPRS = 0x000;
const FLAGS = 0x080;
const FX = 0x100;
const SCRATCH = 0x10000;
export const SCRATCH_SIZE = REGION_SIZE - SCRATCH;
/** A far pointer to 32-bit code: offset, then selector. */
const FAR_POINTER = 0x1900;
/** Linux's selectors for user code of 32 and 64 bits, and for user data. */
const USER_CS32 = 0x23;
const USER_CS64 = 0x33;
/** DS and ES are null in 64-bit processes: 32-bit code needs better. */
const USER_DS = 0x2b;
const MAX_CODE = 0x800;
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
const OTHERS = Array.from({ length: 15 }, (_, index) => index + 1);
const MOV_LOAD = [0x8b];
const MOV_STORE = [0x89];
const FX_GROUP = [0x0f, 0xae];

function map(): Native {
  const libc = koffi.load(null);
  // SAFETY: a private anonymous mapping of our own; nothing else refers to it and it lives as long as the process.
  const mmap = libc.func("void *mmap(void *address, size_t length, int prot, int flags, int fd, long offset)");
  const pointer: unknown = mmap(null, REGION_SIZE, PROT_READ_WRITE_EXEC, MAP_PRIVATE_ANONYMOUS_32BIT, -1, 0);
  const address = koffi.address(pointer);
  const bytes = new Uint8Array(koffi.view(pointer, REGION_SIZE));
  const base = [0x48, 0xb8, ...qword(address)]; // mov rax, base
  const prologue = [
    [0x53, 0x55, 0x41, 0x54, 0x41, 0x55, 0x41, 0x56, 0x41, 0x57], // push rbx, rbp, r12-r15
    [0xb8, ...dword(USER_DS), 0x8e, 0xd8, 0x8e, 0xc0], // mov eax, USER_DS; mov ds, ax; mov es, ax
    base,
    memory(MOV_STORE, 4, HOST_RSP),
    memory(FX_GROUP, 0, HOST_FX),
    memory(FX_GROUP, 1, IN + FX),
    [0xff, 0xb0, ...dword(IN + FLAGS), 0x9d], // push flags; popfq
    ...OTHERS.map((reg) => memory(MOV_LOAD, reg, IN + GPRS + 8 * reg)),
    memory(MOV_LOAD, 0, IN + GPRS),
  ].flat();
  const epilogue = [
    [0x48, 0xa3, ...qword(address + BigInt(OUT + GPRS))], // mov [out], rax
    base,
    ...OTHERS.map((reg) => memory(MOV_STORE, reg, OUT + GPRS + 8 * reg)),
    memory(MOV_LOAD, 4, HOST_RSP),
    [0x9c, 0x8f, 0x80, ...dword(OUT + FLAGS)], // pushfq; pop
    memory(FX_GROUP, 0, OUT + FX),
    memory(FX_GROUP, 1, HOST_FX),
    [0xfc, 0x41, 0x5f, 0x41, 0x5e, 0x41, 0x5d, 0x41, 0x5c, 0x5d, 0x5b, 0xc3], // cld; pops; ret
  ].flat();
  bytes.set(prologue, 0);
  const enterType = koffi.proto("void enter(void)");
  return {
    address,
    bytes,
    enter: () => koffi.call(pointer, enterType),
    codeAt: prologue.length,
    epilogue: Uint8Array.from(epilogue),
  };
}

let mapped: Native | undefined;
const native = (): Native => (mapped ??= map());

/** Guest-visible memory for the code: a view of host memory at `scratchAddress()`. */
export const scratch = (): Uint8Array => native().bytes.subarray(SCRATCH);
export const scratchAddress = (): bigint => native().address + BigInt(SCRATCH);
/** jmp far [disp32] */
const enter32 = (address: bigint): number[] => [0xff, 0x2c, 0x25, ...dword(Number(address) + FAR_POINTER)];
/** jmp 0x33:address */
const leave32 = (address: bigint): number[] => [0xea, ...dword(Number(address)), USER_CS64, 0];

/**
 * Where `code` of runNative starts: what RIP-relative operands and x87 instruction pointers count from. 32-bit code
 * starts after the jump into that mode.
 */
export const codeAddress = (bits: 32 | 64 = 64): bigint =>
  native().address + BigInt(native().codeAt + (bits === 32 ? enter32(0n).length : 0));

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

/** Runs `code` from `state` and returns the state after it. In 32-bit code only the low halves of registers count. */
export function runNative(code: Uint8Array, state: CpuImage, bits: 32 | 64 = 64): CpuImage {
  if (code.length > MAX_CODE) throw new RangeError(`${code.length} bytes of code, at most ${MAX_CODE} fit`);
  const { address, bytes, enter, codeAt, epilogue } = native();
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  if (bits === 64) {
    bytes.set(code, codeAt);
    bytes.set(epilogue, codeAt + code.length);
  } else {
    const jump = enter32(address);
    const back = codeAt + jump.length + code.length;
    const leave = leave32(address + BigInt(back + leave32(0n).length));
    bytes.set(jump, codeAt);
    bytes.set(code, codeAt + jump.length);
    bytes.set(leave, back);
    bytes.set(epilogue, back + leave.length);
    view.setUint32(FAR_POINTER, Number(address) + codeAt + jump.length, true);
    view.setUint16(FAR_POINTER + 4, USER_CS32, true);
  }
  state.gpr.forEach((value, index) => {
    view.setBigUint64(IN + GPRS + 8 * index, value, true);
  });
  view.setBigUint64(IN + FLAGS, state.rflags, true);
  bytes.set(state.fx, IN + FX);
  enter();
  const gpr = new BigUint64Array(16);
  for (let index = 0; index < 16; index++)
    gpr[index] = BigInt.asUintN(bits, view.getBigUint64(OUT + GPRS + 8 * index, true));
  return { gpr, rflags: view.getBigUint64(OUT + FLAGS, true), fx: bytes.slice(OUT + FX, OUT + FX + 512) };
}
