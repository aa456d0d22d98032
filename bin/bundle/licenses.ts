/** The licences of what goes into bundles and executables, as one text. */

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** A package that parts of went into the bundles. */
export interface BundledPackage {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  /** The text of its licence. */
  readonly text: string;
}

function packageOf(root: string): BundledPackage {
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as Partial<Record<string, string>>;
  const { name = "", version = "", license = "unknown" } = manifest;
  const file = readdirSync(root).find((each) => /^(licen[sc]e|copying)/i.test(each));
  const text = file === undefined ? "(The package comes without the text.)\n" : readFileSync(join(root, file), "utf8");
  return { name, version, license, text };
}

/** The packages that files belong to, by name. */
export function packagesOf(files: readonly string[]): BundledPackage[] {
  const roots = new Set<string>();
  for (const file of files) {
    let folder = dirname(file);
    // A package.json without a name only says what kind of modules a folder has.
    while (folder !== dirname(folder) && !namesPackage(join(folder, "package.json"))) folder = dirname(folder);
    if (folder !== dirname(folder)) roots.add(folder);
  }
  const packages = [...roots].map(packageOf);
  // One version may lie in several places.
  const unique = new Map(packages.map((each) => [`${each.name} ${each.version}`, each]));
  return [...unique.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function namesPackage(file: string): boolean {
  return existsSync(file) && "name" in (JSON.parse(readFileSync(file, "utf8")) as object);
}

/** Node's own licence, which comes with the executable where it was installed from an archive or from npm. */
export function nodeLicense(executable: string): BundledPackage {
  const root = join(dirname(executable), "..");
  const places = [root, join(root, "node_modules", `node-${process.platform}-${process.arch}`)];
  const file = places.map((place) => join(place, "LICENSE")).find(existsSync);
  const url = `https://github.com/nodejs/node/blob/${process.version}/LICENSE`;
  const text = file === undefined ? `The text is at ${url}\n` : readFileSync(file, "utf8");
  return { name: "Node.js", version: process.version, license: "MIT and others", text };
}

export function licenseText(packages: readonly BundledPackage[]): string {
  return packages
    .map(({ name, version, license, text }) => {
      const title = [name, version, `(${license})`].filter(Boolean).join(" ");
      return `${title}\n${"=".repeat(title.length)}\n\n${text.replaceAll("\r\n", "\n").trim()}\n`;
    })
    .join("\n\n");
}
