/** The example plugins' own tests, run as their `npm test` does. */

import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { readManifest } from "../../core/plugin/manifest.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const EXAMPLES = resolve(ROOT, "docs/examples");
const UVU = resolve(ROOT, "node_modules/uvu/bin.js");
const AS_INSTALLED = resolve(ROOT, "test/tools/as-installed.ts");

for (const name of readdirSync(EXAMPLES)) {
  test(name, () => {
    const folder = resolve(EXAMPLES, name);
    assert.is(readManifest(folder).name, name);
    const { scripts } = JSON.parse(readFileSync(resolve(folder, "package.json"), "utf8")) as {
      scripts: { test: string };
    };
    const [program, ...words] = scripts.test.split(" ");
    assert.is(program, "uvu");
    const { status, stdout, stderr } = spawnSync(process.execPath, ["--import", AS_INSTALLED, UVU, ...words], {
      cwd: folder,
      encoding: "utf8",
      timeout: 30_000,
    });
    assert.is(status, 0, stdout + stderr);
    assert.match(stripVTControlCharacters(stdout), /Passed: +([6-9]|\d\d)\n/);
  });
}

test.run();
