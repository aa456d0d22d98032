/**
 * WebAssembly functions through which JavaScript reaches helpers and vector operations without BigInt: 64-bit values go
 * in as two int32 halves; of a 64-bit result the low half is returned and the high half left in env at RESULT_HIGH.
 *
 * Signatures are as in ir/ops.ts, `l` taking two parameters, `v` the address of 16 bytes; `e` is env and takes none. A
 * vector result goes to the address that is the first parameter.
 */

import type { Helpers } from "../engine/helpers.ts";
import { ENV } from "../env.ts";
import type { OpRow } from "../ir/ops.ts";
import { Code, I32, I64, ModuleBuilder, type ValueType } from "../wasm/encoder.ts";
import { W } from "../wasm/opcodes.ts";

/** Where the high half of a 64-bit result is; shared with the 16-byte values of slow accesses, which have no result. */
export const RESULT_HIGH = ENV.scratch + 1008;

const TYPES: Readonly<Record<string, ValueType>> = { e: I32, i: I32, l: I64 };
const SLOW = { compiledLoad: "l=eli", compiledStore: "=elil", compiledLoad128: "=eli", compiledStore128: "=eli" };
const HELPER = "l=elli";
/** The same, of a helper whose result nobody wants. */
const HELPER_VOID = "=elli";

/** Where env is: at one address for good, or, where several CPUs run, at that in the word at `current`. */
export interface EnvPlace {
  readonly fixed: number;
  readonly current?: number;
}

type Adapter = (...words: number[]) => number;

export class Adapters {
  readonly functions: Record<string, Adapter> = {};
  readonly #memory: WebAssembly.Memory;
  readonly #helpers: Helpers;
  readonly #env: EnvPlace;
  readonly #known = new Set<string>();
  #module: ModuleBuilder;

  constructor(memory: WebAssembly.Memory, helpers: Helpers, env: EnvPlace) {
    this.#memory = memory;
    this.#helpers = helpers;
    this.#env = env;
    this.#module = this.#begin();
    for (const [name, signature] of Object.entries(SLOW)) this.#import(name, name, signature);
    this.link();
  }

  /** The name in `functions`, after `link`, of a helper that IR calls. */
  helper(name: string, result: boolean): string {
    const adapter = result ? `${name}_result` : name;
    if (!this.#known.has(adapter)) this.#import(name, adapter, result ? HELPER : HELPER_VOID);
    return adapter;
  }

  /** The name in `functions`, after `link`, of an op. */
  op({ name, signature, wasm }: OpRow): string {
    if (!this.#known.has(name)) this.#add(name, signature!, (code) => code.op(...wasm!));
    return name;
  }

  /** Makes the functions that were asked for since the last time. */
  link(): void {
    if (Object.keys(this.functions).length === this.#known.size) return;
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(this.#module.encode()), {
      host: { memory: this.#memory },
      helpers: this.#helpers.exports as unknown as WebAssembly.ModuleImports,
    });
    Object.assign(this.functions, exports);
    this.#module = this.#begin();
  }

  #begin(): ModuleBuilder {
    const module = new ModuleBuilder();
    const pages = this.#memory.buffer.byteLength / 65536;
    module.importMemory("host", "memory", pages, pages);
    return module;
  }

  #pushEnv(code: Code): void {
    const { fixed, current } = this.#env;
    if (current === undefined) code.i32(fixed);
    else code.i32(0).memory(W.i32_load, current);
  }

  #import(helper: string, name: string, signature: string): void {
    const [result, operands] = signature.split("=");
    const results: ValueType[] = signature === HELPER_VOID ? [I64] : result === "" ? [] : [TYPES[result]];
    const index = this.#module.importFunction("helpers", helper, {
      params: [...operands].map((type) => TYPES[type]),
      results,
    });
    this.#add(name, signature, (code) => {
      code.call(index);
      if (signature === HELPER_VOID) code.op(W.drop);
    });
  }

  /** Adds a function that pushes its operands, does `body` and hands on the result. */
  #add(name: string, signature: string, body: (code: Code) => void): void {
    this.#known.add(name);
    const [result, operands] = signature.split("=");
    const params = `${result === "v" ? "i" : ""}${operands.replaceAll("e", "").replaceAll("l", "ii")}`.length;
    const code = new Code(params);
    let param = 0;
    if (result === "v") code.get(param++);
    for (const type of operands) {
      if (type === "e") this.#pushEnv(code);
      else code.get(param++);
      if (type === "v") code.v128Load();
      if (type !== "l") continue;
      code.op(W.i64_extend_i32_u).get(param++).op(W.i64_extend_i32_u).i64(32).op(W.i64_shl, W.i64_or);
    }
    body(code);
    if (result === "v") code.v128Store();
    if (result === "l") {
      const value = code.local(I64);
      code.set(value);
      this.#pushEnv(code);
      code.get(value).i64(32).op(W.i64_shr_u).memory(W.i64_store32, RESULT_HIGH);
      code.get(value).op(W.i32_wrap_i64);
    }
    const results: ValueType[] = result === "l" || result === "i" ? [I32] : [];
    this.#module.function({ params: Array<typeof I32>(params).fill(I32), results }, code, name);
  }
}
