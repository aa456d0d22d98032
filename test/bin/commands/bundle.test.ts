/** What is wrong about a `bundle` is said before anything is made; making is tested in test/guest/executable.test.ts. */

import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { run } from "../../../bin/commands/bundle.ts";
import type { QemuError } from "../../../core/errors.ts";
import { scratch } from "../../tools/guest.ts";

const files = scratch();

async function failure(...args: string[]): Promise<{ message: string; hint: string | undefined }> {
  try {
    await run({ name: "qemu-next bundle", version: "1", args });
  } catch (error) {
    const { message, hint } = error as QemuError;
    return { message, hint };
  }
  throw new Error("did not fail");
}

const output = ["-o", files.path("vm")];

test("parts that do not exist, and parts that are nothing by themselves", async () => {
  const unknown = await failure("--with", "accel/tcg,machine/pd", ...output);
  assert.equal(unknown, { message: "there is no part 'machine/pd'", hint: "did you mean 'machine/pc'?" });
  const useless = await failure("--with", "block/raw", ...output);
  assert.match(useless.message, /no machine.*could not run anything/);
  assert.match((await failure("--with", "machine/pc", ...output)).message, /no accelerator/);
  assert.match((await failure("--preset", "small", ...output)).message, /Choices: "minimal", "default"/);
});

test("plugins that cannot be bundled", async () => {
  assert.match((await failure("--with", "./nothing-here", ...output)).message, /plugin '\.\/nothing-here' not found/);
  const folder = files.path("opaque");
  mkdirSync(folder);
  writeFileSync(`${folder}/index.js`, "");
  const manifest = (api: number) => ({ name: "qemu-next-plugin-opaque", "qemu-next": { api, entry: "./index.js" } });
  writeFileSync(`${folder}/package.json`, JSON.stringify(manifest(1)));
  assert.match((await failure("--with", folder, ...output)).message, /does not say what it provides/);
  writeFileSync(`${folder}/package.json`, JSON.stringify(manifest(99)));
  assert.match((await failure("--with", folder, ...output)).message, /written for plugin interface 99/);
});

test("places that cannot be written", async () => {
  assert.match((await failure("--preset", "minimal")).message, /'-o' is missing/);
  assert.match((await failure("-o", files.path(""))).message, /it is a folder$/);
  assert.match((await failure("-o", "/proc/vm")).message, /^cannot write '\/proc\/vm': E[A-Z]+: [a-z ]+$/);
  assert.match((await failure("-o", files.path("none/vm"))).message, /ENOENT/);
});

test("folders without firmware", async () => {
  assert.match((await failure("--firmware", files.path("no"), ...output)).message, /there is no folder/);
  assert.match(
    (await failure("--firmware", files.path(""), ...output)).message,
    /there is no bios-256k.bin or bios.bin/,
  );
});

test("nothing was made", () => {
  assert.equal(readdirSync(files.path("")), ["opaque"]);
});

test.after(() => files.remove());
test.run();
