/** The shape of a plugin, first-party and third-party alike. */

import type { Properties, PropertySpecs } from "../device.ts";
import { QemuError } from "../errors.ts";
import type { Hooks, Registrations, RegistryName } from "./hooks.ts";

/** The plugin interface this core offers. Raised when a change would break existing plugins. */
export const PLUGIN_API = 1;

/** The running core: everything that `import ... from "qemu-next"` gives. */
export type Core = typeof import("./api.ts");

/** What a plugin gets to work with. */
export interface Host {
  /** Where it registers what it brings: `host.hooks.device.for("my-card").tap("my-plugin", () => MY_CARD)`. */
  readonly hooks: Hooks;
  readonly core: Core;
  /** What `-plugin name,key=value` or the configuration file set, by the plugin's own `options`. */
  readonly options: Properties;
  /** What another plugin registers under `name`, after loading it; undefined when there is none. */
  find<K extends RegistryName>(kind: K, name: string): Promise<Registrations[K] | undefined>;
}

export interface Plugin {
  readonly name: string;
  /** The plugin interface it was written for; checked before `apply`. */
  readonly api: number;
  /** The options it takes; without them it takes none. */
  readonly options?: PropertySpecs;
  apply(host: Host): void | Promise<void>;
}

/** Throws unless the plugin was written for the interface of this program. */
export function checkApi(name: string, api: number): void {
  if (api === PLUGIN_API) return;
  throw new QemuError(
    "plugin-api",
    `plugin '${name}' was written for plugin interface ${api}; this program has ${PLUGIN_API}`,
    {
      context: { plugin: name },
      hint:
        api > PLUGIN_API
          ? `install a newer qemu-next, or a version of '${name}' for plugin interface ${PLUGIN_API}`
          : `install a version of '${name}' for plugin interface ${PLUGIN_API}`,
    },
  );
}
