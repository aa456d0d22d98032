/** The texts of -help and of the `help` values, laid out as QEMU's. */

import type { Accelerator } from "../accel.ts";
import type { DeviceCategory, DeviceType, PropertySpecs } from "../device.ts";
import type { MachineType } from "../machine.ts";
import type { OptionSpec } from "./lexer.ts";
import type { OptionSection } from "./table.ts";

const COLUMN = 16;

/** What the program says about itself. */
export interface Program {
  readonly name: string;
  /** The text of -version, ended by a newline. */
  readonly version: string;
  readonly commands?: readonly CommandSummary[];
}

function optionHelp({ names, argument, help }: OptionSpec): string {
  const head = `-${names[0]}${argument ? ` ${argument}` : ""}${names[1] ? ` or -${names[1]}` : ""}`;
  const lines = help.map((line) => " ".repeat(COLUMN) + line);
  if (head.length < COLUMN && lines.length > 0) lines[0] = head.padEnd(COLUMN) + help[0];
  else lines.unshift(head);
  return `${lines.join("\n")}\n`;
}

/** A sub-command, for the list in -help. */
export interface CommandSummary {
  readonly name: string;
  readonly description: string;
}

export function programHelp(
  { name: program, version, commands = [] }: Program,
  sections: readonly OptionSection[],
): string {
  const usages = [...commands].map(({ name, description }) => {
    return `       ${`${program} ${name} ...`.padEnd(30)}${description}\n`;
  });
  return `${version}usage: ${program} [options] [disk_image]
${usages.join("")}
'disk_image' is a raw hard disk image for IDE hard disk 0

${sections.map(({ title, options }) => `${title}:\n${options.map(optionHelp).join("")}`).join("\n")}
During emulation, the following keys are useful on a multiplexed terminal:
ctrl-a h        show the keys
ctrl-a c        switch between console and monitor
ctrl-a x        end the emulator
`;
}

export function machineHelp(machines: readonly MachineType[]): string {
  const rows = machines.flatMap(({ name, aliases, description, isDefault }) => [
    ...aliases.map((alias) => ({ name: alias, text: `${description} (alias of ${name})` })),
    { name, text: `${description}${isDefault ? " (default)" : ""}` },
  ]);
  rows.sort((a, b) => (a.name < b.name ? -1 : 1));
  return `Supported machines are:\n${rows.map(({ name, text }) => `${name.padEnd(20)} ${text}\n`).join("")}`;
}

export function acceleratorHelp(accelerators: readonly Accelerator[]): string {
  return `Accelerators supported in QEMU binary:\n${accelerators.map(({ name }) => `${name}\n`).join("")}`;
}

export function cpuHelp(accelerator: Accelerator): string {
  const rows = accelerator
    .cpuModels()
    .map(({ name, description }) => `x86 ${name.padEnd(20)}  ${description}`.trimEnd());
  return `Available CPUs:\n${rows.join("\n")}\n`;
}

const CATEGORIES: readonly DeviceCategory[] = [
  "Controller/Bridge/Hub",
  "USB",
  "Storage",
  "Network",
  "Input",
  "Display",
  "Sound",
  "Misc",
  "CPU",
  "Watchdog",
  "Uncategorized",
];

export function deviceHelp(types: readonly DeviceType[]): string {
  const sections = CATEGORIES.flatMap((category) => {
    const rows = types
      .filter((type) => type.category === category)
      .sort((a, b) => (a.name.toLowerCase() < b.name.toLowerCase() ? -1 : 1))
      .map(({ name, bus, alias, description, userCreatable }) => {
        const parts = [`name "${name}"`, bus === "System" ? "" : `bus ${bus}`, alias ? `alias "${alias}"` : ""];
        parts.push(description ? `desc "${description}"` : "", userCreatable ? "" : "no-user");
        return `${parts.filter((part) => part !== "").join(", ")}\n`;
      });
    return rows.length > 0 ? [`${category} devices:\n${rows.join("")}`] : [];
  });
  return sections.join("\n");
}

/** The properties of a device or machine, as `-device X,help` lists them. */
export function propertyHelp(owner: string, specs: PropertySpecs): string {
  const rows = Object.entries(specs)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, spec]) => {
      const head = `  ${name}=<${spec.type === "on-off-auto" ? "OnOffAuto" : spec.type}>`;
      const text = spec.description ?? spec.values?.join("/") ?? (spec.type === "bool" ? "on/off" : "");
      const value = typeof spec.default === "boolean" ? (spec.default ? "on" : "off") : spec.default;
      const tail = `${text}${value === undefined ? "" : ` (default: ${value})`}`.trim();
      return tail ? `${head.padEnd(24)} - ${tail}` : head;
    });
  return rows.length > 0 ? `${owner} options:\n${rows.join("\n")}\n` : `There are no options for ${owner}.\n`;
}

/** A plain list under a heading. */
export function listHelp(heading: string, names: readonly string[], indent = ""): string {
  return `${heading}\n${names.map((name) => `${indent}${name}\n`).join("")}`;
}
