/** `qemu-next/block`: disk images without a machine, read and written by the block drivers that come with the program. */

import type { OpenImageOptions } from "../../core/block/driver.ts";
import { openImage as openWith } from "../../core/block/driver.ts";
import type { BlockNode } from "../../core/block/node.ts";
import { PluginHost } from "../../core/plugin/host.ts";
import { FIRST_PARTY } from "../../plugins/first-party.ts";

export { probeFormat } from "../../core/block/driver.ts";
export { QemuError } from "../../core/errors.ts";
export type { BlockNode, OpenImageOptions };

let host: PluginHost | undefined;

function blockHost(): PluginHost {
  if (host) return host;
  host = new PluginHost();
  for (const plugin of FIRST_PARTY) host.offer(plugin);
  return host;
}

/** Opens an image file. Whoever opens it closes it, after `flush()` when it has been written to. */
export function openImage(path: string, options: OpenImageOptions = {}): Promise<BlockNode> {
  return openWith(blockHost(), path, options);
}
