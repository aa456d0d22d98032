/**
 * `key=value,key=value`, as QEMU's options spell their arguments: `,,` is a comma inside a value; the first item may be
 * the value of an implied key; `key` alone means on, `nokey` means off.
 */

import { messageOf, QemuError } from "../errors.ts";
import { didYouMean } from "./near.ts";

export interface KeyValue {
  readonly key: string;
  readonly value: string;
  /** Written without a value: `key`, on by itself. */
  readonly bare: boolean;
}

/** Reads from `at` up to a single comma; `,,` becomes a comma. */
function readValue(text: string, at: number): { value: string; next: number } {
  let value = "";
  for (let i = at; i < text.length; i++) {
    if (text[i] === ",") {
      if (text[i + 1] !== ",") return { value, next: i + 1 };
      i++;
    }
    value += text[i];
  }
  return { value, next: text.length };
}

/** All pairs in order; keys may repeat. */
export function parseKeyValues(text: string, impliedKey?: string): KeyValue[] {
  const pairs: KeyValue[] = [];
  for (let at = 0; at < text.length; ) {
    const comma = text.indexOf(",", at);
    const equals = text.indexOf("=", at);
    if (equals >= 0 && (comma < 0 || equals < comma)) {
      const key = text.slice(at, equals);
      if (key === "") throw new QemuError("bad-option", `Invalid parameter '${text.slice(at)}'`);
      const { value, next } = readValue(text, equals + 1);
      pairs.push({ key, value, bare: false });
      at = next;
    } else {
      const { value, next } = readValue(text, at);
      if (at === 0 && impliedKey !== undefined) pairs.push({ key: impliedKey, value, bare: false });
      else if (value !== "") pairs.push({ key: value, value: "on", bare: true });
      at = next;
    }
  }
  return pairs;
}

/** Writes `value` so that `parseKeyValues` reads it back. */
export function escapeValue(value: string): string {
  return value.replaceAll(",", ",,");
}

/** Pairs as a record, the last of a repeated key; keys outside `allowed` are refused. `nokey` sets a key of the list. */
export function toRecord(pairs: readonly KeyValue[], allowed?: readonly string[]): Record<string, string> {
  const record: Record<string, string> = Object.create(null);
  for (const { key, value, bare } of pairs) {
    const positive = bare && key.startsWith("no") ? key.slice(2) : undefined;
    if (!allowed || allowed.includes(key)) record[key] = value;
    else if (positive !== undefined && allowed.includes(positive)) record[positive] = "off";
    else throw new QemuError("bad-option", `Invalid parameter '${key}'`, { hint: didYouMean(key, allowed) });
  }
  return record;
}

/** Whether the argument asks for help: `help`, `?`, or `x,help`. */
export function wantsHelp(pairs: readonly KeyValue[]): boolean {
  return pairs.some(({ key, value, bare }, i) =>
    bare ? key === "help" || key === "?" : i === 0 && (value === "help" || value === "?"),
  );
}

/** Runs `action`; errors say which option they are about. */
export function withOption<T>(option: string, action: () => T): T {
  const name = (cause: unknown): QemuError => {
    if (cause instanceof QemuError) {
      if (cause.context.option !== undefined) return cause;
      const { code, message, context, hint } = cause;
      return new QemuError(code, message, { context: { ...context, option }, cause: cause.cause, hint });
    }
    return new QemuError("internal", messageOf(cause), { context: { option }, cause });
  };
  try {
    const result = action();
    if (result instanceof Promise) {
      return result.catch((cause) => {
        throw name(cause);
      }) as T;
    }
    return result;
  } catch (cause) {
    throw name(cause);
  }
}
