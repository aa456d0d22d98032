/** Loads the helper module and numbers its functions for IR. */

import { PLACE, readAsset } from "../../../core/assets.ts";

/** What the helpers call in JavaScript: see assembly/host.ts. */
export interface HelperHost {
  throwFault(): void;
  mmioRead(addressLow: number, addressHigh: number, size: number): number;
  mmioWrite(addressLow: number, addressHigh: number, size: number, value: number): void;
  notifyWrite(hostAddress: number, length: number): void;
  runsCode(hostAddress: number, length: number): number;
  portIn(port: number, size: number): number;
  portOut(port: number, size: number, value: number): void;
  readTpr(): number;
  writeTpr(value: number): void;
  readTsc(): bigint;
  random(): bigint;
  readMsr(index: number): number;
  writeMsr(index: number): number;
  cpuid(leaf: number, subleaf: number): void;
  ferr(): void;
  smmChanged(active: number): void;
}

export interface Helpers {
  readonly exports: Record<string, (...args: never[]) => number | bigint>;
  /** Functions callable from IR, in the order of `numbers`. */
  readonly table: WebAssembly.Table;
  readonly numbers: ReadonlyMap<string, number>;
}

let compiled: WebAssembly.Module | undefined;

async function helperModule(): Promise<WebAssembly.Module> {
  if (compiled) return compiled;
  // A checkout may have changed them.
  if (PLACE === "source") await (await import("../assembly/build.ts")).buildHelpers();
  compiled = new WebAssembly.Module(readAsset("helpers.wasm"));
  return compiled;
}

/** Instantiates the helpers over a memory. */
export async function loadHelpers(memory: WebAssembly.Memory, host: HelperHost): Promise<Helpers> {
  const module = await helperModule();
  const imports = { ...host } as unknown as WebAssembly.ModuleImports;
  const { exports } = new WebAssembly.Instance(module, { env: { memory }, host: imports });
  const functions = Object.entries(exports).filter(
    (entry): entry is [string, Function] => typeof entry[1] === "function",
  );
  const table = new WebAssembly.Table({ element: "anyfunc", initial: functions.length, maximum: functions.length });
  const numbers = new Map<string, number>();
  functions.forEach(([name, fn], index) => {
    table.set(index, fn);
    numbers.set(name, index);
  });
  return { exports: exports as never, table, numbers };
}
