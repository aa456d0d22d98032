/**
 * Model-specific registers that are more than a field of env (assembly/syscalls.ts answers those). Intel SDM volume 4;
 * AMD APM volume 2, appendix A. A register that does not exist raises #GP, as does a reserved bit. The value travels in
 * env.scratch[0].
 */

import type { LocalApicPort } from "../../../core/cpu.ts";
import type { State } from "../../../core/state/state.ts";
import type { CpuModel } from "../../x86/cpuid.ts";
import type { CPU_STATE } from "../env.ts";

type CpuState = State<typeof CPU_STATE>;

const MSR_TSC = 0x10;
const MSR_APIC_BASE = 0x1b;
const MSR_FEATURE_CONTROL = 0x3a;
const MSR_BIOS_SIGN_ID = 0x8b;
const MSR_MTRRCAP = 0xfe;
const MSR_MCG_CAP = 0x179;
const MSR_MCG_STATUS = 0x17a;
const MSR_MCG_CTL = 0x17b;
const MSR_PERF_STATUS = 0x198;
const MSR_MISC_ENABLE = 0x1a0;
const MSR_MTRR_PHYS = 0x200;
const MSR_MTRR_FIX = [0x250, 0x258, 0x259, 0x268, 0x269, 0x26a, 0x26b, 0x26c, 0x26d, 0x26e, 0x26f];
const MSR_MTRR_DEF_TYPE = 0x2ff;
const MSR_MC0_CTL = 0x400;
const MSR_TSC_DEADLINE = 0x6e0;
const MSR_X2APIC = 0x800;
/** Reads as zero and ignores writes: what kernels of either vendor touch without asking. */
const MSR_IGNORED = new Set([
  0x17, 0xc1, 0xc2, 0x186, 0x187, 0x1d9, 0x1db, 0x1dc, 0x1dd, 0x1de, 0xc0010010, 0xc0010015, 0xc001001f, 0xc0010055,
  0xc0010112, 0xc0010113, 0xc0010117, 0xc0011029,
]);

const MTRR_CAP = 0x508n; // eight variable ranges, fixed ranges, write-combining
const MCG_CAP = 0x10an; // ten banks, MCG_CTL
const MC_BANKS = 10;
/** The time-stamp counter runs at 1 GHz: one tick a nanosecond of guest time. */
export const TSC_HZ = 1_000_000_000;

const isMtrrType = (type: number): boolean => type <= 6 && type !== 2 && type !== 3;
const bytesOf = (value: bigint): number[] =>
  Array.from({ length: 8 }, (_, i) => Number((value >> BigInt(i * 8)) & 0xffn));

export class Msrs {
  readonly #s: CpuState;
  readonly #apic: LocalApicPort | undefined;
  readonly #model: CpuModel;

  constructor(state: CpuState, apic: LocalApicPort | undefined, model: CpuModel) {
    this.#s = state;
    this.#apic = apic;
    this.#model = model;
  }

  /** The time-stamp counter at `now` ns of guest time. */
  tsc(now: number): bigint {
    return BigInt.asUintN(64, BigInt(Math.floor(now)) + this.#s.tscOffset);
  }

  /** When the counter reaches `tsc`, in ns of guest time. */
  timeOfTsc(tsc: bigint): number {
    return Number(BigInt.asIntN(64, tsc - this.#s.tscOffset));
  }

  /** Reads into scratch[0]; 0 means #GP. */
  read(index: number, now: number): number {
    const value = this.#get(index, now);
    if (value === undefined) return 0;
    this.#s.scratch[0] = BigInt.asUintN(64, value);
    return 1;
  }

  /** Writes scratch[0]; 0 means #GP. */
  write(index: number, now: number): number {
    return this.#set(index, this.#s.scratch[0], now) ? 1 : 0;
  }

  #get(index: number, now: number): bigint | undefined {
    const s = this.#s;
    if (index >= MSR_X2APIC && index < MSR_X2APIC + 0x100) {
      const value = this.#apic?.readMsr(index - MSR_X2APIC);
      return value && (BigInt(value.hi >>> 0) << 32n) | BigInt(value.lo >>> 0);
    }
    if (index >= MSR_MTRR_PHYS && index < MSR_MTRR_PHYS + 16) return s.mtrrVariable[index - MSR_MTRR_PHYS];
    if (MSR_MTRR_FIX.includes(index)) return s.mtrrFixed[MSR_MTRR_FIX.indexOf(index)];
    if (index >= MSR_MC0_CTL && index < MSR_MC0_CTL + MC_BANKS * 4) return s.mceBanks[index - MSR_MC0_CTL];
    switch (index) {
      case MSR_TSC:
        return this.tsc(now);
      case MSR_APIC_BASE:
        return this.#apic ? BigInt(this.#apic.base) : undefined;
      case MSR_FEATURE_CONTROL:
        return this.#model.has("vmx") ? 1n : undefined;
      case MSR_BIOS_SIGN_ID:
        return s.microcode;
      case MSR_MTRRCAP:
        return MTRR_CAP;
      case MSR_MCG_CAP:
        return MCG_CAP;
      case MSR_MCG_STATUS:
        return s.mcgStatus;
      case MSR_MCG_CTL:
        return s.mcgControl;
      case MSR_PERF_STATUS:
        return (4n << 40n) | 1000n;
      case MSR_MISC_ENABLE:
        return s.miscEnable;
      case MSR_MTRR_DEF_TYPE:
        return s.mtrrDefType;
      case MSR_TSC_DEADLINE:
        return this.#model.has("tsc-deadline") ? this.#apic?.tscDeadline : undefined;
    }
    return MSR_IGNORED.has(index) ? 0n : undefined;
  }

  #set(index: number, value: bigint, now: number): boolean {
    const s = this.#s;
    if (index >= MSR_X2APIC && index < MSR_X2APIC + 0x100) {
      const low = Number(value & 0xffffffffn);
      return this.#apic?.writeMsr(index - MSR_X2APIC, low, Number(value >> 32n)) ?? false;
    }
    if (index >= MSR_MTRR_PHYS && index < MSR_MTRR_PHYS + 16) {
      s.mtrrVariable[index - MSR_MTRR_PHYS] = value;
      return true;
    }
    if (MSR_MTRR_FIX.includes(index)) {
      if (!bytesOf(value).every(isMtrrType)) return false;
      s.mtrrFixed[MSR_MTRR_FIX.indexOf(index)] = value;
      return true;
    }
    if (index >= MSR_MC0_CTL && index < MSR_MC0_CTL + MC_BANKS * 4) {
      s.mceBanks[index - MSR_MC0_CTL] = value;
      return true;
    }
    switch (index) {
      case MSR_TSC:
        s.tscOffset = BigInt.asUintN(64, value - BigInt(Math.floor(now)));
        return true;
      case MSR_APIC_BASE:
        return this.#apic?.setBase(Number(value)) ?? false;
      case MSR_BIOS_SIGN_ID:
        return true;
      case MSR_MCG_STATUS:
        s.mcgStatus = value;
        return true;
      case MSR_MCG_CTL:
        s.mcgControl = value;
        return true;
      case MSR_MISC_ENABLE:
        s.miscEnable = value;
        return true;
      case MSR_MTRR_DEF_TYPE:
        if ((value & ~0xcffn) !== 0n || !isMtrrType(Number(value & 0xffn))) return false;
        s.mtrrDefType = value;
        return true;
      case MSR_TSC_DEADLINE:
        if (!this.#apic || !this.#model.has("tsc-deadline")) return false;
        this.#apic.tscDeadline = value;
        return true;
    }
    return MSR_IGNORED.has(index);
  }
}
