/**
 * The x86 instruction decoder: Intel SDM volume 2, chapter 2 (formats) and appendix A (maps), driven by opcode rows.
 *
 * Invariants:
 *  - Nothing is allocated per instruction: the caller's Insn is overwritten as a whole.
 *  - No byte beyond `available` is read, and none beyond the fifteenth.
 *  - Several rows may share an opcode byte; the one with the most constraints that hold wins, and a mandatory prefix
 *    outranks everything. Rows whose CPU feature is absent do not take part, so that TZCNT becomes BSF and the like.
 */

import { BASE_RIP, type Insn, type OpcodeRow } from "./insn.ts";

/** Results of decode() other than a length. */
export const DECODE_MORE = 0;
export const DECODE_UD = -1;
export const DECODE_GP = -2;

export type CodeSize = 16 | 32 | 64;

const MAX_LENGTH = 15;

// What follows ModRM, SIB and displacement.
const IMM_NONE = 0;
const IMM_B = 1;
const IMM_W = 2;
/** 16 or 32 bits, by operand size. */
const IMM_Z = 3;
/** 16, 32 or 64 bits, by operand size. */
const IMM_V = 4;
/** Offset of 16 or 32 bits, then a selector. */
const IMM_FAR = 5;
const IMM_W_B = 6;
const IMM_B_B = 7;
/** An address of the address size. */
const IMM_MOFFS = 8;
const IMM_D = 9;

const IMM_BY_OPERANDS: Readonly<Record<string, number>> = {
  Ib: IMM_B,
  Jb: IMM_B,
  Iw: IMM_W,
  Iz: IMM_Z,
  Jz: IMM_Z,
  Id: IMM_D,
  Iv: IMM_V,
  Ap: IMM_FAR,
  "Iw Ib": IMM_W_B,
  "Ib Ib": IMM_B_B,
  Ob: IMM_MOFFS,
  Ov: IMM_MOFFS,
};

const PREFIX_NUMBER = { none: 0, "66": 1, f3: 2, f2: 3 } as const;

/** A row with what the decoder wants to know about it. */
interface Entry {
  readonly row: OpcodeRow;
  readonly imm: number;
  readonly vvvv: boolean;
  /** 0 none, 1 "d64", 2 "f64" */
  readonly size64: number;
  readonly rank: number;
}

/** The rows that share an opcode byte. */
interface Slot {
  readonly entries: Entry[];
  modrm: boolean;
  /** Nothing but the byte selects the row. */
  plain: Entry | undefined;
  /** MOV to and from control and debug registers ignore ModRM.mod. */
  forceReg: boolean;
  usesRm: boolean;
  /** By selection key: 0 not resolved yet, -1 none, else index + 1 into entries. */
  chosen: Int16Array | undefined;
}

/** What operands say about the encoding. */
interface Shape {
  readonly modrm: boolean;
  /** undefined if the immediates are none that are known. */
  readonly imm: number | undefined;
  readonly vvvv: boolean;
  readonly forceReg: boolean;
}

/** The first letters of operands that live in ModRM. */
const MODRM_OPERAND = /^[EGMRSCDNPQUVW]([a-z]|$)/;
/** Many rows have the same operands. */
const shapes = new Map<string, Shape>();

function shapeOf(text: string): Shape {
  const known = shapes.get(text);
  if (known) return known;
  const operands = text.split(" ");
  const immediates = operands.filter((operand) => /^([IJO][bwzvd]|Ap)$/.test(operand)).join(" ");
  const shape: Shape = {
    modrm: operands.some((operand) => MODRM_OPERAND.test(operand)),
    imm: immediates === "" ? IMM_NONE : IMM_BY_OPERANDS[immediates],
    vvvv: operands.some((operand) => /^[BH][a-z]/.test(operand)),
    forceReg: operands.some((operand) => /^[CD][dqy]$/.test(operand)),
  };
  shapes.set(text, shape);
  return shape;
}

/** The row with every property in one order: reading it is then the same for all rows. */
function uniform(row: OpcodeRow): OpcodeRow {
  const { map, byte, prefix, reg, mod, rm, mode, vex, w, name, operands, feature, lock, size64, privileged, emit } =
    row;
  const all = {
    map,
    byte,
    prefix,
    reg,
    mod,
    rm,
    mode,
    vex,
    w,
    name,
    operands,
    feature,
    lock,
    size64,
    privileged,
    emit,
  };
  return all as OpcodeRow;
}

function makeEntry(row: OpcodeRow): Entry {
  const { imm, vvvv } = shapeOf(row.operands);
  if (imm === undefined) throw new RangeError(`${row.name}: immediates of '${row.operands}'`);
  let rank = row.prefix === undefined ? 0 : 32;
  if (row.reg !== undefined) rank++;
  if (row.mod !== undefined) rank++;
  if (row.rm !== undefined) rank++;
  if (row.mode !== undefined) rank++;
  if (row.w !== undefined) rank++;
  if (row.vex?.l !== undefined) rank++;
  if (row.vex?.w !== undefined) rank++;
  const size64 = row.size64 === "f64" ? 2 : row.size64 === "d64" ? 1 : 0;
  return { row: uniform(row), imm, vvvv, size64, rank };
}

/** Whether only the opcode byte decides (and there is no VEX form). */
function isPlain({ prefix, reg, mod, rm, mode, vex, w }: OpcodeRow): boolean {
  const selects = prefix ?? reg ?? mod ?? rm ?? mode ?? vex ?? w;
  return selects === undefined;
}

/** An Insn to be filled by a decoder. */
export function createInsn(row: OpcodeRow): Insn {
  return {
    row,
    length: 0,
    rep: 0,
    lock: false,
    prefix66: false,
    segment: -1,
    rex: false,
    rexW: false,
    opSize: 4,
    addrSize: 4,
    modrm: -1,
    mod: 0,
    reg: 0,
    rm: 0,
    base: -1,
    index: -1,
    scale: 0,
    disp: 0,
    dispHigh: 0,
    imm: 0,
    immHigh: 0,
    imm2: 0,
    vex: false,
    vexL: 0,
    vvvv: 0,
  };
}

/** Base and index registers of 16-bit addressing, by ModRM.rm. */
const BASE16 = [3, 3, 5, 5, 6, 7, 5, 3] as const;
const INDEX16 = [6, 7, 6, 7, -1, -1, -1, -1] as const;

// Prefix bytes, by what they do.
const PREFIX_SEGMENT = 1;
const PREFIX_OPSIZE = 7;
const PREFIX_ADDRSIZE = 8;
const PREFIX_LOCK = 9;
const PREFIX_REP = 10;
const PREFIX_REX = 11;

function prefixTable(mode64: boolean): Uint8Array {
  const table = new Uint8Array(256);
  for (const [segment, byte] of [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65].entries()) table[byte] = PREFIX_SEGMENT + segment;
  table[0x66] = PREFIX_OPSIZE;
  table[0x67] = PREFIX_ADDRSIZE;
  table[0xf0] = PREFIX_LOCK;
  table[0xf2] = table[0xf3] = PREFIX_REP;
  if (mode64) table.fill(PREFIX_REX, 0x40, 0x50);
  return table;
}

const PREFIXES = prefixTable(false);
const PREFIXES64 = prefixTable(true);

export class Decoder {
  readonly #slots: (Slot | undefined)[] = new Array(4 * 256).fill(undefined);

  /** `hasFeature` tells which rows take part (all by default). */
  constructor(rows: readonly OpcodeRow[], hasFeature: (feature: string) => boolean = () => true) {
    for (const row of rows) if (row.feature === undefined || hasFeature(row.feature)) this.#add(row);
    for (const slot of this.#slots) {
      if (slot === undefined) continue;
      const [first] = slot.entries;
      if (slot.entries.length > 1) slot.entries.sort((a, b) => b.rank - a.rank);
      else if (isPlain(first.row)) slot.plain = first;
    }
  }

  #add(row: OpcodeRow): void {
    const at = row.map * 256 + row.byte;
    const shape = shapeOf(row.operands);
    const modrm = row.reg !== undefined || row.mod !== undefined || row.rm !== undefined || shape.modrm;
    const slot = (this.#slots[at] ??= {
      entries: [],
      modrm,
      plain: undefined,
      forceReg: shape.forceReg,
      usesRm: false,
      chosen: undefined,
    });
    if (slot.modrm !== modrm) throw new RangeError(`${row.name}: other rows of ${at.toString(16)} differ about ModRM`);
    if (row.rm !== undefined) slot.usesRm = true;
    slot.entries.push(makeEntry(row));
  }

  /**
   * Decodes the instruction at bytes[offset]; at most `available` bytes can be read there. Returns its length, or
   * DECODE_MORE (it goes beyond `available`), DECODE_UD (invalid) or DECODE_GP (longer than 15 bytes).
   */
  decode(i: Insn, bytes: Uint8Array, offset: number, available: number, codeSize: CodeSize): number {
    const end = offset + Math.min(available, MAX_LENGTH);
    const short = available < MAX_LENGTH ? DECODE_MORE : DECODE_GP;
    const mode64 = codeSize === 64;
    const prefixes = mode64 ? PREFIXES64 : PREFIXES;
    let p = offset;
    let segment = -1;
    let rep = 0;
    let rex = 0;
    let prefix66 = false;
    let prefix67 = false;
    let lock = false;

    let byte = 0;
    for (;;) {
      if (p >= end) return short;
      byte = bytes[p++];
      const kind = prefixes[byte];
      if (kind === 0) break;
      if (kind === PREFIX_REX) {
        rex = byte;
        continue;
      }
      rex = 0;
      if (kind === PREFIX_OPSIZE) prefix66 = true;
      else if (kind === PREFIX_ADDRSIZE) prefix67 = true;
      else if (kind === PREFIX_LOCK) lock = true;
      else if (kind === PREFIX_REP) rep = byte;
      else if (!mode64 || kind >= PREFIX_SEGMENT + 4) segment = kind - PREFIX_SEGMENT;
    }

    let map = 0;
    let vex = 0;
    let vexL = 0;
    let vvvv = 0;
    let rexW = (rex & 8) !== 0;
    let rexR = (rex & 4) << 1;
    let rexX = (rex & 2) << 2;
    let rexB = (rex & 1) << 3;
    let mandatory = rep === 0xf3 ? 2 : rep === 0xf2 ? 3 : prefix66 ? 1 : 0;
    if (byte === 0x0f) {
      if (p >= end) return short;
      byte = bytes[p++];
      map = 1;
      if (byte === 0x38 || byte === 0x3a) {
        map = byte === 0x38 ? 2 : 3;
        if (p >= end) return short;
        byte = bytes[p++];
      }
    } else if (byte === 0xc4 || byte === 0xc5) {
      if (p >= end) return short;
      let payload = bytes[p];
      if (mode64 || payload >= 0xc0) {
        if (lock || prefix66 || rep !== 0 || rex !== 0) return DECODE_UD;
        p++;
        map = 1;
        rexR = (~payload & 0x80) >> 4;
        if (byte === 0xc4) {
          map = payload & 0x1f;
          if (map < 1 || map > 3) return DECODE_UD;
          rexX = (~payload & 0x40) >> 3;
          rexB = (~payload & 0x20) >> 2;
          if (p >= end) return short;
          payload = bytes[p++];
          rexW = payload >= 0x80;
        }
        vex = 1;
        vexL = (payload >> 2) & 1;
        vvvv = (~payload >> 3) & 15;
        mandatory = payload & 3;
        if (!mode64) {
          rexR = rexX = rexB = 0;
          vvvv &= 7;
        }
        if (p >= end) return short;
        byte = bytes[p++];
      }
    }

    const slot = this.#slots[(map << 8) | byte];
    if (slot === undefined) return DECODE_UD;

    let modrm = -1;
    let mod = 0;
    let reg = 0;
    let rm = (byte & 7) | rexB;
    if (slot.modrm) {
      if (p >= end) return short;
      modrm = bytes[p++];
      mod = slot.forceReg ? 3 : modrm >> 6;
      reg = ((modrm >> 3) & 7) | rexR;
      rm = (modrm & 7) | rexB;
    }
    let entry = slot.plain;
    if (entry === undefined || vex !== 0) {
      const key =
        (mode64 ? 1 : 0) |
        (mandatory << 1) |
        (rexW ? 8 : 0) |
        ((vex + vexL) << 4) |
        (mod === 3 ? 64 : 0) |
        ((reg & 7) << 7) |
        (slot.usesRm ? (rm & 7) << 10 : 0);
      const chosen = slot.chosen?.[key] || choose(slot, key);
      if (chosen < 0) return DECODE_UD;
      entry = slot.entries[chosen - 1];
      if (vex !== 0 && !entry.vvvv && vvvv !== 0) return DECODE_UD;
    }
    const row = entry.row;
    if (lock && (row.lock !== true || modrm < 0 || mod === 3)) return DECODE_UD;
    if (!mode64) rexW = false;

    const addrSize = mode64 ? (prefix67 ? 4 : 8) : (codeSize === 32) === prefix67 ? 2 : 4;
    let base = -1;
    let index = -1;
    let scale = 0;
    let disp = 0;
    let dispHigh = 0;
    if (modrm >= 0 && mod !== 3) {
      let dispSize = mod === 2 ? 4 : mod;
      if (addrSize === 2) {
        base = BASE16[modrm & 7];
        index = INDEX16[modrm & 7];
        if (dispSize === 4) dispSize = 2;
        if (mod === 0 && (modrm & 7) === 6) {
          base = -1;
          dispSize = 2;
        }
      } else if ((modrm & 7) === 4) {
        if (p >= end) return short;
        const sib = bytes[p++];
        index = ((sib >> 3) & 7) | rexX;
        if (index === 4) index = -1;
        else scale = sib >> 6;
        base = (sib & 7) | rexB;
        if (mod === 0 && (sib & 7) === 5) {
          base = -1;
          dispSize = 4;
        }
      } else {
        base = rm;
        if (mod === 0 && (modrm & 7) === 5) {
          base = mode64 ? BASE_RIP : -1;
          dispSize = 4;
        }
      }
      if (dispSize !== 0) {
        if (p + dispSize > end) return short;
        if (dispSize === 1) disp = (bytes[p] << 24) >> 24;
        else if (dispSize === 2) disp = ((bytes[p] | (bytes[p + 1] << 8)) << 16) >> 16;
        else disp = bytes[p] | (bytes[p + 1] << 8) | (bytes[p + 2] << 16) | (bytes[p + 3] << 24);
        p += dispSize;
        dispHigh = disp >> 31;
      }
    }

    let opSize: number;
    if (rexW) opSize = 8;
    else if (vex !== 0 || row.prefix === "66") opSize = 4;
    else opSize = (codeSize === 16) === prefix66 ? 4 : 2;
    if (mode64 && entry.size64 !== 0 && (entry.size64 === 2 || opSize === 4)) opSize = 8;

    let imm = 0;
    let immHigh = 0;
    let imm2 = 0;
    if (entry.imm !== IMM_NONE) {
      let size = opSize === 2 ? 2 : 4;
      switch (entry.imm) {
        case IMM_B:
          size = 1;
          break;
        case IMM_W:
          size = 2;
          break;
        case IMM_D:
          size = 4;
          break;
        case IMM_V:
          size = opSize;
          break;
        case IMM_FAR:
          size += 2;
          break;
        case IMM_W_B:
          size = 3;
          break;
        case IMM_B_B:
          size = 2;
          break;
        case IMM_MOFFS:
          size = addrSize;
          break;
      }
      if (p + size > end) return short;
      imm = (bytes[p] << 24) >> 24;
      switch (size) {
        case 1:
          break;
        case 2:
          if (entry.imm === IMM_B_B) imm2 = bytes[p + 1];
          else imm = ((bytes[p] | (bytes[p + 1] << 8)) << 16) >> 16;
          break;
        case 3:
          imm = ((bytes[p] | (bytes[p + 1] << 8)) << 16) >> 16;
          imm2 = bytes[p + 2];
          break;
        default:
          imm = bytes[p] | (bytes[p + 1] << 8) | (bytes[p + 2] << 16) | (bytes[p + 3] << 24);
      }
      immHigh = imm >> 31;
      if (entry.imm === IMM_FAR) {
        imm2 = bytes[p + size - 2] | (bytes[p + size - 1] << 8);
        if (size === 4) imm = bytes[p] | (bytes[p + 1] << 8);
        immHigh = 0;
      } else if (size === 8) {
        immHigh = bytes[p + 4] | (bytes[p + 5] << 8) | (bytes[p + 6] << 16) | (bytes[p + 7] << 24);
      }
      p += size;
      if (entry.imm === IMM_MOFFS) {
        disp = size === 2 ? imm & 0xffff : imm;
        dispHigh = size === 8 ? immHigh : 0;
        imm = immHigh = 0;
      }
    }

    i.row = row;
    i.length = p - offset;
    i.rep = rep;
    i.lock = lock;
    i.prefix66 = prefix66;
    i.segment = segment;
    i.rex = rex !== 0;
    i.rexW = rexW;
    i.opSize = opSize;
    i.addrSize = addrSize;
    i.modrm = modrm;
    i.mod = mod;
    i.reg = reg;
    i.rm = rm;
    i.base = base;
    i.index = index;
    i.scale = scale;
    i.disp = disp;
    i.dispHigh = dispHigh;
    i.imm = imm;
    i.immHigh = immHigh;
    i.imm2 = imm2;
    i.vex = vex !== 0;
    i.vexL = vexL;
    i.vvvv = vvvv;
    return i.length;
  }
}

/** Resolves and remembers a selection key: index + 1 into the slot's entries, or -1. */
function choose(slot: Slot, key: number): number {
  const mode64 = (key & 1) !== 0;
  const prefix = (key >> 1) & 3;
  const w = (key >> 3) & 1;
  const vex = (key >> 4) & 3;
  const memory = (key & 64) === 0;
  const matches = ({ row }: Entry): boolean =>
    (row.mode === undefined || (row.mode === "64") === mode64) &&
    (row.prefix === undefined || PREFIX_NUMBER[row.prefix] === prefix) &&
    (row.w === undefined || row.w === w) &&
    (row.vex !== undefined) === vex > 0 &&
    (row.vex?.l === undefined || row.vex.l === vex - 1) &&
    (row.vex?.w === undefined || row.vex.w === w) &&
    (row.mod === undefined || (row.mod === "mem") === memory) &&
    (row.reg === undefined || row.reg === ((key >> 7) & 7)) &&
    (row.rm === undefined || row.rm === key >> 10);
  const found = slot.entries.findIndex(matches);
  slot.chosen ??= new Int16Array(slot.usesRm ? 8192 : 1024);
  return (slot.chosen[key] = found < 0 ? -1 : found + 1);
}
