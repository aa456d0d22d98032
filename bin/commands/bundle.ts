/** `qemu-next bundle`: makes an executable with chosen parts of the program. */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { SOURCES } from "../../core/assets.ts";
import { QemuError } from "../../core/errors.ts";
import { type Chosen, chooseParts, FIRST_PARTY_PARTS, foreignPart, isForeign, PRESETS } from "../bundle/parts.ts";
import type { CommandContext } from "../commands.ts";
import { type Parser, runYargs } from "./yargs.ts";

const DEFAULT_PRESET = "default";

interface Wanted {
  readonly preset: string | undefined;
  /** As given: each may be a list. */
  readonly with: readonly string[];
  readonly firmware: string | undefined;
  readonly output: string;
}

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;

function list(): string {
  const presets = Object.entries(PRESETS).map(([name, { description }]) => `  ${name.padEnd(24)}${description}`);
  const parts = FIRST_PARTY_PARTS.map(({ part, provides }) => `  ${part.padEnd(24)}${provides.join(", ")}`);
  return ["Presets:", ...presets, "", "Parts, and what they provide:", ...parts, ""].join("\n");
}

/** The parts that the user asks for, with all they need. */
function choose({ preset, with: given }: Wanted): Chosen[] {
  const names = given.flatMap((each) => each.split(",")).map((name) => name.trim());
  const foreign = names.filter(isForeign).map((name) => foreignPart(name, process.cwd()));
  const base = preset ?? (names.some((name) => !isForeign(name)) ? undefined : DEFAULT_PRESET);
  const wanted = [
    ...(base === undefined ? [] : PRESETS[base].parts),
    ...names.filter((name) => !isForeign(name)),
    ...foreign.map(({ part }) => part),
  ];
  const chosen = chooseParts(wanted, [...FIRST_PARTY_PARTS, ...foreign]);
  for (const kind of ["machine", "accelerator"]) {
    if (chosen.some(({ part }) => part.provides.some((item) => item.startsWith(`${kind}:`)))) continue;
    throw new QemuError("nothing-to-run", `these parts have no ${kind}, so the executable could not run anything`, {
      hint: "add machine/pc and accel/tcg, or '--preset minimal'",
    });
  }
  return chosen;
}

/** The folder of the sources that the executable is made of. */
function findSources(): string {
  if (SOURCES !== undefined && existsSync(join(SOURCES, "core"))) return SOURCES;
  throw new QemuError("no-sources", "a standalone executable does not have what others are made of", {
    hint: "'npx qemu-next bundle' makes them, from the npm package",
  });
}

async function bundle(wanted: Wanted): Promise<void> {
  const sources = findSources();
  const { checkOutput, EXECUTABLE_STEPS, makeExecutable } = await import("../bundle/executable.ts");
  const { output } = wanted;
  await checkOutput(output);
  const chosen = choose(wanted);
  const { bundleCode } = await import("../bundle/code.ts");
  const { findFirmwareFiles } = await import("../bundle/firmware.ts");
  const firmware = findFirmwareFiles(wanted.firmware);
  const { progressBar } = await import("../bundle/progress.ts");
  const progress = progressBar(EXECUTABLE_STEPS + 1);
  let made: Awaited<ReturnType<typeof makeExecutable>>;
  let code: Awaited<ReturnType<typeof bundleCode>>;
  try {
    progress.step("bundling");
    code = await bundleCode({ sources, parts: chosen.map(({ part }) => part) });
    made = await makeExecutable({ code, firmware, output, progress });
  } finally {
    progress.end();
  }
  const rows = chosen.map(({ part, neededBy }) => [part.part, neededBy === undefined ? "" : `needed by ${neededBy}`]);
  const inside = [`Node.js ${process.version}`, ...code.assets.keys(), ...firmware.files.keys()];
  const lines = [
    `${output}: ${megabytes(made.size)}, ${chosen.length} plugins`,
    ...rows.map(([part, why]) => `  ${part.padEnd(24)}${why}`.trimEnd()),
    `with ${inside.join(", ")}`,
    ...(firmware.files.size > 0
      ? []
      : ["without firmware: it looks for SeaBIOS where systems install it, and with -L"]),
    ...(made.stripped ? [] : ["not stripped, because there is no 'strip' (Debian package binutils)"]),
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
}

const describe = (parser: Parser): Parser =>
  parser.usage("$0 --with PART,... -o FILE\n\nMakes an executable with chosen parts of this program.").command(
    "$0",
    "",
    (command) =>
      command
        .option("with", {
          type: "string",
          array: true,
          requiresArg: true,
          default: [],
          describe: "parts, separated by commas; also third-party plugins: packages or paths",
        })
        .option("preset", { choices: Object.keys(PRESETS), describe: "a set of parts, to which --with adds" })
        .option("output", { alias: "o", type: "string", requiresArg: true, describe: "the file to write" })
        .option("firmware", {
          type: "string",
          requiresArg: true,
          describe: "a folder with the firmware to put inside, or 'none' [what is installed]",
        })
        .option("list", { type: "boolean", default: false, describe: "shows the parts" })
        .example("$0 --preset minimal -o my-vm", "a PC with raw disks and the terminal")
        .example("$0 --with accel/tcg,machine/pc,block/raw,char/stdio -o my-vm", "the same, part by part")
        .example("$0 --with qemu-next-plugin-x -o my-vm", "everything, and a plugin of a third party"),
    async (values) => {
      if (values.list) {
        process.stdout.write(list());
        return;
      }
      const { preset, with: names, firmware, output } = values as unknown as Partial<Wanted>;
      if (output === undefined) throw new QemuError("usage", "'-o' is missing: the file to write");
      await bundle({ preset, with: names ?? [], firmware, output });
    },
  );

export async function run(context: CommandContext): Promise<number> {
  await runYargs(context, describe);
  return 0;
}
