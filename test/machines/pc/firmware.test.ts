import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { QemuError } from "../../../core/errors.ts";
import { openKernel } from "../../../machines/pc/boot/kernel-image.ts";
import {
  cacheDirectory,
  findFirmware,
  firmwareDirectories,
  readBios,
  readOptionRom,
  searchFirmware,
} from "../../../machines/pc/firmware.ts";

const folder = mkdtempSync(join(tmpdir(), "qemu-next-firmware-"));
test.after(() => rmSync(folder, { recursive: true }));
const [first, second] = ["a", "b"].map((name) => join(folder, name));
test.before(() => {
  for (const dir of [first, second]) mkdirSync(dir);
  writeFileSync(join(first, "bios.bin"), new Uint8Array(65536));
  writeFileSync(join(second, "bios-256k.bin"), new Uint8Array(262144));
  writeFileSync(join(second, "odd.bin"), new Uint8Array(1000));
});

test("-L folders come first, then the system's, then the cache", () => {
  const directories = firmwareDirectories(["/x", "/y"], { XDG_CACHE_HOME: "/cache" });
  assert.equal(directories.slice(0, 2), ["/x", "/y"]);
  assert.ok(directories.includes("/usr/share/seabios"));
  assert.is(directories.at(-1), "/cache/qemu-next/firmware");
  assert.is(cacheDirectory({}), join(homedir(), ".cache/qemu-next"));
  assert.is(cacheDirectory({ XDG_CACHE_HOME: "relative" }), join(homedir(), ".cache/qemu-next"));
});

test("the 256 KiB BIOS is preferred wherever it lies; -bios names another or a path", () => {
  assert.is(findFirmware("bios", [first, second]), join(second, "bios-256k.bin"));
  assert.is(findFirmware("bios", [first]), join(first, "bios.bin"));
  assert.is(findFirmware("bios", [first, second], "odd.bin"), join(second, "odd.bin"));
  assert.is(searchFirmware(join(second, "odd.bin"), []), join(second, "odd.bin"));
  assert.is(searchFirmware("../b/odd.bin", [first]), undefined);
});

test("a missing BIOS names the package and the command that fetches it", () => {
  try {
    findFirmware("bios", []);
    assert.unreachable();
  } catch (error) {
    const { code, message, hint } = error as QemuError;
    assert.is(code, "firmware-missing");
    assert.match(message, /could not find the PC BIOS 'bios-256k.bin'/);
    assert.match(hint ?? "", /Debian package 'seabios'.*fetch.ts firmware/);
  }
});

test("images of the wrong size or that cannot be read are refused", () => {
  assert.is(readBios(join(first, "bios.bin")).length, 65536);
  assert.throws(() => readBios(join(second, "odd.bin")), /1000 bytes; want a multiple of 64 KiB/);
  assert.throws(() => readBios(join(folder, "none")), /could not load PC BIOS/);
  assert.throws(() => readBios(folder), /could not load PC BIOS/);
  writeFileSync(join(folder, "big.rom"), new Uint8Array(300000));
  assert.throws(() => readOptionRom(join(folder, "big.rom")), /too large/);
});

test("-kernel takes Linux and multiboot kernels and says so when it gets something else", () => {
  const files = { kernel: join(second, "odd.bin"), initrd: undefined, commandLine: "" };
  assert.throws(() => openKernel(files), /neither a Linux nor a multiboot kernel/);
  assert.throws(() => openKernel({ ...files, kernel: join(folder, "none") }), /could not load kernel/);
  const linux = new Uint8Array(4096);
  linux.set(new TextEncoder().encode("HdrS"), 0x202);
  writeFileSync(join(folder, "linux"), linux);
  const image = openKernel({ ...files, kernel: join(folder, "linux") });
  assert.is(image.kind, "linux");
  assert.is(image.romFile, "genroms/linuxboot.bin");
  const multiboot = new Uint8Array(64);
  new Uint32Array(multiboot.buffer).set([0x1badb002, 0, -0x1badb002]);
  writeFileSync(join(folder, "multiboot"), multiboot);
  assert.is(openKernel({ ...files, kernel: join(folder, "multiboot") }).kind, "multiboot");
  const modules = { ...files, kernel: join(folder, "multiboot"), initrd: `${folder}/linux x,${folder}/none` };
  assert.throws(() => openKernel(modules), /could not load module/);
});

test.run();
