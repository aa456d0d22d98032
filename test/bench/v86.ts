/**
 * Runs v86 as a program: `node v86.ts BUILD-FOLDER FIRMWARE-FOLDER OPTIONS...`, with those of QEMU's options that the
 * bench's Linux guests use (-m, -kernel, -initrd, -append; what says that there is no display is taken and ignored). The
 * first serial port is standard output. v86 has no power switch: it ends when Linux says that it is off.
 */

import { readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { messageOf } from "../../core/errors.ts";

interface Emulator {
  add_listener(event: "serial0-output-byte", listener: (byte: number) => void): void;
}

interface Options {
  readonly wasm_path: string;
  readonly memory_size: number;
  readonly bios: { readonly buffer: ArrayBuffer };
  readonly vga_bios: { readonly buffer: ArrayBuffer };
  readonly bzimage: { readonly buffer: ArrayBuffer };
  readonly initrd: { readonly buffer: ArrayBuffer };
  readonly cmdline: string;
  readonly acpi: boolean;
  readonly autostart: boolean;
  readonly log_level: number;
}

interface V86Module {
  readonly V86: new (options: Options) => Emulator;
}

const ENDS = ["reboot: Power down", "reboot: System halted"];
const NEWLINE = 10;

function contents(path: string): { buffer: ArrayBuffer } {
  return { buffer: Uint8Array.from(readFileSync(path)).buffer };
}

async function main([build, firmware, ...rest]: string[]): Promise<void> {
  const value = { type: "string", default: "" } as const;
  const { values } = parseArgs({
    args: rest.map((arg) => arg.replace(/^-(?=[a-z]{2})/, "--")),
    options: {
      ...{ m: { ...value, short: "m" }, kernel: value, initrd: value, append: value },
      ...{ display: value, serial: value, monitor: value, nic: value, "no-reboot": { type: "boolean" } },
    },
  });
  const { V86 } = (await import(pathToFileURL(join(build, "libv86.mjs")).href)) as V86Module;
  const emulator = new V86({
    wasm_path: join(build, "v86.wasm"),
    memory_size: Number(values.m) * 2 ** 20,
    bios: contents(join(firmware, "bios.bin")),
    vga_bios: contents(join(firmware, "vgabios-stdvga.bin")),
    bzimage: contents(values.kernel),
    initrd: contents(values.initrd),
    cmdline: values.append,
    acpi: true,
    autostart: true,
    log_level: 0,
  });
  let line = "";
  emulator.add_listener("serial0-output-byte", (byte) => {
    if (byte !== NEWLINE) {
      line = (line + String.fromCharCode(byte)).slice(-4096);
      return;
    }
    writeSync(1, `${line}\n`, null, "latin1");
    if (ENDS.some((end) => line.includes(end))) process.exit(0);
    line = "";
  });
}

main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(`v86: ${messageOf(error)}`);
  process.exitCode = 1;
});
