/**
 * The benchmark: the same guests on QEMU, on v86 where it can, and on qemu-next, in turns, several times; prints tables
 * of medians and of the ratios between them. What is missing (QEMU, v86, kernels, a compiler) is fetched into the cache.
 *
 *     npm run bench -- [--only e,a,c] [--runs 3] [--backend js --backend wasm] [--without v86|executable] [--program FOLDER]
 *                  [--clock cpu] [--json FILE]
 *
 * The exit status is 1 when a guest failed, or did not compute the same on all.
 */

import { writeFileSync } from "node:fs";
import { cpus, loadavg, totalmem } from "node:os";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { messageOf, QemuError } from "../../core/errors.ts";
import { scratch } from "../tools/guest.ts";
import { kvmMissing } from "../tools/kvm.ts";
import { fetchPackages } from "../tools/packages.ts";
import { debianDisk } from "./disk.ts";
import { type Emulator, ours, qemu, underKvm, v86 } from "./emulators.ts";
import { exits } from "./exits.ts";
import type { Guest, Measured } from "./guest.ts";
import { boot, compute, workAmd64, workI386 } from "./linux.ts";
import { bareLoops, start } from "./machines.ts";
import { Results } from "./results.ts";
import { executable, startUp } from "./startup.ts";
import { type Clock, endAll } from "./watch.ts";

/** In the order in which they run: the quick ones first. */
const GUESTS: readonly Guest[] = [startUp, start, exits, bareLoops, boot, compute, workAmd64, workI386, debianDisk];

interface Options {
  readonly guests: readonly Guest[];
  readonly runs: number;
  readonly backends: readonly (string | undefined)[];
  readonly without: readonly string[];
  /** The folder of the qemu-next to measure. */
  readonly program: string;
  readonly clock: Clock;
  readonly json: string | undefined;
}

const usage = (message: string): QemuError =>
  new QemuError("bench-usage", message, {
    hint: `usage: npm run bench -- [--only ${GUESTS.map(({ id }) => id).join(",")}] [--runs N] [--backend NAME]... [--without qemu|v86|executable]... [--program FOLDER] [--clock wall|cpu] [--json FILE]`,
  });

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      only: { type: "string" },
      runs: { type: "string", default: "3" },
      backend: { type: "string", multiple: true },
      without: { type: "string", multiple: true, default: [] },
      program: { type: "string", default: resolve(import.meta.dirname, "../..") },
      clock: { type: "string", default: "wall" },
      json: { type: "string" },
    },
  });
  const wanted = values.only?.split(",") ?? GUESTS.map(({ id }) => id);
  const unknown = wanted.filter((id) => !GUESTS.some((guest) => guest.id === id));
  if (unknown.length) throw usage(`there is no guest '${unknown[0]}'`);
  const runs = Number(values.runs);
  if (!Number.isInteger(runs) || runs < 1) throw usage(`--runs takes a count, not '${values.runs}'`);
  if (values.clock !== "wall" && values.clock !== "cpu") throw usage(`--clock is wall or cpu, not '${values.clock}'`);
  return {
    guests: GUESTS.filter(({ id }) => wanted.includes(id)),
    runs,
    backends: values.backend ?? [undefined],
    without: values.without,
    program: resolve(values.program),
    clock: values.clock,
    json: values.json,
  };
}

/** Says what goes on, on standard error: in one line that changes on a terminal. */
function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text.slice(0, (process.stderr.columns ?? 80) - 1)}`);
  else process.stderr.write(`${text}\n`);
}

/** What there is to measure; reasons why one of the others is not there go to `missing`. */
async function collectEmulators(options: Options, binary: string, missing: string[]): Promise<Emulator[]> {
  const { guests, backends, without, program, clock } = options;
  const emulators: Emulator[] = [];
  const others = [
    ...(without.includes("qemu") ? [] : [qemu]),
    ...(without.includes("v86") || !guests.some(({ onV86 }) => onV86) ? [] : [v86]),
  ];
  for (const fetch of others) {
    try {
      emulators.push(await fetch(progress));
    } catch (error) {
      // The others can still be measured.
      missing.push(messageOf(error));
    }
  }
  for (const backend of backends) emulators.push(await ours(backend, program));
  if (guests.some(({ onKvm }) => onKvm) && (await kvmMissing()) === undefined) {
    const [theirs] = emulators.filter(({ name }) => name.startsWith("QEMU"));
    for (const emulator of [theirs, await ours(undefined, program)]) if (emulator) emulators.push(underKvm(emulator));
  }
  if (!without.includes("executable") && guests.some(({ onExecutable }) => onExecutable)) {
    emulators.push(await executable(binary, program, progress));
  }
  return emulators.map((emulator) => ({ ...emulator, command: (args) => ({ ...emulator.command(args), clock }) }));
}

function note(results: Results, guest: Guest, emulator: Emulator, measured: readonly Measured[]): void {
  for (const { row, unit, value, check, error } of measured) {
    const head = { guest: guest.id, row, unit };
    if (value !== undefined) results.add(head, emulator.name, value, check);
    else results.fail(head, emulator.name, error ?? "not measured");
  }
}

async function main(): Promise<void> {
  const options = readOptions();
  const files = scratch();
  process.on("exit", () => {
    endAll();
    files.remove();
  });
  process.on("SIGINT", () => process.exit(130));
  process.on("SIGTERM", () => process.exit(143));

  const [loadBefore] = loadavg();
  await fetchPackages("firmware", { progress });
  const missing: string[] = [];
  const emulators = await collectEmulators(options, files.path("qemu-next"), missing);
  const results = new Results(emulators);
  for (const guest of options.guests) {
    results.title(guest.id, guest.title);
    const candidates = emulators.filter(
      ({ name, kvm }) =>
        (name !== "v86" || guest.onV86) && (name !== "executable" || guest.onExecutable) && (!kvm || guest.onKvm),
    );
    let run: Awaited<ReturnType<Guest["prepare"]>>;
    try {
      run = await guest.prepare({ path: files.path, progress });
    } catch (error) {
      for (const { name } of candidates) {
        results.fail({ guest: guest.id, row: "preparation", unit: "s" }, name, messageOf(error));
      }
      continue;
    }
    for (let round = 1; round <= options.runs; round++) {
      for (const emulator of candidates) {
        progress(`(${guest.id}) ${guest.title}: run ${round} of ${options.runs}, ${emulator.name}`);
        note(results, guest, emulator, await run(emulator));
      }
    }
  }
  if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");

  const [{ model }] = cpus();
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`;
  const host = `${model}, ${cpus().length} CPUs, ${memory}, Node.js ${process.version}`;
  const versions = emulators.map(({ name, version }) => `${name} (${version})`);
  const load = `load ${loadBefore.toFixed(1)} when it began`;
  console.log(
    `${host}, ${load}; ${versions.join(", ")}; medians of ${options.runs}, ${options.clock} time.\n\n${results.text()}`,
  );
  const problems = [...missing, ...results.problems()];
  if (problems.length) {
    console.log(`\n${problems.map((problem) => `* ${problem}`).join("\n")}`);
    process.exitCode = 1;
  }
  if (options.json) {
    const record = {
      date: new Date().toISOString(),
      host,
      load,
      versions,
      runs: options.runs,
      clock: options.clock,
      rows: results.json(),
    };
    writeFileSync(options.json, `${JSON.stringify(record, undefined, 2)}\n`);
  }
}

main().catch((error: unknown) => {
  console.error(`bench: ${messageOf(error)}`);
  if (error instanceof QemuError && error.hint) console.error(`hint: ${error.hint}`);
  process.exitCode = 1;
});
