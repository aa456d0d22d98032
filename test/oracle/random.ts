/** Seeded random numbers for tests: xorshift32 and values that tend to be interesting. */

export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = (Math.imul(seed, 0x9e3779b1) ^ 0x6a09e667) | 0 || 1;
    for (let i = 0; i < 4; i++) this.u32();
  }

  u32(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x;
    return x >>> 0;
  }

  u64(): bigint {
    return (BigInt(this.u32()) << 32n) | BigInt(this.u32());
  }

  /** 0 to limit - 1 */
  below(limit: number): number {
    return this.u32() % limit;
  }

  /** True once in `times`. */
  oneIn(times: number): boolean {
    return this.below(times) === 0;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)];
  }

  /** A 64-bit integer, often near a boundary of some size. */
  integer(): bigint {
    const bits = this.pick([8, 16, 32, 64]);
    switch (this.below(8)) {
      case 0:
        return BigInt(this.below(4));
      case 1:
        return BigInt.asUintN(64, BigInt(-this.below(4)));
      case 2:
        return BigInt.asUintN(64, (1n << BigInt(bits - 1)) + BigInt(this.below(5) - 2));
      case 3:
        return BigInt.asUintN(64, (1n << BigInt(bits)) + BigInt(this.below(5) - 2));
      case 4:
        return 1n << BigInt(this.below(64));
      case 5:
        return BigInt.asUintN(bits, this.u64());
      case 6:
        return BigInt(this.below(128));
      default:
        return this.u64();
    }
  }
}
