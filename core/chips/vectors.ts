/** 256 bits of interrupt vectors in eight registers: IRR, ISR and TMR. */

/** Eight 32-bit words. */
export interface VectorSet {
  [word: number]: number;
}

/** The highest vector in the set, or -1. */
export function highestVector(set: VectorSet): number {
  for (let i = 7; i >= 0; i--) {
    const word = set[i];
    if (word !== 0) return (i << 5) + 31 - Math.clz32(word);
  }
  return -1;
}

export function hasVector(set: VectorSet, vector: number): boolean {
  return ((set[vector >> 5] >>> (vector & 31)) & 1) !== 0;
}

export function setVector(set: VectorSet, vector: number, on: boolean): void {
  const bit = 1 << (vector & 31);
  if (on) set[vector >> 5] |= bit;
  else set[vector >> 5] &= ~bit;
}
