/**
 * Writes WebAssembly modules. WebAssembly Core Specification 2.0, section 5 (binary format), with shared memory; branch
 * hints as in the Branch Hinting proposal (a custom section, which engines may ignore).
 */

import { W } from "./opcodes.ts";

export const I32 = 0x7f;
export const I64 = 0x7e;
export const F32 = 0x7d;
export const F64 = 0x7c;
export const V128 = 0x7b;
export const FUNCREF = 0x70;
const VOID = 0x40;

export type ValueType = typeof I32 | typeof I64 | typeof F32 | typeof F64 | typeof V128;

export interface FunctionType {
  readonly params: readonly ValueType[];
  readonly results: readonly ValueType[];
}

/** A growing sequence of bytes with LEB128 numbers. */
export class Bytes {
  #buffer = new Uint8Array(64);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** The bytes written so far. */
  get data(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  byte(value: number): this {
    if (this.#length === this.#buffer.length) this.#grow(1);
    this.#buffer[this.#length++] = value;
    return this;
  }

  u8(...values: number[]): this {
    for (const value of values) this.byte(value);
    return this;
  }

  /** Unsigned LEB128 of a number below 2^32. */
  u32(value: number): this {
    value >>>= 0;
    while (value > 0x7f) {
      this.byte((value & 0x7f) | 0x80);
      value >>>= 7;
    }
    return this.byte(value);
  }

  /** Signed LEB128 of an int32. */
  s32(value: number): this {
    value |= 0;
    while (value < -0x40 || value > 0x3f) {
      this.byte((value & 0x7f) | 0x80);
      value >>= 7;
    }
    return this.byte(value & 0x7f);
  }

  /** Signed LEB128 of a 64-bit value in two int32 halves. */
  s64(low: number, high: number): this {
    low |= 0;
    high |= 0;
    while (high !== low >> 31 || low < -0x40 || low > 0x3f) {
      this.byte((low & 0x7f) | 0x80);
      low = (low >>> 7) | (high << 25);
      high >>= 7;
    }
    return this.byte(low & 0x7f);
  }

  name(text: string): this {
    const bytes = new TextEncoder().encode(text);
    return this.u32(bytes.length).append(bytes);
  }

  append(bytes: Uint8Array): this {
    if (this.#length + bytes.length > this.#buffer.length) this.#grow(bytes.length);
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
    return this;
  }

  #grow(more: number): void {
    const buffer = new Uint8Array(Math.max(this.#buffer.length * 2, this.#length + more));
    buffer.set(this.data);
    this.#buffer = buffer;
  }
}

/** A function body. Block depths are counted by `depth`, so that labels can be given as depths from the outside. */
export class Code extends Bytes {
  readonly #locals: ValueType[] = [];
  readonly #params: number;
  readonly #hints: { readonly offset: number; readonly likely: boolean }[] = [];
  depth = 0;

  constructor(params: number) {
    super();
    this.#params = params;
  }

  /** Declares a local and returns its index. */
  local(type: ValueType): number {
    return this.#params + this.#locals.push(type) - 1;
  }

  op(...codes: number[]): this {
    for (const code of codes) this.byte(code);
    return this;
  }

  get(local: number): this {
    return this.byte(W.local_get).u32(local);
  }

  set(local: number): this {
    return this.byte(W.local_set).u32(local);
  }

  tee(local: number): this {
    return this.byte(W.local_tee).u32(local);
  }

  global(index: number): this {
    return this.byte(W.global_get).u32(index);
  }

  i32(value: number): this {
    return this.byte(W.i32_const).s32(value);
  }

  i64(low: number, high = low >> 31): this {
    return this.byte(W.i64_const).s64(low, high);
  }

  /** A load or store instruction with an offset, claiming no alignment. */
  memory(op: number, offset = 0): this {
    return this.byte(op).byte(0).u32(offset);
  }

  v128Load(offset = 0): this {
    return this.u8(0xfd, 0x00, 0).u32(offset);
  }

  v128Store(offset = 0): this {
    return this.u8(0xfd, 0x0b, 0).u32(offset);
  }

  block(): this {
    this.depth++;
    return this.u8(W.block, VOID);
  }

  loop(): this {
    this.depth++;
    return this.u8(W.loop, VOID);
  }

  if(): this {
    this.depth++;
    return this.u8(W.if, VOID);
  }

  /** An if whose arms leave a value. */
  ifValue(type: ValueType): this {
    this.depth++;
    return this.u8(W.if, type);
  }

  else(): this {
    return this.byte(W.else);
  }

  end(): this {
    this.depth--;
    return this.byte(W.end);
  }

  /** Branches to the construct that was opened at `depth` (1 is the outermost). */
  brTo(depth: number): this {
    return this.byte(W.br).u32(this.depth - depth);
  }

  brIfTo(depth: number): this {
    return this.byte(W.br_if).u32(this.depth - depth);
  }

  call(index: number): this {
    return this.byte(W.call).u32(index);
  }

  /** Says of the branch or if that comes next how likely its condition is to hold. */
  likely(likely = true): this {
    this.#hints.push({ offset: this.length, likely });
    return this;
  }

  unlikely(): this {
    return this.likely(false);
  }

  /** The function's entry in the section of branch hints, if it has any. */
  encodeHints(index: number): Uint8Array | undefined {
    if (this.#hints.length === 0) return undefined;
    const start = this.#declarations().length;
    const entry = new Bytes().u32(index).u32(this.#hints.length);
    for (const { offset, likely } of this.#hints) entry.u32(start + offset).u8(1, likely ? 1 : 0);
    return entry.data;
  }

  /** The body as the code section holds it. */
  encode(): Uint8Array {
    const body = this.#declarations().append(this.data).byte(W.end);
    return new Bytes().u32(body.length).append(body.data).data;
  }

  /** The locals. */
  #declarations(): Bytes {
    const body = new Bytes();
    const runs: { type: ValueType; count: number }[] = [];
    for (const type of this.#locals) {
      const last = runs.at(-1);
      if (last?.type === type) last.count++;
      else runs.push({ type, count: 1 });
    }
    body.u32(runs.length);
    for (const { type, count } of runs) body.u32(count).u8(type);
    return body;
  }
}

/** A module under construction: imports first, then functions. */
export class ModuleBuilder {
  readonly #types: string[] = [];
  readonly #typeBytes: Uint8Array[] = [];
  readonly #imports: Uint8Array[] = [];
  readonly #functions: { type: number; code: Code }[] = [];
  readonly #exports: { name: string; index: number }[] = [];
  #importedFunctions = 0;
  #importedGlobals = 0;

  type({ params, results }: FunctionType): number {
    const key = `${params.join()}:${results.join()}`;
    const known = this.#types.indexOf(key);
    if (known >= 0) return known;
    this.#typeBytes.push(
      new Bytes()
        .u8(0x60)
        .u32(params.length)
        .u8(...params)
        .u32(results.length)
        .u8(...results).data,
    );
    return this.#types.push(key) - 1;
  }

  /** Imports a function and returns its index. */
  importFunction(module: string, name: string, type: FunctionType): number {
    this.#imports.push(new Bytes().name(module).name(name).u8(0x00).u32(this.type(type)).data);
    return this.#importedFunctions++;
  }

  /** Imports the shared memory. Sizes in 64 KiB pages. */
  importMemory(module: string, name: string, initial: number, maximum: number): void {
    this.#imports.push(new Bytes().name(module).name(name).u8(0x02, 0x03).u32(initial).u32(maximum).data);
  }

  /** Imports an i32 that never changes; globals are numbered in the order of their imports. */
  importGlobal(module: string, name: string): number {
    this.#imports.push(new Bytes().name(module).name(name).u8(0x03, I32, 0x00).data);
    return this.#importedGlobals++;
  }

  importTable(module: string, name: string, initial: number): void {
    this.#imports.push(new Bytes().name(module).name(name).u8(0x01, FUNCREF, 0x00).u32(initial).data);
  }

  /** Adds a function, exported as `name`. */
  function(type: FunctionType, code: Code, name: string): void {
    const index = this.#functions.push({ type: this.type(type), code }) - 1;
    this.#exports.push({ name, index });
  }

  encode(): Uint8Array {
    const out = new Bytes().u8(0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00);
    const section = (id: number, items: readonly Uint8Array[]): void => {
      if (items.length === 0) return;
      const body = new Bytes().u32(items.length);
      for (const item of items) body.append(item);
      out.byte(id).u32(body.length).append(body.data);
    };
    section(1, this.#typeBytes);
    section(2, this.#imports);
    section(
      3,
      this.#functions.map(({ type }) => new Bytes().u32(type).data),
    );
    section(
      7,
      this.#exports.map(
        ({ name, index }) =>
          new Bytes()
            .name(name)
            .byte(0x00)
            .u32(this.#importedFunctions + index).data,
      ),
    );
    const hints = this.#functions.flatMap(({ code }, n) => code.encodeHints(this.#importedFunctions + n) ?? []);
    if (hints.length > 0) {
      const body = new Bytes().name("metadata.code.branch_hint").u32(hints.length);
      for (const entry of hints) body.append(entry);
      out.byte(0).u32(body.length).append(body.data);
    }
    section(
      10,
      this.#functions.map(({ code }) => code.encode()),
    );
    return out.data;
  }
}
