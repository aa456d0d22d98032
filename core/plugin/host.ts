/** The plugin host: applies plugins and answers look-ups by name. */

import { QemuError } from "../errors.ts";
import { createHooks, type Hooks, type Registry } from "./hooks.ts";
import { PLUGIN_API, type Plugin } from "./plugin.ts";

export class PluginHost {
  readonly hooks: Hooks = createHooks();
  readonly #plugins = new Map<string, Plugin>();

  async use(plugin: Plugin): Promise<void> {
    if (plugin.api !== PLUGIN_API) {
      throw new QemuError(
        "plugin-api",
        `plugin '${plugin.name}' wants plugin interface ${plugin.api}; this program has ${PLUGIN_API}`,
      );
    }
    if (this.#plugins.has(plugin.name)) return;
    this.#plugins.set(plugin.name, plugin);
    await plugin.apply(this);
  }

  /** What is registered under `name`, or undefined. */
  lookup<T>(registry: Registry<T>, name: string): T | undefined {
    return registry.get(name)?.call();
  }
}
