/**
 * What block plugins bring: protocols reach bytes somewhere (a file), formats give them meaning (raw), and `openImage`
 * puts a graph together from a file name.
 */

import type { PluginHost } from "../plugin/host.ts";
import type { BlockNode } from "./node.ts";
import { SnapshotNode } from "./snapshot.ts";

export interface BlockProtocol {
  readonly name: string;
  open(path: string, options: { readonly readOnly: boolean }): Promise<BlockNode>;
}

export interface BlockFormat {
  readonly name: string;
  /** Owns `file` from then on, and closes it when it is closed or fails. */
  open(file: BlockNode, options: { readonly readOnly: boolean }): Promise<BlockNode>;
}

export interface OpenImageOptions {
  /** Name of the format; probed when unset. */
  readonly format?: string;
  readonly readOnly?: boolean;
  /** Writes go to a temporary file and are gone when the node is closed. */
  readonly snapshot?: boolean;
}

/** Image formats by the bytes they start with. */
const MAGICS: readonly (readonly [format: string, offset: number, bytes: string])[] = [
  ["qcow2", 0, "QFI\xfb"],
  ["qed", 0, "QED\0"],
  ["vmdk", 0, "KDMV"],
  ["vmdk", 0, "COWD"],
  ["vmdk", 0, "# Disk DescriptorFile"],
  ["vdi", 0x40, "\x7f\x10\xda\xbe"],
  ["vhdx", 0, "vhdxfile"],
  ["vpc", 0, "conectix"],
  ["luks", 0, "LUKS\xba\xbe"],
  ["parallels", 0, "WithoutFreeSpace"],
  ["parallels", 0, "WithouFreSpacExt"],
];
const PROBE_SIZE = 512;

/** The name of the image format that `header` (the first bytes of the file) belongs to; "raw" when none is known. */
export function probeFormat(header: Uint8Array): string {
  const text = Buffer.from(header).toString("latin1");
  return MAGICS.find(([, offset, magic]) => text.startsWith(magic, offset))?.[0] ?? "raw";
}

/**
 * Opens the image in the file `path` with the drivers that plugins of `host` bring. A file of a format that no plugin
 * reads is refused when the format was probed, and taken as it is with `format: "raw"`.
 */
export async function openImage(
  host: Pick<PluginHost, "require">,
  path: string,
  options: OpenImageOptions = {},
): Promise<BlockNode> {
  const protocol = await host.require("blockProtocol", "file");
  const readOnly = options.readOnly === true;
  const file = await protocol.open(path, { readOnly: readOnly || options.snapshot === true });
  try {
    const name = options.format ?? (await probe(file));
    const format = await host.require("blockDriver", name, `Could not open '${path}': Unknown driver '${name}'`);
    const node = await format.open(file, { readOnly: file.readOnly });
    return options.snapshot && !readOnly ? await SnapshotNode.create(node) : node;
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function probe(file: BlockNode): Promise<string> {
  const header = new Uint8Array(Math.min(file.length, PROBE_SIZE));
  await file.read(0, [header]);
  return probeFormat(header);
}
