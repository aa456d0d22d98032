/**
 * The plugin host: applies plugins and answers look-ups by name. Plugins can be offered without being loaded; a
 * look-up loads the one that says it provides the name, and only that one.
 */

import { messageOf, QemuError } from "../errors.ts";
import { didYouMean } from "../options/near.ts";
import {
  createHooks,
  type Hooks,
  REGISTRY_LABELS,
  REGISTRY_NAMES,
  type Registrations,
  type Registry,
  type RegistryName,
} from "./hooks.ts";
import { PLUGIN_API, type Plugin } from "./plugin.ts";

/** A plugin that is loaded when something it provides is asked for. */
export interface OfferedPlugin {
  readonly name: string;
  /** What it registers, as "registry:name": "device:isa-serial", "machine:pc". */
  readonly provides: readonly string[];
  load(): Promise<{ readonly default: Plugin }>;
}

export class PluginHost {
  readonly hooks: Hooks = createHooks();
  readonly #plugins = new Map<string, Plugin>();
  readonly #offered = new Map<string, OfferedPlugin>();
  /** Names that somebody tapped, by registry. */
  readonly #registered = new Map<RegistryName, Set<string>>();
  /** The plugin whose tap was called last. */
  #calling = "";

  constructor() {
    for (const kind of REGISTRY_NAMES) {
      const names = new Set<string>();
      this.#registered.set(kind, names);
      (this.hooks[kind] as Registry<unknown>).intercept({
        factory: (key, hook) => {
          names.add(String(key));
          hook.intercept({ tap: (tap) => void (this.#calling = tap.name) });
          return hook;
        },
      });
    }
  }

  /** Makes a plugin known without loading it. */
  offer(plugin: OfferedPlugin): void {
    for (const provided of plugin.provides) this.#offered.set(provided, plugin);
  }

  /** Applies a plugin; a second time has no effect. */
  async use(plugin: Plugin): Promise<void> {
    if (plugin.api !== PLUGIN_API) {
      throw new QemuError(
        "plugin-api",
        `plugin '${plugin.name}' was written for plugin interface ${plugin.api}; this program has ${PLUGIN_API}`,
        { hint: `install a version of '${plugin.name}' for plugin interface ${PLUGIN_API}` },
      );
    }
    if (this.#plugins.has(plugin.name)) return;
    this.#plugins.set(plugin.name, plugin);
    try {
      await plugin.apply(this);
    } catch (cause) {
      if (cause instanceof QemuError) throw cause;
      throw new QemuError("plugin-apply", `plugin '${plugin.name}' failed to start: ${messageOf(cause)}`, { cause });
    }
  }

  /** What is registered under `name` by the plugins in use, or undefined. `option` is named when a tap throws. */
  lookup<K extends RegistryName>(kind: K, name: string, option?: string): Registrations[K] | undefined {
    const hook = (this.hooks[kind] as Registry<Registrations[K]>).get(name);
    if (!hook) return undefined;
    try {
      return hook.call();
    } catch (cause) {
      throw new QemuError(
        "plugin-tap",
        `plugin '${this.#calling}' failed in its hook ${kind} for '${name}': ${messageOf(cause)}`,
        { cause, context: { plugin: this.#calling, hook: `${kind}:${name}`, option } },
      );
    }
  }

  /** What is registered under `name`, after loading the plugin that offers it; undefined when there is none. */
  async find<K extends RegistryName>(kind: K, name: string, option?: string): Promise<Registrations[K] | undefined> {
    const offered = this.#offered.get(`${kind}:${name}`);
    if (offered) await this.#load(offered);
    return this.lookup(kind, name, option);
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

  async #load(offered: OfferedPlugin): Promise<void> {
    if (this.#plugins.has(offered.name)) return;
    let plugin: Plugin;
    try {
      plugin = (await offered.load()).default;
    } catch (cause) {
      if (cause instanceof QemuError) throw cause;
      throw new QemuError("plugin-load", `plugin '${offered.name}' could not be loaded: ${messageOf(cause)}`, {
        cause,
      });
    }
    await this.use(plugin);
  }
}
