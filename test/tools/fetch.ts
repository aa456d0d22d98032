/**
 * Fetches Debian packages into the project's cache: `node test/tools/fetch.ts [--update] SET...`.
 * Without a set it lists them. Needs apt-get and dpkg-deb, but no root rights.
 */

import { messageOf, QemuError } from "../../core/errors.ts";
import { cachePath } from "./cache.ts";
import { fetchPackages, isPackageSet, PACKAGE_SETS } from "./packages.ts";

async function main(args: readonly string[]): Promise<void> {
  const update = args.includes("--update");
  const sets = args.filter((arg) => !arg.startsWith("--"));
  if (sets.length === 0) {
    console.log(`usage: node test/tools/fetch.ts [--update] SET...\n\nSets (fetched into ${cachePath()}):`);
    for (const [name, requests] of Object.entries(PACKAGE_SETS)) {
      console.log(`  ${name.padEnd(14)} ${requests.map((request) => request.name).join(" ")}`);
    }
    return;
  }
  for (const set of sets) {
    if (!isPackageSet(set)) {
      throw new QemuError("fetch-unknown-set", `unknown package set '${set}'`, {
        hint: `the sets are: ${Object.keys(PACKAGE_SETS).join(", ")}`,
      });
    }
    const packages = await fetchPackages(set, { update, progress: (line) => console.log(`${set}: ${line}`) });
    for (const { name, version, root } of packages) console.log(`${set}: ${name} ${version} is in ${root}`);
  }
}

main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(`fetch: ${messageOf(error)}`);
  if (error instanceof QemuError && error.hint) console.error(`hint: ${error.hint}`);
  process.exitCode = 1;
});
