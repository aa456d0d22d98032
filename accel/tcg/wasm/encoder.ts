/** Writes WebAssembly modules. WebAssembly Core Specification 2.0, section 5 (binary format), with shared memory. */

import { W } from "./opcodes.ts";

export const I32 = 0x7f;
export const I64 = 0x7e;
export const V128 = 0x7b;
export const FUNCREF = 0x70;
const VOID = 0x40;

export type ValueType = typeof I32 | typeof I64 | typeof V128;

export interface FunctionType {
  readonly params: readonly ValueType[];
  readonly results: readonly ValueType[];
}

/** A growing sequence of bytes with LEB128 numbers. */
export class Bytes {
  readonly data: number[] = [];

  u8(...values: number[]): this {
    for (const value of values) this.data.push(value & 0xff);
    return this;
  }

  /** Unsigned LEB128 of a number below 2^32. */
  u32(value: number): this {
    value >>>= 0;
    while (value > 0x7f) {
      this.data.push((value & 0x7f) | 0x80);
      value >>>= 7;
    }
    this.data.push(value);
    return this;
  }

  /** Signed LEB128 of an int32. */
  s32(value: number): this {
    value |= 0;
    for (;;) {
      const byte = value & 0x7f;
      value >>= 7;
      if ((value === 0 && (byte & 0x40) === 0) || (value === -1 && (byte & 0x40) !== 0)) {
        this.data.push(byte);
        return this;
      }
      this.data.push(byte | 0x80);
    }
  }

  /** Signed LEB128 of a 64-bit value in two int32 halves. */
  s64(low: number, high: number): this {
    let value = (BigInt(high | 0) << 32n) | BigInt(low >>> 0);
    for (;;) {
      const byte = Number(value & 0x7fn);
      value >>= 7n;
      if ((value === 0n && (byte & 0x40) === 0) || (value === -1n && (byte & 0x40) !== 0)) {
        this.data.push(byte);
        return this;
      }
      this.data.push(byte | 0x80);
    }
  }

  name(text: string): this {
    const bytes = new TextEncoder().encode(text);
    this.u32(bytes.length);
    for (const byte of bytes) this.data.push(byte);
    return this;
  }

  append(other: Bytes): this {
    for (const byte of other.data) this.data.push(byte);
    return this;
  }
}

/** A function body. Block depths are counted by `depth`, so that labels can be given as depths from the outside. */
export class Code extends Bytes {
  readonly #locals: ValueType[] = [];
  readonly #params: number;
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
    return this.u8(...codes);
  }

  get(local: number): this {
    return this.u8(W.local_get).u32(local);
  }

  set(local: number): this {
    return this.u8(W.local_set).u32(local);
  }

  tee(local: number): this {
    return this.u8(W.local_tee).u32(local);
  }

  i32(value: number): this {
    return this.u8(W.i32_const).s32(value);
  }

  i64(low: number, high = low >> 31): this {
    return this.u8(W.i64_const).s64(low, high);
  }

  /** A load or store instruction with an offset, claiming no alignment. */
  memory(op: number, offset = 0): this {
    return this.u8(op, 0).u32(offset);
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

  else(): this {
    return this.u8(W.else);
  }

  end(): this {
    this.depth--;
    return this.u8(W.end);
  }

  /** Branches to the construct that was opened at `depth` (1 is the outermost). */
  brTo(depth: number): this {
    return this.u8(W.br).u32(this.depth - depth);
  }

  brIfTo(depth: number): this {
    return this.u8(W.br_if).u32(this.depth - depth);
  }

  call(index: number): this {
    return this.u8(W.call).u32(index);
  }

  /** The body as the code section holds it. */
  encode(): Bytes {
    const body = new Bytes();
    body.u32(this.#locals.length);
    for (const type of this.#locals) body.u32(1).u8(type);
    body.append(this).u8(W.end);
    return new Bytes().u32(body.data.length).append(body);
  }
}

/** A module under construction: imports first, then functions. */
export class ModuleBuilder {
  readonly #types: string[] = [];
  readonly #typeBytes: Bytes[] = [];
  readonly #imports: Bytes[] = [];
  readonly #functions: { type: number; code: Code }[] = [];
  readonly #exports: Bytes[] = [];
  #importedFunctions = 0;

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
        .u8(...results),
    );
    return this.#types.push(key) - 1;
  }

  /** Imports a function and returns its index. All imports come before the first function. */
  importFunction(module: string, name: string, type: FunctionType): number {
    this.#imports.push(new Bytes().name(module).name(name).u8(0x00).u32(this.type(type)));
    return this.#importedFunctions++;
  }

  /** Imports the shared memory. Sizes in 64 KiB pages. */
  importMemory(module: string, name: string, initial: number, maximum: number): void {
    this.#imports.push(new Bytes().name(module).name(name).u8(0x02, 0x03).u32(initial).u32(maximum));
  }

  importTable(module: string, name: string, initial: number): void {
    this.#imports.push(new Bytes().name(module).name(name).u8(0x01, FUNCREF, 0x00).u32(initial));
  }

  /** Adds a function and returns its index. */
  function(type: FunctionType, code: Code, exportName?: string): number {
    const index = this.#importedFunctions + this.#functions.push({ type: this.type(type), code }) - 1;
    if (exportName !== undefined) this.#exports.push(new Bytes().name(exportName).u8(0x00).u32(index));
    return index;
  }

  encode(): Uint8Array {
    const out = new Bytes().u8(0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00);
    const section = (id: number, items: readonly Bytes[]): void => {
      if (items.length === 0) return;
      const body = new Bytes().u32(items.length);
      for (const item of items) body.append(item);
      out.u8(id).u32(body.data.length).append(body);
    };
    section(1, this.#typeBytes);
    section(2, this.#imports);
    section(
      3,
      this.#functions.map(({ type }) => new Bytes().u32(type)),
    );
    section(7, this.#exports);
    section(
      10,
      this.#functions.map(({ code }) => code.encode()),
    );
    return Uint8Array.from(out.data);
  }
}
