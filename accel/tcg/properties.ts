/** What `-accel tcg,...` sets. */

import { availableParallelism } from "node:os";
import type { Properties, PropertySpecs } from "../../core/device.ts";

export const BACKENDS = ["interp", "js", "wasm"] as const;
export type BackendName = (typeof BACKENDS)[number];

/** A function of JavaScript is slow for its first thousands of calls, and compiling it well takes long. */
const THRESHOLD: Readonly<Record<BackendName, number>> = { interp: 4000, wasm: 4000, js: 100_000 };

export const TCG_PROPERTIES: PropertySpecs = {
  backend: {
    type: "str",
    values: BACKENDS,
    default: "wasm",
    description: "what hot code is compiled to: interp/js/wasm",
  },
  "jit-threshold": {
    type: "uint32",
    description: `times a block is entered before it is compiled (default: ${THRESHOLD.wasm}, js: ${THRESHOLD.js})`,
  },
  "jit-insns": { type: "uint32", default: 1000, description: "guest instructions compiled into one function at most" },
  "jit-thread": {
    type: "bool",
    description: "compile to wasm in a thread beside the guest's (default: on where there are several CPUs)",
  },
  "one-insn-per-tb": { type: "bool", default: false, description: "translate one instruction at a time, without JIT" },
  thread: { type: "str", values: ["single"], default: "single", description: "all CPUs in one thread" },
};

export interface TcgOptions {
  readonly backend: BackendName;
  readonly threshold: number;
  readonly regionInsns: number;
  /** Regions are compiled in a thread of their own. */
  readonly compileThread: boolean;
  readonly oneInsn: boolean;
}

export function tcgOptions(properties: Properties): TcgOptions {
  const oneInsn = properties["one-insn-per-tb"] === true;
  const backend = oneInsn ? "interp" : (properties.backend as BackendName);
  return {
    backend,
    threshold: Math.max(1, Number(properties["jit-threshold"] ?? THRESHOLD[backend])),
    regionInsns: Number(properties["jit-insns"]),
    compileThread: (properties["jit-thread"] as boolean | undefined) ?? availableParallelism() > 1,
    oneInsn,
  };
}
