/**
 * Helpers that compiled code replaces by instructions of its own. What each computes is said where the helper is
 * (assembly/sse-int.ts, sse-float.ts, sse-convert.ts, integer.ts); the results, MXCSR included, are the same bits.
 *
 * An intrinsic leaves its result on the stack. A guarded one covers the common case only: it branches to the slow arm,
 * which calls the helper, before it has changed anything.
 */

import type { Value } from "../ir/builder.ts";
import type { Code, ValueType } from "./encoder.ts";
import { CONVERSION_INTRINSICS } from "./intrinsics-convert.ts";
import { FLOAT_INTRINSICS } from "./intrinsics-float.ts";
import { INTEGER_INTRINSICS } from "./intrinsics-integer.ts";
import { VECTOR_INTRINSICS } from "./intrinsics-vector.ts";

/** Where the operands are: what the emitter of an intrinsic works with. Each push returns the code, to go on with. */
export interface Site {
  readonly code: Code;
  /** Pushes the vectors that the helper's immediate names. */
  destination(): Code;
  source(): Code;
  /** Pushes a vector register by its place in env. */
  vector(place: Value): Code;
  /** Pushes the helper's arguments as 64-bit integers. */
  a(): Code;
  b(): Code;
  /** Pushes argument a as a double. */
  aDouble(): Code;
  /** Pushes a 64-bit slot. */
  slot(slot: Value): Code;
  /** Pushes a 32-bit field of env. */
  field(offset: number): Code;
  /** A local for the time of the intrinsic. */
  local(type: ValueType): number;
  /** Takes a condition from the stack and goes to the slow arm if it holds. */
  slowIf(): void;
}

export interface Intrinsic {
  /** What is left on the stack: the destination vector, the call's result, arithmetic flags for ccSrc, RAX and RDX. */
  readonly result: "vector" | "value" | "flags" | "registers";
  readonly guarded: boolean;
  /** Slots it reads. */
  readonly slots?: readonly Value[];
  emit(site: Site): void;
}

/** The arguments as far as they are known when code is made. */
export interface Arguments {
  readonly a: number | undefined;
  readonly b: number | undefined;
  readonly imm: number;
}

/** Chooses the intrinsic for given arguments, if there is one. */
export type Choice = (arguments_: Arguments) => Intrinsic | undefined;

const CHOICES = new Map<string, Choice>([
  ...Object.entries(VECTOR_INTRINSICS),
  ...Object.entries(FLOAT_INTRINSICS),
  ...Object.entries(CONVERSION_INTRINSICS),
  ...Object.entries(INTEGER_INTRINSICS),
]);

export function intrinsicFor(helper: string, arguments_: Arguments): Intrinsic | undefined {
  return CHOICES.get(helper)?.(arguments_);
}

/** Helpers that have one for some arguments. */
export const INTRINSIC_HELPERS: readonly string[] = [...CHOICES.keys()];
