/**
 * What third-party plugins register is looked over before it is used, and errors that its methods throw are told apart
 * from errors of the program: they name the plugin.
 */

import { messageOf, QemuError } from "../errors.ts";
import type { RegistryName } from "./hooks.ts";

/** What each thing has to have, by `typeof`. */
const SHAPES: Readonly<Partial<Record<RegistryName, Readonly<Record<string, string>>>>> = {
  accelerator: { name: "string", properties: "object", reservedMemory: "function", createVm: "function" },
  machine: { name: "string", aliases: "object", properties: "object", findFirmware: "function", assemble: "function" },
  device: {
    name: "string",
    bus: "string",
    category: "string",
    properties: "object",
    userCreatable: "boolean",
    create: "function",
  },
  chardev: { options: "object", open: "function" },
  blockDriver: { name: "string", open: "function" },
  blockProtocol: { name: "string", open: "function" },
  disassembler: { load: "function" },
};

/** Something like `thing`, with methods that name `plugin` when they fail. */
export function guard<T>(plugin: string, kind: RegistryName, name: string, thing: T): T {
  const shape = SHAPES[kind];
  if (!shape) return thing;
  const what = `plugin '${plugin}', ${kind} '${name}'`;
  if (typeof thing !== "object" || thing === null) throw new QemuError("plugin-shape", `${what}: is not an object`);
  const source = thing as Record<string, unknown>;
  for (const [key, type] of Object.entries(shape)) {
    const value = source[key];
    if (typeof value !== type || value === null) {
      throw new QemuError("plugin-shape", `${what}: '${key}' is missing or not a ${type}`);
    }
  }
  // Neither a proxy nor an heir: the one cannot stand for a frozen object, the other has no private members.
  const guarded: Record<string, unknown> = {};
  for (const key of memberNames(thing)) {
    const value = source[key];
    const guardedMethod = typeof value === "function" && guardMethod(`${what}: ${key}()`, value as Method, source);
    Object.defineProperty(guarded, key, { enumerable: true, get: () => guardedMethod || source[key] });
  }
  return guarded as T;
}

/** Names of all members, inherited ones, too. */
function memberNames(thing: object): Set<string> {
  const names = new Set<string>();
  for (let at: object | null = thing; at && at !== Object.prototype; at = Object.getPrototypeOf(at)) {
    for (const name of Object.getOwnPropertyNames(at)) if (name !== "constructor") names.add(name);
  }
  return names;
}

type Method = (...args: unknown[]) => unknown;

function guardMethod(what: string, method: Method, self: unknown): Method {
  const fail = (cause: unknown): never => {
    if (cause instanceof QemuError) throw cause;
    throw new QemuError("plugin-failed", `${what} failed: ${messageOf(cause)}`, {
      cause,
      hint: "'-trace' shows where in the plugin",
    });
  };
  return (...args) => {
    try {
      const result = method.apply(self, args);
      return result instanceof Promise ? result.catch(fail) : result;
    } catch (cause) {
      return fail(cause);
    }
  };
}
