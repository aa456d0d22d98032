/** What -d op, op_opt, out_wasm and out_js show. */

import type { Log } from "../../../core/log.ts";
import { printIr } from "../ir/print.ts";
import type { BlockTranslator } from "./block-translator.ts";
import type { Helpers } from "./helpers.ts";

export function logIntermediateCode(translator: BlockTranslator, { numbers }: Helpers, log: Log | undefined): void {
  if (!log?.has("op") && !log?.has("op_opt")) return;
  const names = new Map([...numbers].map(([name, number]) => [number, name]));
  translator.onIr = (stage, ir) => {
    if (!log.has(stage)) return;
    const heading = stage === "op" ? "OP:" : "OP after optimization:";
    log.line(stage, `${heading}\n${printIr(ir, (number) => names.get(number) ?? String(number))}\n`);
  };
}

export function moduleLogger(log: Log | undefined): ((bytes: Uint8Array) => void) | undefined {
  if (!log?.has("out_wasm")) return undefined;
  return (bytes) => log.line("out_wasm", `OUT: [size=${bytes.length}]\n${Buffer.from(bytes).toString("base64")}\n`);
}

export function sourceLogger(log: Log | undefined): ((source: string) => void) | undefined {
  if (!log?.has("out_js")) return undefined;
  return (source) => log.line("out_js", `OUT: [size=${source.length}]\n${source}\n`);
}
