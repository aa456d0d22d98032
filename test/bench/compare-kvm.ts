/**
 * qemu-next's `-accel kvm` beside QEMU's on this host, with the interrupt controllers outside the kernel and in it: how
 * far each guest comes, and how fast. A host whose kernel emulates guest code cannot run everything; what counts is that
 * qemu-next does what QEMU does.
 *
 *     npm run compare:kvm -- [--only bios,smp,grub,linux] [--irqchip off,on] [--seconds 120] [--json FILE]
 *
 * `--seconds` is the limit of rows that are compared by their progress. The exit status is 1 when a guest got to its
 * end on QEMU and not on qemu-next.
 */

import { writeFileSync } from "node:fs";
import { release } from "node:os";
import { parseArgs } from "node:util";
import { messageOf, QemuError } from "../../core/errors.ts";
import { Conversation, endConversations } from "../tools/conversation.ts";
import { scratch } from "../tools/guest.ts";
import { kvmMissing } from "../tools/kvm.ts";
import { fetchPackages } from "../tools/packages.ts";
import { type Emulator, ours, qemu } from "./emulators.ts";
import { kvmRows, type Outcome, type Row } from "./kvm-rows.ts";
import { markdown } from "./results.ts";

const IRQCHIPS = ["off", "on"];

interface Compared {
  readonly row: Row;
  readonly irqchip: string;
  /** QEMU's first. */
  readonly outcomes: readonly Outcome[];
}

function list(text: string, known: readonly string[]): string[] {
  const names = text.split(",");
  const unknown = names.find((name) => !known.includes(name));
  if (unknown === undefined) return names;
  throw new QemuError("compare-usage", `there is no '${unknown}'`, { hint: `known are ${known.join(", ")}` });
}

/** Says on standard error what goes on, on a terminal with the seconds; the function it returns says how it ended. */
function progress(text: string): (end: string) => void {
  const { stderr } = process;
  const started = Date.now();
  const show = (): void => {
    const line = `${text}: ${Math.round((Date.now() - started) / 1000)} s`;
    stderr.write(`\r\x1b[K${line.slice(0, (stderr.columns ?? 80) - 1)}`);
  };
  const timer = stderr.isTTY ? setInterval(show, 1000) : undefined;
  if (timer) show();
  return (end) => {
    clearInterval(timer);
    stderr.write(`${timer ? "\r\x1b[K" : ""}${text}: ${end}\n`);
  };
}

const cell = ({ reached, seconds, note }: Outcome): string =>
  `${reached ? `${seconds.toFixed(2)} s` : "not reached"}${note && `: ${note.replaceAll("|", "/")}`}`;

function ratio([theirs, mine]: readonly Outcome[]): string {
  return theirs.reached && mine.reached ? (theirs.seconds / mine.seconds).toFixed(2) : "";
}

function table(compared: readonly Compared[], names: readonly string[]): string {
  const head = ["", "irqchip", ...names, names.join(" / ")];
  const lines = compared.map(({ row, irqchip, outcomes }) => {
    return [row.title, irqchip, ...outcomes.map(cell), ratio(outcomes)];
  });
  return markdown(head, lines);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      only: { type: "string" },
      irqchip: { type: "string", default: IRQCHIPS.join() },
      seconds: { type: "string", default: "120" },
      json: { type: "string" },
    },
  });
  const files = scratch();
  process.on("exit", () => {
    endConversations();
    files.remove();
  });
  process.on("SIGINT", () => process.exit(130));
  process.on("SIGTERM", () => process.exit(143));

  const rows = kvmRows(files.path);
  const groups = [...new Set(rows.map(({ group }) => group))];
  const only = list(values.only ?? groups.join(), groups);
  const irqchips = list(values.irqchip, IRQCHIPS);
  const limit = Number(values.seconds);
  if (!(limit > 0)) throw new QemuError("compare-usage", `--seconds takes a number, not '${values.seconds}'`);
  const missing = await kvmMissing();
  if (missing !== undefined) throw new QemuError("compare-kvm", `there is no KVM to compare: ${missing}`);
  await fetchPackages("firmware");
  const emulators: readonly Emulator[] = [
    await qemu((text) => process.stderr.write(`${text}\n`)),
    await ours(undefined, `${import.meta.dirname}/../..`),
  ];

  const compared: Compared[] = [];
  for (const row of rows.filter(({ group }) => only.includes(group))) {
    for (const irqchip of irqchips) {
      const outcomes: Outcome[] = [];
      for (const { name, program } of emulators) {
        const { file, args, env } = program!;
        const end = progress(`${row.title}, kernel-irqchip=${irqchip}, ${name}`);
        const accelerator = ["-accel", `kvm,kernel-irqchip=${irqchip}`];
        const start = (more: readonly string[]): Conversation =>
          new Conversation(file, [...args, ...accelerator, ...more], env);
        const outcome = await row.run(start, row.progress ? limit : row.seconds);
        end(cell(outcome));
        outcomes.push(outcome);
      }
      compared.push({ row, irqchip, outcomes });
    }
  }
  const versions = emulators.map(({ name, version }) => `${name} (${version})`).join(", ");
  console.log(`${versions}; KVM of ${release()}\n`);
  console.log(
    table(
      compared,
      emulators.map(({ name }) => name),
    ),
  );
  if (values.json) {
    const record = compared.map(({ row, irqchip, outcomes }) => ({
      row: row.title,
      irqchip,
      ...Object.fromEntries(outcomes.map((outcome, i) => [emulators[i].name, outcome])),
    }));
    writeFileSync(values.json, `${JSON.stringify({ versions, rows: record }, undefined, 2)}\n`);
  }
  if (compared.some(({ outcomes: [theirs, mine] }) => theirs.reached && !mine.reached)) process.exitCode = 1;
}

main().catch((error: unknown) => {
  console.error(`compare:kvm: ${messageOf(error)}`);
  if (error instanceof QemuError && error.hint) console.error(`hint: ${error.hint}`);
  process.exitCode = 1;
});
