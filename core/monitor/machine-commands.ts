/** The monitor's commands that read or change the machine: run in its thread, between two slices of the guest. */

import type { Vcpu } from "../accel.ts";
import type { AccessSize } from "../bus/io.ts";
import type { MachineClock } from "../clock.ts";
import type { DisplaySource } from "../display/surface.ts";
import { QemuError } from "../errors.ts";
import type { InputHub } from "../input/input.ts";
import type { Log } from "../log.ts";
import type { Machine } from "../machine.ts";
import type { Message } from "../thread/mailbox.ts";
import { describeDevices, describeFlatMemory, describeMemory, describePci } from "./describe.ts";
import { type CodeSize, MAX_LENGTH } from "./disassembly.ts";
import { dumpMemory, evaluate, formatValue, parseDumpFormat } from "./dump.ts";
import type { InfoRegistry } from "./info.ts";

export interface MachineCommandContext {
  readonly machine: Machine;
  readonly input: InputHub;
  readonly info: InfoRegistry;
  readonly clock: MachineClock;
  readonly displays: readonly DisplaySource[];
  readonly log: Log;
}

type Arguments = Readonly<Record<string, string>>;
type Command = (context: MachineCommandContext, args: Arguments) => string | Message;

const indexOf = ({ cpu = "0" }: Arguments): number => Number(cpu);

/** The CPU that the monitor looks at. */
const cpuOf = ({ machine }: MachineCommandContext, args: Arguments): Vcpu => {
  const vcpu = machine.vcpus[indexOf(args)];
  if (!vcpu) throw new QemuError("no-cpu", "No CPU available on the machine");
  return vcpu;
};

/** A register by the name the dump of `info registers` gives it; pc is the linear address of the next instruction. */
function registerValue(vcpu: Vcpu, name: string): bigint | undefined {
  if (name === "pc") return vcpu.instructionPointer;
  const shown = /^[re]ip$/.test(name) ? "[re]ip" : name.replace(/[^a-z0-9]/g, "");
  const match = new RegExp(`\\b${shown}\\s*=\\s*([0-9a-f]+)\\b`, "i").exec(vcpu.dumpRegisters());
  return match ? BigInt(`0x${match[1]}`) : undefined;
}

/** What the I/O thread makes instructions of. */
export interface CodeToShow {
  /** Hexadecimal. */
  readonly start: string;
  readonly count: number;
  readonly codeSize: CodeSize;
}

/** A dump of memory; or the bytes of instructions, as far as there are some. */
function examine(
  vcpu: Vcpu,
  start: bigint,
  format: string,
  read: (at: bigint) => number | undefined,
): string | Message {
  const wanted = parseDumpFormat(format);
  if (wanted.format !== "i") return dumpMemory(start, wanted, read);
  const bytes: number[] = [];
  while (bytes.length < wanted.count * MAX_LENGTH) {
    const byte = read(BigInt.asUintN(64, start + BigInt(bytes.length)));
    if (byte === undefined) break;
    bytes.push(byte);
  }
  const shown: CodeToShow = { start: `0x${start.toString(16)}`, count: wanted.count, codeSize: vcpu.codeSize };
  return { json: { ...shown }, bytes: Uint8Array.from(bytes) };
}

/** An I/O port and the size of an access to it, as `i` and `o` name them. */
function portAccess({ machine }: MachineCommandContext, args: Arguments): [number, AccessSize] {
  const { format, address } = args;
  const vcpu = machine.vcpus[indexOf(args)];
  const port = Number(evaluate(address, (name) => vcpu && registerValue(vcpu, name)) & 0xffffn);
  const { size } = parseDumpFormat(format);
  if (size === 8) throw new QemuError("bad-format", "an I/O port has at most 4 bytes");
  return [port, size];
}

const INFO: Readonly<Record<string, (context: MachineCommandContext, args: Arguments) => string>> = {
  registers: ({ machine: { vcpus } }, args) => {
    const { flag } = args;
    const show = (index: number): string => `\nCPU#${index}\n${vcpus[index].dumpRegisters()}`;
    if (flag === "-a") return vcpus.map((_, index) => show(index)).join("");
    if (flag?.startsWith("-")) throw new QemuError("bad-arguments", `registers: unsupported option ${flag}`);
    const index = flag === undefined ? indexOf(args) : Number(evaluate(flag, () => undefined));
    return index < vcpus.length ? show(index) : `CPU#${index} not available\n`;
  },
  cpus: ({ machine }, args) =>
    machine.vcpus
      .map(({ threadId = process.pid }, i) => `${i === indexOf(args) ? "*" : " "} CPU #${i}: thread_id=${threadId}\n`)
      .join(""),
  tlb: (context, args) => cpuOf(context, args).dumpTlb(),
  jit: (context, args) => {
    const text = cpuOf(context, args).dumpTranslation?.();
    if (text === undefined) throw new QemuError("no-jit", "JIT information is only available with accel=tcg");
    return text;
  },
  mem: (context, args) => cpuOf(context, args).dumpMemoryMap(),
  pci: ({ machine }) => (machine.pci ? describePci(machine.pci) : "PCI devices not supported\n"),
  mtree: ({ machine }, { flag }) =>
    flag === "-f" ? describeFlatMemory(machine.memory) : describeMemory(machine.memory, machine.ports),
  qtree: ({ machine }) => describeDevices(machine.devices),
};

const COMMANDS: Readonly<Record<string, Command>> = {
  info(context, args) {
    const { subject } = args;
    const provided = context.info.text(subject, { cpu: indexOf(args), argument: args.flag });
    if (provided !== undefined) return provided;
    if (Object.hasOwn(INFO, subject)) return INFO[subject](context, args);
    throw new QemuError("no-info", `this machine has no '${subject}'`);
  },

  /** Whether there is such a CPU, for a monitor to look at. */
  cpu({ machine }, args) {
    if (machine.vcpus[indexOf(args)]) return "";
    throw new QemuError("bad-cpu", "invalid CPU index");
  },

  x(context, args) {
    const { format, address } = args;
    const vcpu = cpuOf(context, args);
    const start = evaluate(address, (name) => registerValue(vcpu, name));
    let page = -1n;
    let base: number | undefined;
    return examine(vcpu, start, format, (at) => {
      if (at >> 12n !== page) {
        page = at >> 12n;
        base = vcpu.translate(at & ~0xfffn);
      }
      return base === undefined ? undefined : context.machine.memory.read(base + Number(at & 0xfffn), 1);
    });
  },

  xp(context, args) {
    const { format, address } = args;
    const vcpu = cpuOf(context, args);
    const start = evaluate(address, (name) => registerValue(vcpu, name));
    const { memory } = context.machine;
    return examine(vcpu, start, format, (at) => (at < 2n ** 52n ? memory.read(Number(at), 1) : undefined));
  },

  print(context, args) {
    const { format, address } = args;
    const vcpu = context.machine.vcpus[indexOf(args)];
    const value = evaluate(address, (name) => vcpu && registerValue(vcpu, name));
    const wanted = parseDumpFormat(format, { count: 1, format: "x", size: 8 });
    const text = wanted.format === "x" ? `0x${value.toString(16)}` : formatValue(value, wanted).trim();
    return `${text}\n`;
  },

  i(context, args) {
    const [port, size] = portAccess(context, args);
    context.clock.poll();
    const value = context.machine.ports
      .read(port, size)
      .toString(16)
      .padStart(size * 2, "0");
    return `port${{ 1: "b", 2: "w", 4: "l" }[size]}[0x${port.toString(16).padStart(4, "0")}] = 0x${value}\n`;
  },

  o(context, args) {
    const [port, size] = portAccess(context, args);
    const { value } = args;
    context.clock.poll();
    context.machine.ports.write(
      port,
      Number(
        BigInt.asUintN(
          size * 8,
          evaluate(value, () => undefined),
        ),
      ),
      size,
    );
    return "";
  },

  system_powerdown({ machine }) {
    machine.powerButton();
    return "";
  },

  nmi({ machine }) {
    for (const vcpu of machine.vcpus) vcpu.nmi();
    return "";
  },

  key({ input }, { code, down }) {
    input.key(code, down === "on");
    return "";
  },

  screen({ displays }) {
    const [display] = displays;
    if (!display) throw new QemuError("no-display", "There is no console to take a screendump from");
    const { width, height, data } = display.render();
    return { json: { width, height }, bytes: data };
  },

  screen_text({ displays }) {
    const rows = displays[0]?.text?.();
    if (!rows) throw new QemuError("no-text", "The screen is not in a text mode");
    return rows.map((row) => `${row}\n`).join("");
  },
};

/** The subjects of `info` that this module answers for every machine. */
export const MACHINE_INFO: readonly string[] = Object.keys(INFO);

/** Runs a command; text comes back as JSON string. */
export function runMachineCommand(context: MachineCommandContext, command: string, args: Arguments): Message {
  if (!Object.hasOwn(COMMANDS, command)) throw new QemuError("internal", `the machine has no command '${command}'`);
  const result = COMMANDS[command](context, args);
  return typeof result === "string" ? { json: result } : result;
}
