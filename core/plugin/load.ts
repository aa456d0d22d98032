/**
 * Loads modules that are no part of the program: third-party plugins and configuration files, CommonJS or ES modules.
 * It works alike from the sources, from a bundle and inside the standalone executable, in every thread:
 *
 *  - `require` of an absolute path loads both kinds of module. Inside the executable, where `import()` of the program
 *    itself sees built-in modules only, it is the way to the file system. Modules with a top-level await, which it
 *    refuses, are imported by a module that it loads.
 *  - `import "qemu-next"` gives the running core, whatever copies of the package lie about.
 *  - An endless loop, or a promise that never settles, is given up after a time.
 */

import { createRequire, type LoadHookSync, type ResolveHookSync, registerHooks } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Script } from "node:vm";
import { messageOf, QemuError } from "../errors.ts";
import type { Core } from "./plugin.ts";

/** How long a foreign module may take to load, and a plugin's `apply` to run. */
export const TIME_LIMIT_MS = 10_000;

const CORE_MODULE = "qemu-next:core";
const IMPORT_MODULE = "qemu-next:import";
/** Where the modules above find what they give. */
const CORE = Symbol.for("qemu-next.core");
const ACTION = Symbol.for("qemu-next.action");
const globals = globalThis as Record<symbol, unknown>;

const resolveHook: ResolveHookSync = (specifier, context, next) => {
  if (specifier === "qemu-next") return { url: CORE_MODULE, format: "module", shortCircuit: true };
  if (specifier === IMPORT_MODULE) return { url: IMPORT_MODULE, format: "module", shortCircuit: true };
  if (specifier.startsWith("qemu-next/")) {
    throw new QemuError("plugin-import", `${context.parentURL} imports '${specifier}', which plugins cannot have`, {
      hint: "a plugin imports from 'qemu-next', or uses 'host.core'",
    });
  }
  return next(specifier, context);
};

const loadHook: LoadHookSync = (url, context, next) => {
  const source =
    url === CORE_MODULE
      ? `export const { ${Object.keys(globals[CORE] as Core).join(", ")} } = globalThis[Symbol.for("qemu-next.core")];`
      : url === IMPORT_MODULE
        ? "export default (url) => import(url);"
        : undefined;
  return source === undefined ? next(url, context) : { source, format: "module", shortCircuit: true };
};

async function handOutCore(): Promise<void> {
  if (globals[CORE] !== undefined) return;
  globals[CORE] = await import("./api.ts");
  registerHooks({ resolve: resolveHook, load: loadHook });
}

/** Calls `action`; an endless loop in it ends with an error after `limit` milliseconds. V8's watchdog interrupts it. */
function interruptible<T>(action: () => T, limit: number): T {
  globals[ACTION] = action;
  try {
    return new Script('globalThis[Symbol.for("qemu-next.action")]()').runInThisContext({ timeout: limit }) as T;
  } finally {
    delete globals[ACTION];
  }
}

/**
 * What `action` answers or resolves with. `what` it is is for the message when it takes longer than `limit`.
 * An endless loop after the first `await` of `action` is not noticed.
 */
export async function withinTime<T>(what: string, action: () => T | Promise<T>, limit = TIME_LIMIT_MS): Promise<T> {
  const late = (how: string): QemuError =>
    new QemuError("plugin-timeout", `${what} has not ended after ${limit / 1000} seconds`, { hint: how });
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(late("it waits for something that does not happen")), limit);
  });
  try {
    return await Promise.race([interruptible(action, limit), timeout]);
  } catch (cause) {
    if ((cause as { code?: string } | null)?.code === "ERR_SCRIPT_EXECUTION_TIMEOUT") {
      throw late("it is in an endless loop");
    }
    throw cause;
  } finally {
    clearTimeout(timer);
  }
}

/** The exports of the module in `file`, an absolute path. `what` it is is for messages. */
export async function loadModule(file: string, what: string, limit?: number): Promise<Record<string, unknown>> {
  await handOutCore();
  const require = createRequire(file);
  const load = (): unknown => {
    try {
      return require(file);
    } catch (error) {
      if ((error as { code?: string } | null)?.code !== "ERR_REQUIRE_ASYNC_MODULE") throw error;
      return (require(IMPORT_MODULE) as { default(url: string): Promise<unknown> }).default(pathToFileURL(file).href);
    }
  };
  try {
    return (await withinTime(`loading ${what}`, load, limit)) as Record<string, unknown>;
  } catch (cause) {
    if (cause instanceof QemuError) throw cause;
    throw new QemuError("plugin-load", `${what} could not be loaded: ${describeFailure(cause)}`, {
      context: { path: file },
      cause,
    });
  }
}

/** The message, and for a syntax error the place, which only its stack tells. */
function describeFailure(cause: unknown): string {
  const [message] = messageOf(cause).split("\n");
  const place = cause instanceof SyntaxError ? /^(.+:\d+)$/m.exec(cause.stack ?? "")?.[1] : undefined;
  if (place === undefined) return message;
  return `${place.startsWith("file:") ? place.replace(/^file:.*(?=:)/, (url) => fileURLToPath(url)) : place}: ${message}`;
}
