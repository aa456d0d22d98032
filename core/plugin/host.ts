/**
 * The plugin host: applies plugins and answers look-ups by name. Plugins can be offered without being loaded; a
 * look-up loads the one that says it provides the name, and only that one.
 */

import type { SyncHook } from "tapable";
import type { Properties } from "../device.ts";
import { type ErrorContext, messageOf, QemuError } from "../errors.ts";
import { withOption } from "../options/keyval.ts";
import { didYouMean } from "../options/near.ts";
import { parseProperties } from "../options/properties.ts";
import { guard } from "./guard.ts";
import {
  createHooks,
  type Hooks,
  MOMENT_NAMES,
  type MomentName,
  type Moments,
  REGISTRY_LABELS,
  REGISTRY_NAMES,
  type Registrations,
  type Registry,
  type RegistryName,
} from "./hooks.ts";
import { checkApi, type Plugin } from "./plugin.ts";

/** A plugin that is loaded when something it provides is asked for. */
export interface OfferedPlugin {
  readonly name: string;
  /** What it registers, as "registry:name": "device:isa-serial", "machine:pc". */
  readonly provides: readonly string[];
  load(): Promise<{ readonly default: Plugin }>;
  /** Set for plugins that do not come with the program. */
  readonly foreign?: ForeignPlugin;
}

/** What the user has set for a plugin, and the option or file that did so. */
export interface Settings {
  readonly given: Readonly<Record<string, string>>;
  readonly source: string;
}

export interface ForeignPlugin extends Settings {
  /** What it registers cannot be known without loading it. */
  readonly opaque: boolean;
  /** Runs its `apply` for a limited time. */
  limit(apply: () => void | Promise<void>): Promise<void>;
}

type Moment = SyncHook<unknown[]>;

const TRACE_HINT = "'-trace' shows where in the plugin";

export class PluginHost {
  readonly hooks: Hooks = createHooks();
  /** The plugins in use, by name, and the end of their `apply`. */
  readonly #plugins = new Map<string, Promise<void>>();
  /** By what they provide. */
  readonly #offered = new Map<string, OfferedPlugin>();
  /** By name. */
  readonly #offers = new Map<string, OfferedPlugin>();
  readonly #foreign = new Map<string, ForeignPlugin>();
  /** Options for plugins that are part of the program. */
  readonly #settings = new Map<string, Settings>();
  /** Names that somebody tapped, by registry. */
  readonly #registered = new Map<RegistryName, Set<string>>();
  /** The plugin whose tap was called last. */
  #calling = "";

  constructor() {
    const note = (tap: { readonly name: string }): void => void (this.#calling = tap.name);
    for (const moment of MOMENT_NAMES) (this.hooks[moment] as Moment).intercept({ tap: note });
    for (const kind of REGISTRY_NAMES) {
      const names = new Set<string>();
      this.#registered.set(kind, names);
      (this.hooks[kind] as Registry<unknown>).intercept({
        factory: (key, hook) => {
          names.add(String(key));
          hook.intercept({
            tap: note,
            register: (tap) => {
              this.#checkTap(`${kind}:${String(key)}`, hook.taps[0]?.name, tap.name);
              return tap;
            },
          });
          return hook;
        },
      });
    }
  }

  /** Makes a plugin known without loading it. A foreign one may not take the place of another. */
  offer(plugin: OfferedPlugin): void {
    const { name, provides, foreign } = plugin;
    if (foreign) {
      const refuse = (message: string): never => {
        throw new QemuError("plugin-conflict", message);
      };
      if (this.#foreign.has(name)) refuse(`two plugins have the name '${name}'`);
      if (this.#offers.has(name)) refuse(`plugin '${name}' is a part of this program already`);
      const taken = provides.find((key) => this.#offered.has(key));
      if (taken) refuse(`plugin '${name}' provides ${taken}, and so does '${this.#offered.get(taken)?.name}'`);
      this.#foreign.set(name, foreign);
    }
    this.#offers.set(name, plugin);
    for (const provided of provides) this.#offered.set(provided, plugin);
  }

  /** The plugin of that name, if it was offered. */
  offered(name: string): OfferedPlugin | undefined {
    return this.#offers.get(name);
  }

  /** Gives options to a plugin that is part of the program, and is not loaded yet. */
  configure(name: string, settings: Settings): void {
    this.#settings.set(name, settings);
  }

  /** Loads and applies an offered plugin. */
  load(offered: OfferedPlugin): Promise<void> {
    return this.#once(offered.name, async () => {
      let plugin: Plugin;
      try {
        plugin = (await offered.load()).default;
      } catch (cause) {
        if (cause instanceof QemuError) throw cause;
        throw new QemuError("plugin-load", `plugin '${offered.name}' could not be loaded: ${messageOf(cause)}`, {
          cause,
        });
      }
      const { name, foreign } = offered;
      const settings = foreign ?? this.#settings.get(name);
      const read = (): Properties => parseProperties(name, plugin.options ?? {}, settings?.given ?? {});
      await this.#apply(name, plugin, settings ? withOption(settings.source, read) : read(), foreign);
    });
  }

  /** Applies a plugin with options; a second time has no effect. */
  use(plugin: Plugin, given: Readonly<Record<string, string>> = {}): Promise<void> {
    return this.#once(plugin.name, () =>
      this.#apply(plugin.name, plugin, parseProperties(plugin.name, plugin.options ?? {}, given)),
    );
  }

  #once(name: string, action: () => Promise<void>): Promise<void> {
    let under = this.#plugins.get(name);
    if (!under) this.#plugins.set(name, (under = action()));
    return under;
  }

  async #apply(name: string, plugin: Plugin, options: Properties, foreign?: ForeignPlugin): Promise<void> {
    checkApi(name, plugin.api);
    const core = await import("./api.ts");
    const find: this["find"] = (kind, thing) => this.find(kind, thing);
    const apply = (): void | Promise<void> => plugin.apply({ hooks: this.hooks, core, options, find });
    const before = new Set(this.#keys());
    try {
      await (foreign ? foreign.limit(apply) : apply());
    } catch (cause) {
      if (cause instanceof QemuError) throw cause;
      throw new QemuError("plugin-apply", `plugin '${name}' failed to start: ${messageOf(cause)}`, {
        cause,
        hint: foreign && TRACE_HINT,
      });
    }
    if (!foreign || foreign.opaque) return;
    const hidden = this.#keys().find((key) => !before.has(key) && !this.#offered.has(key));
    if (hidden === undefined) return;
    throw new QemuError("plugin-provides", `plugin '${name}' registers ${hidden}, which its manifest does not name`, {
      hint: 'its package.json lists it under "qemu-next"."provides"',
    });
  }

  /** A name belongs to one plugin: the one that has tapped it first, or that the program comes with. */
  #checkTap(key: string, first: string | undefined, name: string): void {
    const offered = this.#offered.get(key);
    const owner = first ?? (offered?.foreign ? undefined : offered?.name);
    if (owner === undefined || (first === undefined && owner === name)) return;
    throw new QemuError("plugin-conflict", `plugin '${name}' registers ${key}, and so does '${owner}'`);
  }

  /** What has been tapped so far, as "registry:name". */
  #keys(): string[] {
    return REGISTRY_NAMES.flatMap((kind) => [...this.#registered.get(kind)!].map((name) => `${kind}:${name}`));
  }

  /** What is registered under `name` by the plugins in use, or undefined. `option` is named when a tap throws. */
  lookup<K extends RegistryName>(kind: K, name: string, option?: string): Registrations[K] | undefined {
    const hook = (this.hooks[kind] as Registry<Registrations[K]>).get(name);
    if (!hook) return undefined;
    try {
      const thing = hook.call();
      const foreign = thing === undefined ? undefined : this.#foreignName(`${kind}:${name}`);
      return foreign === undefined ? thing : guard(foreign, kind, name, thing);
    } catch (cause) {
      throw this.#tapFailure(`${kind} for '${name}'`, cause, { hook: `${kind}:${name}`, option });
    }
  }

  /** Tells the plugins in use of a moment. */
  tell<K extends MomentName>(moment: K, ...args: Moments[K]): void {
    try {
      (this.hooks[moment] as Moment).call(...args);
    } catch (cause) {
      throw this.#tapFailure(moment, cause, { hook: moment });
    }
  }

  #tapFailure(hook: string, cause: unknown, context: ErrorContext): QemuError {
    if (cause instanceof QemuError) return cause;
    const plugin = this.#calling;
    return new QemuError("plugin-tap", `plugin '${plugin}' failed in its hook ${hook}: ${messageOf(cause)}`, {
      cause,
      context: { plugin, ...context },
      hint: TRACE_HINT,
    });
  }

  /** The plugin that registered a thing, when it did not come with the program. */
  #foreignName(key: string): string | undefined {
    const offered = this.#offered.get(key);
    if (offered) return offered.foreign && offered.name;
    return [...this.#foreign.values()].some(({ opaque }) => opaque) ? this.#calling : undefined;
  }

  /** What is registered under `name`, after loading the plugin that offers it; undefined when there is none. */
  async find<K extends RegistryName>(kind: K, name: string, option?: string): Promise<Registrations[K] | undefined> {
    const offered = this.#offered.get(`${kind}:${name}`);
    if (offered) await this.load(offered);
    const thing = this.lookup(kind, name, option);
    if (offered && thing === undefined) {
      throw new QemuError("plugin-provides", `plugin '${offered.name}' does not register ${kind}:${name}`, {
        context: { option },
        hint: "its manifest says that it does",
      });
    }
    return thing;
  }

  /** Like `find`, but throws with near matches. `message` words the error. */
  async require<K extends RegistryName>(
    kind: K,
    name: string,
    message = `'${name}' is not a valid ${REGISTRY_LABELS[kind]} name`,
    option?: string,
  ): Promise<Registrations[K]> {
    const found = await this.find(kind, name, option);
    if (found !== undefined) return found;
    throw new QemuError(`unknown-${kind}`, message, {
      context: { option },
      hint: didYouMean(name, this.names(kind)),
    });
  }

  /** Everything of a kind that is registered or offered, by name. */
  names(kind: RegistryName): string[] {
    const offered = [...this.#offered.keys()].filter((key) => key.startsWith(`${kind}:`));
    return [...new Set([...offered.map((key) => key.slice(kind.length + 1)), ...this.#registered.get(kind)!])].sort();
  }

  /** Loads and returns everything of a kind, sorted by the name it is registered under. */
  async all<K extends RegistryName>(kind: K): Promise<[string, Registrations[K]][]> {
    const found: [string, Registrations[K]][] = [];
    for (const name of this.names(kind)) {
      const thing = await this.find(kind, name);
      if (thing !== undefined) found.push([name, thing]);
    }
    return found;
  }

  /** Names of the plugins in use. */
  plugins(): string[] {
    return [...this.#plugins.keys()];
  }
}
