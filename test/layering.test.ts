/**
 * Imports point one way: bin -> machines, plugins, accel -> core. A device never imports a machine, and a plugin never
 * imports another plugin's inside. Types count like values.
 */

import { globSync, readFileSync } from "node:fs";
import { dirname, relative, resolve } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";

const ROOT = resolve(import.meta.dirname, "..");

/** The unit a file belongs to: a plugin is a unit of its own, `core` is one. */
function unitOf(file: string): string {
  const [top, kind, family] = file.split("/");
  if (top === "plugins" && family !== undefined) return `${top}/${kind}/${family.endsWith(".ts") ? "" : family}`;
  if (file === "plugins/first-party.ts") return "first-party";
  return (top === "accel" || top === "machines") && kind ? `${top}/${kind}` : top;
}

/** What a unit may import besides itself. Machines may share code; what accelerators share is in accel/x86. */
function mayImport(from: string, to: string): boolean {
  if (from === to || from === "bin" || from === "first-party") return true;
  if (from.startsWith("machines/")) return to === "core" || to.startsWith("machines/");
  if (from.startsWith("accel/")) return to === "core" || to === "accel/x86";
  if (from.startsWith("plugins/")) return to === "core";
  return false;
}

function importsOf(source: string): string[] {
  const pattern =
    /(?:^|[;\n])\s*(?:import|export)\s[^"';]*?from\s*"([^"]+)"|import\(\s*"([^"]+)"\s*\)|^import\s+"([^"]+)"/gm;
  return [...source.matchAll(pattern)].map((m) => m[1] ?? m[2] ?? m[3]);
}

function violations(files: readonly { file: string; source: string }[]): string[] {
  return files.flatMap(({ file, source }) =>
    importsOf(source)
      .filter((target) => target.startsWith("."))
      .map((target) => relative(ROOT, resolve(ROOT, dirname(file), target)))
      .filter((target) => !mayImport(unitOf(file), unitOf(target)))
      .map((target) => `${file} imports ${target}`),
  );
}

test("imports follow the layers", () => {
  const files = globSync(
    ["bin", "core", "accel", "machines", "plugins"].map((top) => `${top}/**/*.ts`),
    { cwd: ROOT },
  )
    .filter((file) => !file.startsWith("accel/tcg/assembly/"))
    .map((file) => ({ file, source: readFileSync(resolve(ROOT, file), "utf8") }));
  assert.ok(files.length > 20, "found the sources");
  assert.equal(violations(files), []);
});

test("a violation is found", () => {
  const check = (file: string, target: string): number =>
    violations([{ file, source: `import { x } from "${target}";\n` }]).length;
  assert.is(check("core/a.ts", "../plugins/char/stdio/index.ts"), 1);
  assert.is(check("plugins/devices/vga/vga.ts", "../serial/serial.ts"), 1);
  assert.is(check("plugins/devices/vga/vga.ts", "../../../machines/pc/pc.ts"), 1);
  assert.is(check("accel/tcg/a.ts", "../kvm/b.ts"), 1);
  assert.is(check("accel/tcg/a.ts", "../x86/b.ts"), 0);
  assert.is(check("accel/x86/a.ts", "../tcg/b.ts"), 1);
  assert.is(check("machines/pc/pc.ts", "../../plugins/devices/vga/vga.ts"), 1);
  assert.is(check("machines/q35/q35.ts", "../pc/pc.ts"), 0);
  assert.is(check("plugins/devices/vga/vga.ts", "./regs.ts"), 0);
  assert.is(check("bin/qemu-next.ts", "../core/errors.ts"), 0);
});

test.run();
