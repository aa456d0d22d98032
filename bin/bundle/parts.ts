/**
 * Which plugins go into an executable: from the names that a user gives to a list that is complete, with everything
 * that the wanted plugins cannot do without.
 */

import { QemuError } from "../../core/errors.ts";
import { didYouMean } from "../../core/options/near.ts";
import type { RegistryName } from "../../core/plugin/hooks.ts";
import { checkApi } from "../../core/plugin/plugin.ts";
import { findPlugin, isPath, pluginFolder } from "../../core/plugin/resolve.ts";
import { FIRST_PARTY } from "../../plugins/first-party.ts";

/** A plugin that can go into an executable. */
export interface Part {
  /** What users call it: "accel/tcg", "device/ide", or the package of a third party. */
  readonly part: string;
  readonly name: string;
  readonly provides: readonly string[];
  readonly requires: readonly string[];
  /** Its module: an absolute path, or one from the folder of the program's sources. */
  readonly module: string;
}

/** What stands before the slash in a part's name, by what the part provides. */
const KINDS: Readonly<Record<RegistryName, string>> = {
  accelerator: "accel",
  machine: "machine",
  device: "device",
  chardev: "char",
  blockDriver: "block",
  blockProtocol: "block",
  disassembler: "accel",
  display: "display",
};

/** The folders of kinds that are not plugins/<kind>. */
const FOLDERS: Readonly<Record<string, string>> = {
  accel: "accel",
  machine: "machines",
  device: "plugins/devices",
};

export const FIRST_PARTY_PARTS: readonly Part[] = FIRST_PARTY.map(({ part, name, provides, requires = [] }) => {
  const [kind, folder] = part.split("/");
  return { part, name, provides, requires, module: `${FOLDERS[kind] ?? `plugins/${kind}`}/${folder}/index.ts` };
});

/** Sets of parts by name. */
export const PRESETS: Readonly<Record<string, { readonly description: string; readonly parts: readonly string[] }>> = {
  minimal: {
    description: "a PC with raw disks and the terminal",
    parts: ["accel/tcg", "machine/pc", "block/raw", "char/stdio"],
  },
  default: { description: "everything", parts: FIRST_PARTY_PARTS.map(({ part }) => part) },
};

/** Whether `--with name` means a plugin of a third party: a package, or a path. */
export function isForeign(name: string): boolean {
  return isPath(name) || name.startsWith("@") || !name.includes("/");
}

/** The part that a third party's plugin is; found as -plugin finds it. */
export function foreignPart(name: string, from: string): Part {
  const manifest = findPlugin(name, { from, folder: pluginFolder() });
  checkApi(manifest.name, manifest.api);
  if (manifest.provides.length === 0) {
    throw new QemuError("opaque-part", `plugin '${manifest.name}' does not say what it provides`, {
      hint: 'list it in its package.json, under "qemu-next"."provides"',
    });
  }
  const { name: part, provides, entry } = manifest;
  return { part, name: part, provides, requires: [], module: entry };
}

/** All names of a part: its own, and one for each thing that it provides ("device/isa-serial"). */
function namesOf({ part, provides }: Part): string[] {
  const provided = provides.map((item) => {
    const [kind, name] = split(item);
    return `${KINDS[kind as RegistryName] ?? kind}/${name}`;
  });
  return [part, ...provided];
}

function split(item: string): [string, string] {
  const at = item.indexOf(":");
  return [item.slice(0, at), item.slice(at + 1)];
}

/** A part that somebody else needs, and who. */
export interface Chosen {
  readonly part: Part;
  /** The part that needs it; undefined when it was asked for. */
  readonly neededBy: string | undefined;
}

/**
 * The wanted parts and all that they require, among `available`, in the order of `available`.
 * @throws QemuError for an unknown name, and for something required that no part provides.
 */
export function chooseParts(wanted: readonly string[], available: readonly Part[] = FIRST_PARTY_PARTS): Chosen[] {
  const byName = new Map(available.flatMap((part) => namesOf(part).map((name) => [name, part] as const)));
  const providers = new Map(available.flatMap((part) => part.provides.map((item) => [item, part] as const)));
  const chosen = new Map<Part, string | undefined>();
  const queue = wanted.map((name): Chosen => {
    const part = byName.get(name);
    if (part) return { part, neededBy: undefined };
    throw new QemuError("unknown-part", `there is no part '${name}'`, {
      hint: didYouMean(name, byName.keys()) ?? "'--list' shows all of them",
    });
  });
  for (const { part, neededBy } of queue) {
    if (chosen.has(part)) continue;
    chosen.set(part, neededBy);
    for (const item of part.requires) {
      const provider = providers.get(item);
      if (!provider) {
        const [kind, name] = split(item);
        throw new QemuError("missing-part", `'${part.part}' needs the ${kind} '${name}', which no part provides`, {
          hint: `is a plugin missing? '--with' takes third-party plugins, too`,
        });
      }
      queue.push({ part: provider, neededBy: part.part });
    }
  }
  return available.filter((part) => chosen.has(part)).map((part) => ({ part, neededBy: chosen.get(part) }));
}
