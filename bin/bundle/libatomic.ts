/**
 * Frees an executable from libatomic, which Node needs since version 25 for a single function and which a small Debian
 * does not have. V8 calls `__atomic_compare_exchange(8, object, expected, desired, order, order)`; on x86-64 this is one
 * instruction, and the function fits into the entry of the procedure linkage table that would lead to the library.
 *
 * Formats: System V ABI, AMD64 supplement (ELF header, dynamic section, relocations, procedure linkage table); Linux
 * Standard Base, chapter "Symbol Versioning" (version needs). The file is changed only if all of it is as expected:
 *
 *  - nothing but that function is needed of the library, through one entry that is bound when the program starts, so that
 *    the parts of entries for lazy binding are never run: there is room for the end of the function;
 *  - every call has the size 8.
 */

const LIBRARY = "libatomic.so.1";
const FUNCTION = "__atomic_compare_exchange";

const MAGIC = 0x464c457f;
const CLASS_64_LITTLE_ENDIAN = 0x0102;
const MACHINE_X86_64 = 62;
const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const PF_X = 1;

const DT_NULL = 0;
const DT_NEEDED = 1;
const DT_PLTRELSZ = 2;
const DT_STRTAB = 5;
const DT_SYMTAB = 6;
const DT_RELA = 7;
const DT_RELASZ = 8;
const DT_JMPREL = 23;
const DT_FLAGS = 30;
const DT_VERSYM = 0x6ffffff0;
const DT_VERNEED = 0x6ffffffe;
const DT_VERNEEDNUM = 0x6fffffff;
const DF_BIND_NOW = 8;

const DYNAMIC_SIZE = 16;
const RELA_SIZE = 24;
const SYMBOL_SIZE = 24;
const R_JUMP_SLOT = 7;
const VERSION_GLOBAL = 1;

/** `jmp [slot]; push n; jmp first`: 6, 5 and 5 bytes, of which the last ten are for lazy binding. */
const ENTRY_SIZE = 16;
const UNUSED_FROM = 6;
/** How far before a call its size is loaded at most, in bytes. */
const ARGUMENTS = 64;
const MOV_EDI_8 = Buffer.from("bf08000000", "hex");

/**
 * The function, in place of its entry and of what is unused of the entry before:
 *
 *     mov rax, [rdx]; mov rcx, [rcx]; lock cmpxchg [rsi], rcx; jmp END
 *     END: mov [rdx], rax; sete al; ret
 */
export const ENTRY = Buffer.from("488b02488b09f0480fb10eebe9cccccc", "hex");
export const END = Buffer.from("4889020f94c0c3", "hex");
/** Where the end is, from the entry. */
export const END_AT = UNUSED_FROM - ENTRY_SIZE;

/** What to write where. */
export interface Patch {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

export type Independence =
  /** The executable does not need the library, after these changes. */
  | { readonly independent: true; readonly patches: readonly Patch[] }
  /** It does, and why that stays so. */
  | { readonly independent: false; readonly reason: string };

class Unexpected extends Error {}

function expect(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Unexpected(what);
}

/** The changes that make an executable independent of libatomic. */
export function freeFromLibatomic(file: Buffer): Independence {
  try {
    return { independent: true, patches: findPatches(file) };
  } catch (error) {
    if (error instanceof Unexpected) return { independent: false, reason: error.message };
    if (error instanceof RangeError) return { independent: false, reason: "the file is damaged" };
    throw error;
  }
}

const number = (file: Buffer, at: number): number => Number(file.readBigUInt64LE(at));
const text = (file: Buffer, at: number): string => file.toString("latin1", at, file.indexOf(0, at));

function findPatches(file: Buffer): Patch[] {
  expect(file.readUInt32LE(0) === MAGIC, "it is not an ELF file");
  const known = file.readUInt16LE(4) === CLASS_64_LITTLE_ENDIAN && file.readUInt16LE(18) === MACHINE_X86_64;
  expect(known, "it is for another machine");
  const segments = Array.from({ length: file.readUInt16LE(56) }, (_, i) => {
    const at = number(file, 32) + i * file.readUInt16LE(54);
    const [type, flags] = [file.readUInt32LE(at), file.readUInt32LE(at + 4)];
    return { type, flags, offset: number(file, at + 8), address: number(file, at + 16), size: number(file, at + 32) };
  });
  const offsetOf = (address: number): number => {
    const found = segments.find((s) => s.type === PT_LOAD && address >= s.address && address < s.address + s.size);
    expect(found !== undefined, "an address is outside of it");
    return address - found.address + found.offset;
  };
  const dynamic = segments.find(({ type }) => type === PT_DYNAMIC);
  expect(dynamic !== undefined, "it has no dynamic section");
  const entries: { at: number; tag: number; value: number }[] = [];
  for (let at = dynamic.offset; at < dynamic.offset + dynamic.size; at += DYNAMIC_SIZE) {
    entries.push({ at, tag: number(file, at), value: number(file, at + 8) });
    if (entries.at(-1)!.tag === DT_NULL) break;
  }
  const value = (tag: number): number => {
    const found = entries.find((each) => each.tag === tag);
    expect(found !== undefined, `it has no dynamic entry ${tag}`);
    return found.value;
  };
  const strings = offsetOf(value(DT_STRTAB));
  const needed = entries.findIndex((each) => each.tag === DT_NEEDED && text(file, strings + each.value) === LIBRARY);
  if (needed < 0) return [];
  expect((value(DT_FLAGS) & DF_BIND_NOW) !== 0, "its functions are bound lazily");

  const versions = removeVersions(file, value(DT_VERNEED), value(DT_VERNEEDNUM), offsetOf, strings);
  const symbolVersions = offsetOf(value(DT_VERSYM));
  const uses = [
    ...relocations(file, offsetOf(value(DT_JMPREL)), value(DT_PLTRELSZ)),
    ...relocations(file, offsetOf(value(DT_RELA)), value(DT_RELASZ)),
  ].filter(({ symbol }) => versions.numbers.has(file.readUInt16LE(symbolVersions + symbol * 2)));
  expect(uses.length === 1 && uses[0].type === R_JUMP_SLOT, "it uses more of the library");
  const [{ at: relocation, symbol, slot }] = uses;
  const symbolAt = offsetOf(value(DT_SYMTAB)) + symbol * SYMBOL_SIZE;
  expect(text(file, strings + file.readUInt32LE(symbolAt)) === FUNCTION, "it uses another function");
  expect(number(file, symbolAt + 8) === 0, "the function's address is taken");

  const code = segments.filter(({ type, flags }) => type === PT_LOAD && (flags & PF_X) !== 0);
  expect(code.length === 1, "it has not one segment of code");
  const [{ offset: start, address, size }] = code;
  const entry = findEntry(file, start, size, slot - address + start);
  checkCalls(file, start, size, entry);
  return [
    { offset: entry, bytes: ENTRY },
    { offset: entry + END_AT, bytes: END },
    // No relocation any more, and no version of the library's.
    { offset: relocation + 8, bytes: Buffer.alloc(8) },
    { offset: symbolVersions + symbol * 2, bytes: littleEndian(VERSION_GLOBAL, 2) },
    // The dynamic section closes the gap that the library leaves.
    ...entries.slice(needed + 1).flatMap(({ at, tag, value: old }) => [
      { offset: at - DYNAMIC_SIZE, bytes: littleEndian(tag, 8) },
      { offset: at - DYNAMIC_SIZE + 8, bytes: littleEndian(versions.dynamic.get(tag) ?? old, 8) },
    ]),
    ...versions.patches,
  ];
}

function littleEndian(value: number, size: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes.subarray(0, size);
}

/** Takes the library out of the list of needed versions: what changes there and in the dynamic section. */
function removeVersions(
  file: Buffer,
  first: number,
  count: number,
  offsetOf: (address: number) => number,
  strings: number,
): { numbers: Set<number>; dynamic: Map<number, number>; patches: Patch[] } {
  let before: number | undefined;
  let at = offsetOf(first);
  for (let i = 0; i < count; i++) {
    const next = file.readUInt32LE(at + 12);
    if (text(file, strings + file.readUInt32LE(at + 4)) === LIBRARY) {
      const numbers = new Set<number>();
      let version = at + file.readUInt32LE(at + 8);
      for (let j = 0; j < file.readUInt16LE(at + 2); j++) {
        numbers.add(file.readUInt16LE(version + 6));
        version += file.readUInt32LE(version + 12);
      }
      const dynamic = new Map([[DT_VERNEEDNUM, count - 1]]);
      if (before === undefined) return { numbers, dynamic: dynamic.set(DT_VERNEED, first + next), patches: [] };
      const link = next === 0 ? 0 : at + next - before;
      return { numbers, dynamic, patches: [{ offset: before + 12, bytes: littleEndian(link, 4) }] };
    }
    before = at;
    at += next;
  }
  throw new Unexpected("it needs no version of the library");
}

function* relocations(file: Buffer, start: number, size: number) {
  for (let at = start; at < start + size; at += RELA_SIZE) {
    yield { at, slot: number(file, at), type: file.readUInt32LE(at + 8), symbol: file.readUInt32LE(at + 12) };
  }
}

/** Where the procedure linkage table's entry is that jumps through a slot; all as distances in the file. */
function findEntry(file: Buffer, start: number, size: number, slot: number): number {
  const isEntry = (at: number): boolean =>
    file.readUInt16LE(at) === 0x25ff && file[at + UNUSED_FROM] === 0x68 && file[at + 11] === 0xe9;
  const jump = Buffer.from([0xff, 0x25]);
  for (let at = file.indexOf(jump, start); at >= 0 && at < start + size; at = file.indexOf(jump, at + 1)) {
    if (at + UNUSED_FROM + file.readInt32LE(at + 2) !== slot) continue;
    expect(isEntry(at) && isEntry(at - ENTRY_SIZE), "the entries have another form");
    return at;
  }
  throw new Unexpected("no entry leads to the function");
}

/** All calls of `target` must have the size 8 in edi, and nothing may jump there. */
function checkCalls(file: Buffer, start: number, size: number, target: number): void {
  let calls = 0;
  for (let at = start; at < start + size - 5; at++) {
    const opcode = file[at];
    if ((opcode !== 0xe8 && opcode !== 0xe9) || at + 5 + file.readInt32LE(at + 1) !== target) continue;
    expect(opcode === 0xe8 && file.subarray(at - ARGUMENTS, at).includes(MOV_EDI_8), "it calls with another size");
    calls++;
  }
  expect(calls > 0, "nothing calls the function");
}
