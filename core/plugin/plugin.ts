/** The shape of a plugin, first-party and third-party alike. */

import type { PluginHost } from "./host.ts";

/** The plugin interface this core offers. Raised when a change would break existing plugins. */
export const PLUGIN_API = 1;

export interface Plugin {
  readonly name: string;
  /** The plugin interface it was written for; checked before `apply`. */
  readonly api: number;
  apply(host: PluginHost): void | Promise<void>;
}
