/**
 * Device state, declared once. A schema lists a device's registers; the arena lays them out in shared memory, so that
 * every thread that assembles the same machine reads and writes the same registers; save and load follow the schema.
 *
 *     const UART = defineState("serial", 1, { ier: u8, fifo: array(u8, 16), divider: u16 }, { unsaved: { busy: bool } });
 *     const s = arena.attach("serial0", UART);
 *     s.ier = 3; s.fifo[0] = 65;
 *
 * Invariants:
 *  1. Layout depends on the schema alone: fields in order, each naturally aligned.
 *  2. Attaching the same names and schemas in the same order gives the same addresses in every thread.
 *  3. What is saved is exactly `fields`; `unsaved` is derived and rebuilt after load. A schema without `fields` is no part
 *     of a saved machine: neither saving nor loading touches it.
 */

import { QemuError } from "../errors.ts";

type ScalarKind = "u8" | "u16" | "u32" | "i32" | "u64" | "f64" | "bool";

export interface Scalar<T> {
  readonly kind: ScalarKind;
  readonly size: number;
  /** Type only. */
  readonly type?: T;
}

export interface ArrayField<A> {
  readonly kind: "array";
  readonly element: Scalar<unknown>;
  readonly count: number;
  /** Type only. */
  readonly type?: A;
}

export interface GroupField<F extends Fields> {
  readonly kind: "group";
  readonly count: number;
  readonly fields: F;
}

export type Field = Scalar<number> | Scalar<bigint> | Scalar<boolean> | ArrayField<unknown> | GroupField<Fields>;
export interface Fields {
  readonly [name: string]: Field;
}

/** The accessors that a set of fields gets. Arrays are typed arrays over the arena; groups are arrays of accessors. */
export type Accessors<F extends Fields> = {
  -readonly [K in keyof F]: F[K] extends ArrayField<infer A>
    ? A
    : F[K] extends GroupField<infer G>
      ? readonly Accessors<G>[]
      : F[K] extends Scalar<infer T>
        ? T
        : never;
};

export const u8: Scalar<number> = { kind: "u8", size: 1 };
export const u16: Scalar<number> = { kind: "u16", size: 2 };
export const u32: Scalar<number> = { kind: "u32", size: 4 };
export const i32: Scalar<number> & { readonly kind: "i32" } = { kind: "i32", size: 4 };
/** A 64-bit register, as a BigInt: for registers that are touched rarely. */
export const u64: Scalar<bigint> = { kind: "u64", size: 8 };
/** A double: times in nanoseconds, and other counts above 2^32 and below 2^53. */
export const f64: Scalar<number> & { readonly kind: "f64" } = { kind: "f64", size: 8 };
export const bool: Scalar<boolean> = { kind: "bool", size: 1 };

const ARRAY_TYPES = {
  u8: Uint8Array,
  u16: Uint16Array,
  u32: Uint32Array,
  i32: Int32Array,
  u64: BigUint64Array,
  f64: Float64Array,
} as const;

type ArrayKind = keyof typeof ARRAY_TYPES;

/** `count` elements of one scalar type (not bool). */
export function array(element: typeof u64, count: number): ArrayField<BigUint64Array>;
export function array(element: typeof i32, count: number): ArrayField<Int32Array>;
export function array(element: typeof f64, count: number): ArrayField<Float64Array>;
export function array(element: typeof u8, count: number): ArrayField<Uint8Array>;
export function array(element: Scalar<number>, count: number): ArrayField<Uint8Array | Uint16Array | Uint32Array>;
export function array(element: Scalar<unknown>, count: number): ArrayField<unknown> {
  if (element.kind === "bool") throw new TypeError("array(bool) is not supported; use array(u8, n)");
  return { kind: "array", element, count };
}

/** `count` sets of the same registers: channels, timers, units. */
export function group<F extends Fields>(count: number, fields: F): GroupField<F> {
  return { kind: "group", count, fields };
}

export interface StateSchema<F extends Fields = Fields, U extends Fields = Fields> {
  readonly name: string;
  readonly version: number;
  readonly fields: F;
  readonly unsaved: U;
  /** Bytes of one instance, a multiple of 16. */
  readonly size: number;
  /** Turns the fields saved by version `from` into this version's. */
  readonly upgrade: ((from: number, saved: SavedFields) => SavedFields) | undefined;
  /** The byte offset of each top-level field. */
  readonly offsets: Readonly<Record<keyof F | keyof U, number>>;
  /** @internal */
  readonly view: ViewClass;
}

export type State<S> = S extends StateSchema<infer F, infer U> ? Accessors<F & U> & StateView : never;

export type SavedValue = number | string | boolean | readonly SavedValue[] | SavedFields;
export interface SavedFields {
  readonly [name: string]: SavedValue;
}
/** One device's saved state: plain data, JSON-safe (64-bit values as hexadecimal strings). */
export interface SavedState {
  readonly name: string;
  readonly version: number;
  readonly fields: SavedFields;
}

interface Views {
  readonly buffer: SharedArrayBuffer;
  readonly u8: Uint8Array;
  readonly u16: Uint16Array;
  readonly u32: Uint32Array;
  readonly i32: Int32Array;
  readonly u64: BigUint64Array;
  readonly f64: Float64Array;
}

/** Base of all generated accessors. */
export class StateView {
  /** @internal */ readonly $views: Views;
  /** @internal Byte address in the arena's buffer. */ readonly $base: number;

  constructor(views: Views, base: number) {
    this.$views = views;
    this.$base = base;
  }
}

type ViewClass = new (views: Views, base: number) => StateView;

interface Layout {
  readonly offsets: Record<string, number>;
  readonly size: number;
  readonly align: number;
}

const align = (value: number, to: number): number => Math.ceil(value / to) * to;

function layOut(fields: Fields, start = 0): Layout {
  const offsets: Record<string, number> = {};
  let at = start;
  let maxAlign = 1;
  for (const [name, field] of Object.entries(fields)) {
    const inner = field.kind === "group" ? layOut(field.fields) : undefined;
    const unit = field.kind === "array" ? field.element.size : field.kind === "group" ? inner!.align : field.size;
    const size =
      field.kind === "array"
        ? field.element.size * field.count
        : field.kind === "group"
          ? align(inner!.size, inner!.align) * field.count
          : field.size;
    at = align(at, unit);
    offsets[name] = at;
    at += size;
    maxAlign = Math.max(maxAlign, unit);
  }
  // A copy has fast properties: an object filled by name with many is a hash table.
  return { offsets: { ...offsets }, size: at, align: maxAlign };
}

/**
 * Gives `proto` the accessors of the scalar fields. They are generated as text: closures of one source share their
 * inline caches, and a read through a shared one takes 15 ns, where one of its own takes 2.
 */
function defineScalars(proto: object, fields: Fields, offsets: Record<string, number>): void {
  const accessors = Object.entries(fields).flatMap(([name, field]) => {
    if (field.kind === "array" || field.kind === "group") return [];
    const isBool = field.kind === "bool";
    const index = `this.$base + ${offsets[name]}`;
    const place = isBool
      ? `this.$views.u8[${index}]`
      : `this.$views.${field.kind}[(${index}) >>> ${Math.log2(field.size)}]`;
    const key = JSON.stringify(name);
    return [
      `get ${key}() { return ${place}${isBool ? " !== 0" : ""}; }`,
      `set ${key}(value) { ${place} = ${isBool ? "value ? 1 : 0" : "value"}; }`,
    ];
  });
  const methods = new Function(`"use strict"; return { ${accessors.join(", ")} };`)() as object;
  Object.defineProperties(proto, Object.getOwnPropertyDescriptors(methods));
}

function makeViewClass(fields: Fields, offsets: Record<string, number>): ViewClass {
  const composite: [string, ArrayField<unknown> | GroupField<Fields>, ViewClass | undefined, number][] = [];
  for (const [name, field] of Object.entries(fields)) {
    if (field.kind === "array") composite.push([name, field, undefined, 0]);
    if (field.kind === "group") {
      const inner = layOut(field.fields);
      composite.push([name, field, makeViewClass(field.fields, inner.offsets), align(inner.size, inner.align)]);
    }
  }
  class View extends StateView {
    constructor(views: Views, base: number) {
      super(views, base);
      for (const [name, field, inner, stride] of composite) {
        const at = base + offsets[name];
        const value =
          field.kind === "array"
            ? new (
                ARRAY_TYPES[field.element.kind as ArrayKind] as new (
                  buffer: SharedArrayBuffer,
                  at: number,
                  n: number,
                ) => unknown
              )(views.buffer, at, field.count)
            : Array.from({ length: field.count }, (_, i) => new inner!(views, at + i * stride));
        Object.defineProperty(this, name, { enumerable: true, value });
      }
    }
  }
  defineScalars(View.prototype, fields, offsets);
  return View;
}

/** Declares a device's state. `version` counts up with every change of `fields`; `upgrade` reads the older ones. */
export function defineState<F extends Fields, U extends Fields = Record<never, never>>(
  name: string,
  version: number,
  fields: F,
  more: { unsaved?: U; upgrade?: (from: number, saved: SavedFields) => SavedFields } = {},
): StateSchema<F, U> {
  const unsaved = more.unsaved ?? ({} as U);
  const all = { ...fields, ...unsaved };
  const layout = layOut(all);
  return {
    name,
    version,
    fields,
    unsaved,
    size: align(layout.size, 16),
    upgrade: more.upgrade,
    offsets: layout.offsets as Record<keyof F | keyof U, number>,
    view: makeViewClass(all, layout.offsets),
  };
}

/** A piece of shared memory that devices' states are laid out in, one after the other. */
export class StateArena {
  readonly #views: Views;
  readonly #entries = new Map<string, { schema: StateSchema; view: StateView }>();
  readonly #end: number;
  #at: number;

  /** `base` and `size` in bytes; `base` a multiple of 16. */
  constructor(buffer: SharedArrayBuffer, base = 0, size = buffer.byteLength - base) {
    this.#views = {
      buffer,
      u8: new Uint8Array(buffer),
      u16: new Uint16Array(buffer, 0, buffer.byteLength >>> 1),
      u32: new Uint32Array(buffer, 0, buffer.byteLength >>> 2),
      i32: new Int32Array(buffer, 0, buffer.byteLength >>> 2),
      u64: new BigUint64Array(buffer, 0, Math.floor(buffer.byteLength / 8)),
      f64: new Float64Array(buffer, 0, Math.floor(buffer.byteLength / 8)),
    };
    this.#at = align(base, 16);
    this.#end = base + size;
  }

  /** A stand-alone arena, for unit tests and for devices used outside a machine. */
  static create(bytes = 65536): StateArena {
    return new StateArena(new SharedArrayBuffer(bytes));
  }

  /** Allocates `schema` under the name of the device instance ("serial0"), and returns its accessors. */
  attach<S extends StateSchema>(name: string, schema: S): State<S> {
    if (this.#entries.has(name)) {
      throw new QemuError("state-duplicate", `two devices want the state name '${name}'`);
    }
    if (this.#at + schema.size > this.#end) {
      throw new QemuError("state-arena-full", `no room for the state of '${name}' (${schema.size} bytes)`);
    }
    const view = new schema.view(this.#views, this.#at);
    this.#at += schema.size;
    this.#entries.set(name, { schema, view });
    return view as State<S>;
  }

  /** A fingerprint of everything attached so far; equal in all threads that assembled the same machine. */
  fingerprint(): string {
    return [...this.#entries]
      .map(([name, { schema }]) => `${name}:${schema.name}.${schema.version}+${schema.size}`)
      .join(";");
  }

  names(): string[] {
    return [...this.#entries.keys()];
  }

  /** Saves every device's state. */
  save(): Record<string, SavedState> {
    return Object.fromEntries(this.#saved().map(([name, { schema, view }]) => [name, saveState(schema, view)]));
  }

  /** Loads every device's state; names that are missing or unknown are errors. */
  load(saved: Readonly<Record<string, SavedState>>): void {
    for (const [name, { schema, view }] of this.#saved()) {
      const state = saved[name];
      if (!state) throw new QemuError("state-missing", `the saved machine has no state for '${name}'`);
      loadState(schema, view, state);
    }
    for (const name of Object.keys(saved)) {
      if (!this.#entries.has(name)) {
        throw new QemuError("state-unknown", `the saved machine has a device '${name}' that this machine lacks`);
      }
    }
  }

  #saved(): [string, { schema: StateSchema; view: StateView }][] {
    return [...this.#entries].filter(([, { schema }]) => Object.keys(schema.fields).length > 0);
  }

  /** Schema and accessors by instance name, for `info qtree` and diagnostics. */
  entry(name: string): { schema: StateSchema; view: StateView } | undefined {
    return this.#entries.get(name);
  }
}

/** Whether a saved value has fields of its own. */
export const isFields = (value: unknown): value is SavedFields =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function saveFields(fields: Fields, view: Record<string, unknown>): SavedFields {
  const saved: Record<string, SavedValue> = {};
  for (const [name, field] of Object.entries(fields)) {
    const value = view[name];
    if (field.kind === "group") {
      saved[name] = (value as Record<string, unknown>[]).map((item) => saveFields(field.fields, item));
    } else if (field.kind === "array") {
      saved[name] = Array.from(value as ArrayLike<number | bigint>, saveScalar);
    } else {
      saved[name] = saveScalar(value as number | bigint | boolean);
    }
  }
  return saved;
}

function saveScalar(value: number | bigint | boolean): number | string | boolean {
  return typeof value === "bigint" ? `0x${value.toString(16)}` : value;
}

/** Writes a state's fields as plain data. */
export function saveState(schema: StateSchema, view: StateView): SavedState {
  const fields = saveFields(schema.fields, view as unknown as Record<string, unknown>);
  return { name: schema.name, version: schema.version, fields };
}

function loadFields(fields: Fields, view: Record<string, unknown>, saved: unknown, path: string): void {
  if (!isFields(saved)) throw new QemuError("state-field", `saved state ${path}: want fields`);
  for (const [name, field] of Object.entries(fields)) {
    const value = saved[name];
    const here = `${path}.${name}`;
    if (field.kind === "group" || field.kind === "array") {
      if (!Array.isArray(value) || value.length !== field.count) {
        throw new QemuError("state-field", `saved state ${here}: want ${field.count} elements`);
      }
      if (field.kind === "group") {
        const items = view[name] as Record<string, unknown>[];
        value.forEach((item, i) => {
          loadFields(field.fields, items[i], item, `${here}[${i}]`);
        });
      } else {
        const target = view[name] as Record<number, unknown>;
        value.forEach((item, i) => {
          target[i] = loadScalar(field.element, item, here);
        });
      }
    } else {
      view[name] = loadScalar(field, value, here);
    }
  }
}

function loadScalar(field: Scalar<unknown>, value: SavedValue | undefined, path: string): number | bigint | boolean {
  if (field.kind === "u64" && typeof value === "string" && /^0x[0-9a-f]{1,16}$/.test(value)) return BigInt(value);
  if (field.kind === "bool" && typeof value === "boolean") return value;
  if (field.kind !== "u64" && field.kind !== "bool" && Number.isFinite(value)) return value as number;
  throw new QemuError("state-field", `saved state ${path}: bad value ${JSON.stringify(value)} for ${field.kind}`);
}

/** Reads fields written by `saveState`, of this or (through `upgrade`) an older version; zeroes what is unsaved. */
export function loadState(schema: StateSchema, view: StateView, saved: SavedState): void {
  if (saved?.name !== schema.name) {
    throw new QemuError("state-name", `saved state is of '${saved?.name}', not of '${schema.name}'`);
  }
  let { fields } = saved;
  if (saved.version !== schema.version) {
    if (saved.version > schema.version || !schema.upgrade) {
      throw new QemuError(
        "state-version",
        `saved state of '${schema.name}' has version ${saved.version}; this program reads version ${schema.version}`,
      );
    }
    fields = schema.upgrade(saved.version, fields);
  }
  clearState(schema, view);
  loadFields(schema.fields, view as unknown as Record<string, unknown>, fields, schema.name);
}

/** Sets every register to zero. */
export function clearState(schema: StateSchema, view: StateView): void {
  view.$views.u8.fill(0, view.$base, view.$base + schema.size);
}
