/**
 * What each helper does to the guest registers that compiled code keeps in locals. A helper that is not listed may do
 * anything, such as take a mask from XMM0. The masks count RAX to R15 as bits 0 to 15 and ccOp, ccDst, ccSrc,
 * ccSrc2 and ccCarry as bits 16 to 20.
 */

export interface Effect {
  /** Slots it reads and writes in env. */
  readonly reads: number;
  readonly writes: number;
  /** It works on vectors whose places are in its immediate: destination in the low half, source in the high half. */
  readonly vector: boolean;
  /** XMM registers that it reads besides, as a mask. */
  readonly xmm: number;
  /** It may raise an exception: env must be complete. */
  readonly throws: boolean;
  /** It may store to guest memory, and so to code. */
  readonly stores: boolean;
  /** It may put another TLB to use. */
  readonly tlb: boolean;
  /** All registers and vectors. */
  readonly anything: boolean;
}

export const ALL_SLOTS = 0x1fffff;
export const FLAG_SLOTS = 0x1f0000;
const CC_OP = 1 << 16;
const CC_SRC = 1 << 18;
const RAX = 1 << 0;
const RCX = 1 << 1;
const RDX = 1 << 2;
const RBX = 1 << 3;
const RSI = 1 << 6;
const RDI = 1 << 7;

const ANYTHING: Effect = {
  reads: ALL_SLOTS,
  writes: ALL_SLOTS,
  vector: true,
  xmm: 0xffff,
  throws: true,
  stores: true,
  tlb: true,
  anything: true,
};
const PURE: Effect = {
  reads: 0,
  writes: 0,
  vector: false,
  xmm: 0,
  throws: false,
  stores: false,
  tlb: false,
  anything: false,
};
const FAULTS: Effect = { ...PURE, throws: true };
const VECTOR: Effect = { ...PURE, vector: true };

const EFFECTS = new Map<string, Effect>();

function declare(effect: Effect, names: string): void {
  for (const name of names.split(/\s+/)) EFFECTS.set(name, effect);
}

declare(PURE, "mulHighUnsigned mulHighSigned crc32 pdep pext sti pause");
declare({ ...PURE, tlb: true }, "setAlignmentCheck");
declare({ ...PURE, reads: FLAG_SLOTS }, "computeFlags computeFlagsOf computeCarry");
declare(FAULTS, "segmentCheck checkAligned16 probeStore raiseException raiseExceptionError ldmxcsr mmxEnter emms");
declare(FAULTS, "readSegmentBase writeSegmentBase");
declare({ ...FAULTS, reads: FLAG_SLOTS }, "pushfImage");
declare({ ...FAULTS, reads: RAX | RDX, writes: RAX | RDX }, "divideUnsigned divideSigned");
declare({ ...FAULTS, writes: RAX | RCX | RDX }, "rdtsc");
declare(
  {
    ...FAULTS,
    reads: RAX | RCX | RDX | RBX | FLAG_SLOTS,
    writes: RAX | RDX | CC_OP | CC_SRC,
    stores: true,
  },
  "cmpxchg8b cmpxchg16b",
);
declare(
  {
    ...FAULTS,
    reads: RAX | RCX | RDX | RSI | RDI | FLAG_SLOTS,
    writes: RAX | RCX | RSI | RDI | FLAG_SLOTS,
    stores: true,
  },
  "repeatString",
);
declare(
  VECTOR,
  `pmulhw pmulhuw pmulhrsw pmuludq pmuldq pmaddubsw psadbw psllw pslld psllq psrlw psrld psrlq psraw psrad
  shiftImmediate pslldq psrldq palignr palignr64 pshufb pshufb64 pshufd pshufw pshuflw pshufhw shufps shufpd phaddw
  phaddd phaddsw phsubw phsubd phsubsw psignb psignw psignd phminposuw mpsadbw pblendw
  moveMask extractElement insertElement insertps aesenc aesenclast aesdec aesdeclast aesimc aeskeygenassist pclmulqdq
  sha1msg1 sha1msg2 sha1nexte sha1rnds4 sha256msg1 sha256msg2 cvtdq2pd rcp rsqrt`,
);
declare({ ...VECTOR, xmm: 1 << 0 }, "pblendvb blendvps blendvpd sha256rnds2");
declare(
  { ...VECTOR, throws: true },
  `cvtss2sd cvtsd2ss cvtps2pd cvtpd2ps cvtsi2ss cvtsi2sd cvtss2si cvtsd2si cvtdq2ps cvtps2dq cvtpd2dq
  fpScalar32 fpScalar64 fpPacked32 fpPacked64 addsubps addsubpd fpHorizontal32 fpHorizontal64 dpps dppd fpCompare32
  fpCompare64 fpRound32 fpRound64`,
);
declare({ ...VECTOR, writes: CC_OP | CC_SRC }, "ptest");
declare({ ...VECTOR, reads: RAX | RDX, writes: RCX | CC_OP | CC_SRC }, "pcmpstri");
declare({ ...VECTOR, throws: true, writes: CC_OP | CC_SRC }, "comiss comisd");
declare(
  FAULTS,
  `x87Arithmetic x87Load x87LoadSt x87LoadConstant x87StoreSt x87Exchange x87ConditionalMove x87Sign x87Unary x87Wait
  x87Nop x87Rotate x87Free x87Init x87ClearExceptions x87LoadControl x87StatusWord`,
);
declare({ ...FAULTS, stores: true }, "x87Store");
declare({ ...FAULTS, reads: FLAG_SLOTS, writes: FLAG_SLOTS }, "x87Compare");

export function effectOf(helper: string): Effect {
  return EFFECTS.get(helper) ?? ANYTHING;
}
