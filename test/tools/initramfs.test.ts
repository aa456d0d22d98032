import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { buildInitramfs, collectModules, moduleDepends } from "./initramfs.ts";

const folder = mkdtempSync(join(tmpdir(), "qemu-next-initramfs-"));
test.after(() => rmSync(folder, { recursive: true }));

const modinfo = (depends: string): Uint8Array =>
  new TextEncoder().encode(`\x7fELF....license=GPL\0depends=${depends}\0name=x\0`);

test.before(() => {
  const drivers = join(folder, "kernel/drivers");
  mkdirSync(drivers, { recursive: true });
  writeFileSync(join(drivers, "ata_piix.ko"), modinfo("libata,scsi-mod"));
  writeFileSync(join(drivers, "libata.ko"), modinfo("scsi_mod"));
  writeFileSync(join(drivers, "scsi-mod.ko"), modinfo(""));
  writeFileSync(join(folder, "modules.builtin"), "kernel/fs/ext4/ext4.ko\n");
  writeFileSync(join(folder, "busybox"), "BUSYBOX");
});

test("a module's dependencies come from its depends= entry", () => {
  assert.equal(moduleDepends(modinfo("libata,scsi_mod")), ["libata", "scsi_mod"]);
  assert.equal(moduleDepends(modinfo("")), []);
  assert.equal(moduleDepends(new Uint8Array(10)), []);
});

test("modules are collected with their dependencies first; built-in ones are left out", () => {
  const names = collectModules(folder, ["ext4", "ata-piix"]).map(({ name }) => name);
  assert.equal(names, ["scsi_mod.ko", "libata.ko", "ata_piix.ko"]);
  assert.throws(() => collectModules(folder, ["nonsense"]), /no kernel module 'nonsense'/);
});

test("the archive has busybox, /init, the modules' order and the script", () => {
  const modules = { directory: folder, names: ["ata_piix"] };
  const script = Buffer.from(buildInitramfs({ busybox: join(folder, "busybox"), script: "echo hi", modules })).toString(
    "latin1",
  );
  for (const part of [
    "bin/busybox\0",
    "BUSYBOX",
    "scsi_mod.ko\nlibata.ko\nata_piix.ko\n",
    "echo hi\n",
    "sh /script.sh\npoweroff -f",
  ]) {
    assert.ok(script.includes(part), part);
  }
  const shell = Buffer.from(buildInitramfs({ busybox: join(folder, "busybox") })).toString("latin1");
  assert.ok(shell.includes("setsid cttyhack sh"));
  assert.not(shell.includes("script.sh\0"));
});

test.run();
