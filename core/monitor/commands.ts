/**
 * The commands of the human monitor, with QEMU's names, arguments and answers. Commands about the guest are run in the
 * machine's thread; those about files, channels and the program's end here, on the I/O thread.
 */

import { writeFile } from "node:fs/promises";
import { encodeImage, type ImageFormat } from "../display/screendump.ts";
import { messageOf, QemuError } from "../errors.ts";
import { KEY_CODES } from "../input/keys.ts";
import { parseChoice, parseInteger } from "../options/values.ts";
import { describeState } from "../vm/protocol.ts";
import { replyText, type Vm, type VmDrive } from "../vm/vm.ts";
import { disassembleMemory } from "./disassembly.ts";
import { type CodeToShow, MACHINE_INFO } from "./machine-commands.ts";

export interface MonitorCommand {
  readonly names: readonly [string, ...string[]];
  /** For help: "[-f] device". */
  readonly arguments: string;
  readonly help: string;
  /** Answers the text to print. `words` are the words after the command; the first may be a /format. */
  run(vm: Vm, words: readonly string[], view: MonitorView): Promise<string>;
}

/** What a monitor looks at. */
export interface MonitorView {
  /** Index of the CPU: `cpu N`. */
  cpu: number;
}

export interface InfoSubject {
  readonly name: string;
  /** For help. */
  readonly arguments?: string;
  readonly help: string;
}

const DEFAULT_HOLD_MS = 100;

/** The subjects of `info`, in the order `help info` lists them. */
export const INFO_SUBJECTS: readonly InfoSubject[] = [
  { name: "block", help: "show info of one block device or all block devices" },
  { name: "chardev", help: "show the character devices" },
  { name: "cpus", help: "show infos for each CPU" },
  { name: "irq", help: "show the interrupts statistics (if available)" },
  { name: "jit", help: "show dynamic compiler info" },
  { name: "kvm", help: "show KVM information" },
  { name: "lapic", arguments: "[apic-id]", help: "show local apic state (of the current CPU, or of that APIC ID)" },
  { name: "mem", help: "show the active virtual memory mappings" },
  { name: "mtree", help: "show memory tree (-f: as flat ranges)" },
  { name: "name", help: "show the current VM name" },
  { name: "pci", help: "show PCI info" },
  { name: "pic", help: "show PIC state" },
  { name: "qtree", help: "show device tree" },
  { name: "registers", arguments: "[-a|vcpu]", help: "show the cpu registers (-a: of all CPUs; vcpu: of that CPU)" },
  { name: "status", help: "show the current VM status (running|paused)" },
  { name: "tlb", help: "show virtual to physical memory mappings" },
  { name: "uuid", help: "show the current VM UUID" },
  { name: "version", help: "show the version" },
];

const NIL_UUID = "00000000-0000-0000-0000-000000000000";

function describeDrive(id: string, { file, plan, server, locked, trayOpen }: VmDrive): string {
  const node = server.node;
  const medium = node ? `${file} (${plan.format ?? "raw"}${node.readOnly ? ", read-only" : ""})` : "[not inserted]";
  const lines = [`${id}: ${medium}`];
  if (plan.removable) {
    lines.push(`    Removable device: ${locked ? "locked" : "not locked"}, tray ${trayOpen ? "open" : "closed"}`);
  }
  if (node) lines.push("    Cache mode:       writeback");
  return `${lines.join("\n")}\n`;
}

/** The subjects that the I/O thread knows itself. */
const OWN_INFO: Readonly<Record<string, (vm: Vm, words: readonly string[]) => string>> = {
  status: (vm) => `VM status: ${describeState(vm.state)}\n`,
  version: (vm) => `${vm.environment.version}\n`,
  name: (vm) => `${vm.options.name ?? ""}\n`,
  uuid: (vm) => `${vm.options.uuid ?? NIL_UUID}\n`,
  kvm: (vm) => `kvm support: ${vm.options.accelerator === "kvm" ? "enabled" : "disabled"}\n`,
  block: (vm, [id]) => {
    if (id !== undefined && !vm.drives.has(id)) return `Device '${id}' not found\n`;
    const shown = [...vm.drives].filter(([name]) => id === undefined || name === id);
    return shown.map(([name, drive]) => describeDrive(name, drive)).join("\n");
  },
  chardev: (vm) =>
    [...vm.chardevs]
      .map(([id, { description }]) => `${id}: filename=${vm.isShared(id) ? "mux" : description}\n`)
      .sort()
      .join(""),
};

function driveOf(vm: Vm, id: string | undefined): VmDrive {
  const drive = id === undefined ? undefined : vm.drives.get(id);
  if (drive) return drive;
  throw new QemuError("unknown-drive", `Device '${id ?? ""}' not found`);
}

function removable(vm: Vm, id: string | undefined): VmDrive {
  const drive = driveOf(vm, id);
  if (drive.plan.removable) return drive;
  throw new QemuError("not-removable", `Device '${id}' is not removable`);
}

/** Takes "-f" style flags out of the words. */
function splitFlags(words: readonly string[], known: string): { flags: ReadonlySet<string>; rest: string[] } {
  const flags = new Set<string>();
  const rest: string[] = [];
  for (const word of words) {
    const letters = /^-([a-z]+)$/.exec(word)?.[1];
    if (letters && [...letters].every((letter) => known.includes(letter)))
      for (const letter of letters) flags.add(letter);
    else rest.push(word);
  }
  return { flags, rest };
}

const cpuArgument = ({ cpu }: MonitorView): { cpu: string } => ({ cpu: String(cpu) });

async function memoryCommand(vm: Vm, name: string, words: readonly string[], view: MonitorView): Promise<string> {
  const [first, ...rest] = words;
  const [format, address] = first?.startsWith("/") ? [first, rest.join(" ")] : ["", words.join(" ")];
  if (address === "") throw new QemuError("bad-arguments", "missing address");
  const { json, bytes = new Uint8Array(0) } = await vm.command(name, { format, address, ...cpuArgument(view) });
  return typeof json === "string" ? json : showCode(vm, json as unknown as CodeToShow, bytes);
}

async function showCode(vm: Vm, { start, count, codeSize }: CodeToShow, bytes: Uint8Array): Promise<string> {
  const disassembler = await vm.environment.host.find("disassembler", "x86");
  if (!disassembler) throw new QemuError("no-disassembler", "this program has no part that disassembles");
  const disassemble = await disassembler.load();
  const first = BigInt(start);
  const read = (at: bigint): number | undefined => bytes[Number(BigInt.asUintN(64, at - first))];
  return disassembleMemory(first, count, read, (code, at) => disassemble(code, codeSize, at));
}

/** `o /fmt addr value`: the value is the last word. */
async function portWrite(vm: Vm, words: readonly string[], view: MonitorView): Promise<string> {
  const [format, ...rest] = words[0]?.startsWith("/") ? words : ["", ...words];
  if (rest.length < 2) throw new QemuError("bad-arguments", "missing address or value");
  const [address, value] = [rest.slice(0, -1).join(" "), rest.at(-1)!];
  await vm.command("o", { format, address, value, ...cpuArgument(view) });
  return "";
}

async function screenImage(vm: Vm, format: ImageFormat): Promise<Uint8Array> {
  const { json, bytes = new Uint8Array(0) } = await vm.command("screen");
  const { width, height } = json as { width: number; height: number };
  return encodeImage({ width, height, data: bytes }, format);
}

async function screendump(vm: Vm, words: readonly string[]): Promise<string> {
  const at = words.indexOf("-f");
  const format = at < 0 ? "ppm" : parseChoice("format", words[at + 1] ?? "", ["ppm", "png", "txt"]);
  const [file] = at < 0 ? words : words.filter((_, i) => i !== at && i !== at + 1);
  if (file === undefined) throw new QemuError("bad-arguments", "missing file name");
  const image = format === "txt" ? replyText((await vm.command("screen_text")).json) : await screenImage(vm, format);
  try {
    await writeFile(file, image);
  } catch (cause) {
    throw new QemuError("screendump", `failed to open file '${file}': ${messageOf(cause)}`, { cause });
  }
  return "";
}

async function sendKeys(vm: Vm, [keys, hold]: readonly string[]): Promise<string> {
  const names = (keys ?? "").split("-");
  for (const name of names) {
    if (!KEY_CODES.has(name)) throw new QemuError("bad-key", `invalid parameter: ${name}`);
  }
  const ms = hold === undefined ? DEFAULT_HOLD_MS : parseInteger("hold-time", hold, 0, 60_000);
  for (const code of names) await vm.command("key", { code, down: "on" });
  await new Promise((resolve) => setTimeout(resolve, ms));
  for (const code of names.reverse()) await vm.command("key", { code, down: "off" });
  return "";
}

async function eject(vm: Vm, words: readonly string[]): Promise<string> {
  const { flags, rest } = splitFlags(words, "f");
  const drive = removable(vm, rest[0]);
  if (drive.locked && !drive.trayOpen && !flags.has("f")) {
    throw new QemuError(
      "locked",
      `Device '${rest[0]}' is locked and force was not specified, wait for tray to open and try again`,
    );
  }
  await vm.changeMedium(drive, undefined);
  return "";
}

async function change(vm: Vm, words: readonly string[]): Promise<string> {
  const { flags, rest } = splitFlags(words, "f");
  const [id, file, format, mode = "retain"] = rest;
  const drive = removable(vm, id);
  if (file === undefined) throw new QemuError("bad-arguments", "missing file name");
  if (drive.locked && !drive.trayOpen && !flags.has("f")) {
    throw new QemuError("locked", `Device '${id}' is locked and force was not specified`);
  }
  const modes = { retain: undefined, "read-only": true, "read-write": false } as const;
  parseChoice("read-only-mode", mode, Object.keys(modes));
  await vm.changeMedium(drive, file, format, modes[mode as keyof typeof modes]);
  return "";
}

/** Runs a command of the machine's thread that takes no arguments. */
const machineCommand = (name: string) => async (vm: Vm) => replyText((await vm.command(name)).json);

const after =
  (action: (vm: Vm) => Promise<unknown>) =>
  async (vm: Vm): Promise<string> => {
    await action(vm);
    return "";
  };

export const COMMANDS: readonly MonitorCommand[] = [
  {
    names: ["change"],
    arguments: "[-f] device filename [format [read-only-mode]]",
    help: "change a removable medium",
    run: change,
  },
  { names: ["cont", "c"], arguments: "", help: "resume emulation", run: after((vm) => vm.cont()) },
  { names: ["cpu"], arguments: "index", help: "set the default CPU", run: chooseCpu },
  { names: ["eject"], arguments: "[-f] device", help: "eject a removable medium (use -f to force it)", run: eject },
  {
    names: ["help", "?"],
    arguments: "[cmd]",
    help: "show the help",
    run: async (_, [name]) => helpText(name),
  },
  {
    names: ["i"],
    arguments: "/fmt addr",
    help: "I/O port read",
    run: (vm, words, view) => memoryCommand(vm, "i", words, view),
  },
  {
    names: ["info"],
    arguments: "[subcommand]",
    help: "show various information about the system state",
    run: info,
  },
  { names: ["nmi"], arguments: "", help: "inject an NMI", run: machineCommand("nmi") },
  {
    names: ["o"],
    arguments: "/fmt addr value",
    help: "I/O port write",
    run: portWrite,
  },
  {
    names: ["print", "p"],
    arguments: "/fmt expr",
    help: "print expression value (use $reg for CPU register access)",
    run: (vm, words, view) => memoryCommand(vm, "print", words, view),
  },
  { names: ["quit", "q"], arguments: "", help: "quit the emulator", run: after((vm) => vm.quit(0)) },
  {
    names: ["ringbuf_read"],
    arguments: "device size",
    help: "read from a ring buffer character device",
    run: async (vm, [id, size]) => {
      const read = vm.chardevs.get(id ?? "")?.takeOutput;
      if (!read) throw new QemuError("not-ringbuf", `${id ?? ""} is not a ringbuf device`);
      const data = vm.chardevs.get(id)!.takeOutput!(parseInteger("size", size ?? "", 1, 1 << 28));
      return `${Buffer.from(data).toString("latin1")}\n`;
    },
  },
  {
    names: ["ringbuf_write"],
    arguments: "device data",
    help: "write to a ring buffer character device",
    run: async (vm, [id, ...data]) => {
      const chardev = vm.chardevs.get(id ?? "");
      if (!chardev?.inject) throw new QemuError("not-ringbuf", `${id ?? ""} is not a ringbuf device`);
      chardev.inject(Buffer.from(data.join(" ")));
      return "";
    },
  },
  {
    names: ["screendump"],
    arguments: "filename [-f format]",
    help: "save screen from head 0 into PPM or PNG image 'filename', or its text with -f txt",
    run: screendump,
  },
  {
    names: ["sendkey"],
    arguments: "keys [hold_ms]",
    help: "send keys to the VM (e.g. 'sendkey ctrl-alt-f1', default hold time=100 ms)",
    run: sendKeys,
  },
  { names: ["stop", "s"], arguments: "", help: "stop emulation", run: after((vm) => vm.stop()) },
  {
    names: ["system_powerdown"],
    arguments: "",
    help: "send system power down event",
    run: machineCommand("system_powerdown"),
  },
  { names: ["system_reset"], arguments: "", help: "reset the system", run: after((vm) => vm.reset()) },
  {
    names: ["system_wakeup"],
    arguments: "",
    help: "wakeup guest from suspend",
    run: after((vm) => vm.wakeUp()),
  },
  {
    names: ["x"],
    arguments: "/fmt addr",
    help: "virtual memory dump starting at 'addr'",
    run: (vm, words, view) => memoryCommand(vm, "x", words, view),
  },
  {
    names: ["xp"],
    arguments: "/fmt addr",
    help: "physical memory dump starting at 'addr'",
    run: (vm, words, view) => memoryCommand(vm, "xp", words, view),
  },
];

async function chooseCpu(vm: Vm, [index]: readonly string[], view: MonitorView): Promise<string> {
  if (index === undefined) throw new QemuError("bad-arguments", "missing index");
  const cpu = parseInteger("index", index, 0, 0x7fffffff);
  await vm.command("cpu", { cpu: String(cpu) });
  view.cpu = cpu;
  return "";
}

async function info(vm: Vm, [subject, ...words]: readonly string[], view: MonitorView): Promise<string> {
  if (subject === undefined) return helpText("info");
  if (Object.hasOwn(OWN_INFO, subject)) return OWN_INFO[subject](vm, words);
  const known = MACHINE_INFO.includes(subject) || INFO_SUBJECTS.some(({ name }) => name === subject);
  if (!known) return `unknown command: 'info ${subject}'\n`;
  return replyText(
    (await vm.command("info", { subject, ...(words[0] ? { flag: words[0] } : {}), ...cpuArgument(view) })).json,
  );
}

function helpOfSubject({ name, arguments: args, help }: InfoSubject): string {
  return `info ${name} ${args ?? ""} -- ${help}\n`;
}

function helpText(name: string | undefined): string {
  if (name === "info") return INFO_SUBJECTS.map(helpOfSubject).join("");
  const shown = COMMANDS.filter(({ names }) => name === undefined || names.includes(name));
  if (shown.length === 0) return `unknown command: '${name}'\n`;
  return shown
    .map(({ names, arguments: args, help }) => `${names.join("|")}${args ? ` ${args}` : ""} -- ${help}\n`)
    .join("");
}

/** Runs a line as typed; errors become text, as the monitor shows them. */
export async function runMonitorLine(vm: Vm, line: string, view: MonitorView): Promise<string> {
  const [head = "", ...rest] = splitWords(line);
  if (head === "") return "";
  const slash = head.indexOf("/");
  const [name, words] = slash > 0 ? [head.slice(0, slash), [head.slice(slash), ...rest]] : [head, rest];
  const command = COMMANDS.find(({ names }) => names.includes(name));
  if (!command) return `unknown command: '${name}'\n`;
  try {
    return await command.run(vm, words, view);
  } catch (error) {
    const hint = error instanceof QemuError && error.hint ? `${error.hint}\n` : "";
    return `Error: ${messageOf(error)}\n${hint}`;
  }
}

/** Words of a line; double quotes hold blanks, a backslash inside them the next character. */
export function splitWords(line: string): string[] {
  const words: string[] = [];
  for (const [, quoted, plain] of line.matchAll(/"((?:[^"\\]|\\.)*)"?|(\S+)/g)) {
    words.push(plain ?? quoted.replace(/\\(.)/g, "$1"));
  }
  return words;
}
