/** The guest's page tables as `info tlb` and `info mem` show them. Intel SDM volume 3, chapter 4. */

import type { AddressSpace } from "../../core/memory/address-space.ts";

const PTE_P = 1n << 0n;
const PTE_RW = 1n << 1n;
const PTE_US = 1n << 2n;
const PTE_PS = 1n << 7n;
const PTE_NX = 1n << 63n;
const CR0_PG = 1n << 31n;
const CR4_PSE = 1n << 4n;
const CR4_PAE = 1n << 5n;
const EFER_LMA = 1n << 10n;
const FRAME = 0x000f_ffff_ffff_f000n;
/** QEMU's letters, highest bit first: NX, then bits 8 to 1. */
const FLAGS: readonly (readonly [bit: bigint, letter: string])[] = [
  [63n, "X"],
  [8n, "G"],
  [7n, "P"],
  [6n, "D"],
  [5n, "A"],
  [4n, "C"],
  [3n, "T"],
  [2n, "U"],
  [1n, "W"],
];

interface Page {
  readonly address: bigint;
  readonly entry: bigint;
  readonly size: bigint;
  /** The rights of all levels together: PTE_US, PTE_RW. */
  readonly rights: bigint;
}

interface Level {
  readonly shift: bigint;
  readonly entries: number;
  readonly canBeLarge: boolean;
}

const LONG: readonly Level[] = [
  { shift: 39n, entries: 512, canBeLarge: false },
  { shift: 30n, entries: 512, canBeLarge: true },
  { shift: 21n, entries: 512, canBeLarge: true },
  { shift: 12n, entries: 512, canBeLarge: false },
];
const PAE: readonly Level[] = [{ shift: 30n, entries: 4, canBeLarge: false }, ...LONG.slice(2)];
const LEGACY: readonly Level[] = [
  { shift: 22n, entries: 1024, canBeLarge: true },
  { shift: 12n, entries: 1024, canBeLarge: false },
];

/** The registers that say where page tables are and how they are read. */
export interface PagingRegisters {
  readonly cr0: bigint;
  readonly cr3: bigint;
  readonly cr4: bigint;
  readonly efer: bigint;
}

function* walk(
  memory: AddressSpace,
  levels: readonly Level[],
  wide: boolean,
  large: boolean,
  table: bigint,
  base: bigint,
  rights: bigint,
): Generator<Page> {
  const [{ shift, entries, canBeLarge }, ...rest] = levels;
  const step = wide ? 8 : 4;
  for (let i = 0; i < entries; i++) {
    const at = Number(table) + i * step;
    const high = wide ? BigInt(memory.read(at + 4, 4)) << 32n : 0n;
    const entry = BigInt(memory.read(at, 4)) | high;
    if (!(entry & PTE_P)) continue;
    const address = base | (BigInt(i) << shift);
    const pdpte = levels === PAE;
    const combined = pdpte ? rights : rights & entry;
    if (rest.length === 0 || (canBeLarge && large && entry & PTE_PS)) {
      yield { address, entry, size: 1n << shift, rights: combined };
    } else yield* walk(memory, rest, wide, large, entry & FRAME & ~0xfffn, address, combined);
  }
}

function pages(memory: AddressSpace, s: PagingRegisters): Iterable<Page> | undefined {
  if (!(s.cr0 & CR0_PG)) return undefined;
  const all = PTE_RW | PTE_US;
  if (s.efer & EFER_LMA) return walk(memory, LONG, true, true, s.cr3 & FRAME, 0n, all);
  if (s.cr4 & CR4_PAE) return walk(memory, PAE, true, true, s.cr3 & 0xffffffe0n, 0n, all);
  return walk(memory, LEGACY, false, (s.cr4 & CR4_PSE) !== 0n, s.cr3 & 0xfffff000n, 0n, all);
}

const hex = (value: bigint): string => BigInt.asUintN(64, value).toString(16).padStart(16, "0");
const canonical = (address: bigint): bigint => (address & (1n << 47n) ? address | (0xffffn << 48n) : address);

/** `info tlb`: every mapped page. */
export function describeTlb(memory: AddressSpace, s: PagingRegisters): string {
  const found = pages(memory, s);
  if (!found) return "PG disabled\n";
  let text = "";
  for (const { address, entry, size } of found) {
    const flags = FLAGS.map(([bit, letter]) => ((entry >> bit) & 1n ? letter : "-")).join("");
    text += `${hex(canonical(address))}: ${hex(entry & FRAME & ~PTE_NX & ~(size - 1n))} ${flags}\n`;
  }
  return text;
}

/** `info mem`: runs of pages with the same rights. */
export function describeMappings(memory: AddressSpace, s: PagingRegisters): string {
  const found = pages(memory, s);
  if (!found) return "PG disabled\n";
  let text = "";
  let start = 0n;
  let end = 0n;
  let rights = -1n;
  const flush = (): void => {
    if (rights < 0n) return;
    const letters = `${rights & PTE_US ? "u" : "-"}r${rights & PTE_RW ? "w" : "-"}`;
    text += `${hex(canonical(start))}-${hex(canonical(end))} ${hex(end - start)} ${letters}\n`;
  };
  for (const page of found) {
    if (page.address !== end || page.rights !== rights) {
      flush();
      start = page.address;
      rights = page.rights;
    }
    end = page.address + page.size;
  }
  flush();
  return text;
}
