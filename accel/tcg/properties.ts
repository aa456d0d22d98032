/** What `-accel tcg,...` sets. */

import type { Properties, PropertySpecs } from "../../core/device.ts";

export const BACKENDS = ["interp", "js", "wasm"] as const;
export type BackendName = (typeof BACKENDS)[number];

export const TCG_PROPERTIES: PropertySpecs = {
  backend: {
    type: "str",
    values: BACKENDS,
    default: "wasm",
    description: "what hot code is compiled to: interp/js/wasm",
  },
  "jit-threshold": { type: "uint32", default: 2000, description: "times a block is entered before it is compiled" },
  "jit-insns": { type: "uint32", default: 100, description: "guest instructions compiled into one function at most" },
  "one-insn-per-tb": { type: "bool", default: false, description: "translate one instruction at a time, without JIT" },
  thread: { type: "str", values: ["single"], default: "single", description: "all CPUs in one thread" },
};

export interface TcgOptions {
  readonly backend: BackendName;
  readonly threshold: number;
  readonly regionInsns: number;
  readonly oneInsn: boolean;
}

export function tcgOptions(properties: Properties): TcgOptions {
  const oneInsn = properties["one-insn-per-tb"] === true;
  return {
    backend: oneInsn ? "interp" : (properties.backend as BackendName),
    threshold: Math.max(1, Number(properties["jit-threshold"])),
    regionInsns: Number(properties["jit-insns"]),
    oneInsn,
  };
}
