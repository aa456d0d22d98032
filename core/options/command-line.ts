/**
 * Reads a command line: what the machine is made of (`MachineOptions`, for its thread) and what the I/O thread opens for
 * it (`IoPlan`), or a text to print and end. Names of machines, accelerators, devices and their properties are checked
 * here, so that every mistake is found before anything is made.
 */

import type { Accelerator } from "../accel.ts";
import type { Properties } from "../device.ts";
import { QemuError } from "../errors.ts";
import { type LogItem, logHelp, parseLogItems } from "../log.ts";
import type { MachineType } from "../machine.ts";
import type { ForeignPlan } from "../plugin/foreign.ts";
import type { PluginHost } from "../plugin/host.ts";
import { findMachineChardevs, readCharacters } from "./characters.ts";
import { type ChardevPlan, ChardevPlans } from "./chardevs.ts";
import { type BlockPlan, DrivePlans } from "./drives.ts";
import {
  acceleratorHelp,
  cpuHelp,
  deviceHelp,
  listHelp,
  machineHelp,
  type Program,
  programHelp,
  propertyHelp,
} from "./help.ts";
import { parseKeyValues, toRecord, wantsHelp, withOption } from "./keyval.ts";
import { lex } from "./lexer.ts";
import type { BootOptions, FirmwareRequest, MachineOptions, UserDevice } from "./machine-options.ts";
import { didYouMean } from "./near.ts";
import { OptionSet } from "./option-set.ts";
import { pluginHelp, readPlugins } from "./plugins.ts";
import { deviceProperties, type GlobalProperty, parseProperties, resolveDeviceProperties } from "./properties.ts";
import { ONE_CPU_SMP, readSmp, type SmpOptions, smpHelp } from "./smp.ts";
import { OPTION_SECTIONS, OPTIONS } from "./table.ts";
import { parseBool, parseChoice, parseInteger, parseSize, parseUuid } from "./values.ts";

export type PanicAction = "pause" | "shutdown" | "exit-failure" | "none";

/** What the I/O thread opens and does for the machine. */
export interface IoPlan {
  readonly chardevs: readonly ChardevPlan[];
  /** Ids of the character devices that monitors are on. */
  readonly monitors: readonly string[];
  /** Ids of the character devices that the machine's devices use. */
  readonly machineChardevs: readonly string[];
  readonly blocks: readonly BlockPlan[];
  /** Code of the multiplexers' escape character. */
  readonly escapeCode: number;
  readonly log: { readonly items: readonly LogItem[]; readonly file: string | undefined };
  readonly pidFile: string | undefined;
  readonly panicAction: PanicAction;
  /** A line for a user on a terminal, about what the defaults do. */
  readonly notice: string | undefined;
  /** What the user should know, though the machine can start. */
  readonly warnings: readonly string[];
}

/** How messages are printed; known even when the rest of the command line is wrong. */
export interface MessageOptions {
  readonly trace: boolean;
  readonly timestamps: boolean;
}

export type CommandLine =
  | { readonly kind: "text"; readonly text: string }
  | {
      readonly kind: "machine";
      readonly machine: Omit<MachineOptions, "firmware">;
      readonly firmware: FirmwareRequest;
      readonly io: IoPlan;
      /** For every thread that may use what they bring. */
      readonly plugins: readonly ForeignPlan[];
    };

type MachineLine = Extract<CommandLine, { kind: "machine" }>;

/** Reads --trace and -msg ahead of everything else. */
export function messageOptions(args: readonly string[]): MessageOptions {
  const at = args.findIndex((arg) => /^--?msg$/.test(arg));
  return {
    trace: args.some((arg) => /^--?trace$/.test(arg)),
    timestamps: at >= 0 && /^(timestamp(=on|=yes|=true)?)$/.test(args[at + 1] ?? ""),
  };
}

export async function readCommandLine(
  args: readonly string[],
  host: PluginHost,
  program: Program,
): Promise<CommandLine> {
  const options = lex(args, OPTIONS);
  for (const { name } of options) {
    if (name === "h") return { kind: "text", text: programHelp(program, OPTION_SECTIONS) };
    if (name === "version") return { kind: "text", text: program.version };
  }
  const set = new OptionSet(options);
  const plugins = await readPlugins(set, host);
  const builder = new Builder(set, host);
  const help = await builder.help();
  return help === undefined ? { ...(await builder.build()), plugins } : { kind: "text", text: help };
}

/** Options whose argument may be `help`. */
const HAVE_HELP = ["plugin", "machine", "accel", "cpu", "device", "chardev", "display", "vga", "d", "smp"];

const DEFAULT_RAM = 128 << 20;
const RAM_UNIT = 8192;

/** Devices whose -device takes the place of a default one. */
const REPLACES_DEFAULT: Readonly<Record<string, "serial" | "parallel" | "floppy" | "cdrom" | "vga">> = {
  "isa-serial": "serial",
  "isa-parallel": "parallel",
  "isa-fdc": "floppy",
  floppy: "floppy",
  "ide-cd": "cdrom",
  VGA: "vga",
  "isa-vga": "vga",
  "secondary-vga": "vga",
};

/** What -machine passes on to the accelerator, if that has it. */
const PASSED_ON = ["kernel-irqchip"];

interface ChosenAccelerator {
  readonly accelerator: Accelerator;
  readonly properties: Properties;
  /** Why those named before it were passed over. */
  readonly warnings: readonly string[];
}

class Builder {
  readonly #options: OptionSet;
  readonly #host: PluginHost;
  readonly #chardevs = new ChardevPlans();

  constructor(options: OptionSet, host: PluginHost) {
    this.#options = options;
    this.#host = host;
  }

  /** The text that a `help` value asks for. */
  async help(): Promise<string | undefined> {
    for (const { name, value, text } of this.#options) {
      if (!HAVE_HELP.includes(name)) continue;
      const pairs = parseKeyValues(value, "");
      if (!wantsHelp(pairs)) continue;
      const subject = pairs[0].value;
      const general = pairs.length === 1;
      switch (name) {
        case "plugin":
          return withOption(text, () => pluginHelp(this.#host, subject, general));
        case "machine":
          return general ? machineHelp(await this.#machines()) : this.#machinePropertyHelp(subject, text);
        case "accel":
          return general
            ? acceleratorHelp((await this.#host.all("accelerator")).map(([, accelerator]) => accelerator))
            : this.#acceleratorPropertyHelp(subject, text);
        case "cpu":
          return cpuHelp((await this.#accelerator((await this.#machine()).record)).accelerator);
        case "device":
          return general ? this.#deviceHelp() : this.#devicePropertyHelp(subject, text);
        case "chardev":
          return listHelp("Available chardev backend types: ", this.#host.names("chardev"), "  ");
        case "display":
          return listHelp("Available display backend types:", ["none", ...this.#host.names("display")]);
        case "vga":
          return "none                 no graphic card\nstd                  standard VGA (default)\n";
        case "d":
          return logHelp();
        case "smp":
          return smpHelp();
      }
    }
    return undefined;
  }

  async build(): Promise<Omit<MachineLine, "plugins">> {
    const { machine, record: machineProperties, text } = await this.#machine();
    const properties = Object.fromEntries(
      Object.entries(machineProperties).filter(([name]) => name !== "accel" && !PASSED_ON.includes(name)),
    );
    withOption(text, () => parseProperties(`${machine.name}-machine`, machine.properties, properties));
    const chosen = await this.#accelerator(machineProperties);
    const { accelerator, properties: acceleratorProperties } = chosen;
    const warnings = [...chosen.warnings];
    const globals = this.#globals();
    const devices = await this.#devices(globals);
    const replaced = new Set(
      devices.map(({ driver }) => REPLACES_DEFAULT[driver]).filter((what) => what !== undefined),
    );
    const defaults = (what: (typeof REPLACES_DEFAULT)[string]): boolean =>
      !this.#options.has("nodefaults") && !replaced.has(what);
    for (const { value, text: option } of this.#options.all("chardev"))
      withOption(option, () => this.#chardevs.add(value, option));
    const characters = readCharacters(this.#options, this.#chardevs, defaults, globals);
    const drives = this.#drives(defaults);
    const action = this.#actions();
    const vga = this.#vga(defaults("vga"));
    const machineChardevs = await findMachineChardevs(this.#host, this.#options, this.#chardevs, characters, devices);
    return {
      kind: "machine",
      machine: {
        machine: machine.name,
        machineProperties: properties,
        accelerator: accelerator.name,
        acceleratorProperties,
        cpu: this.#cpu(accelerator),
        smp: this.#smp(machine, warnings),
        ram: this.#ram(),
        boot: this.#boot(),
        vga,
        graphics: !characters.terminal && !this.#options.has("nographic"),
        drives: drives.options(),
        serials: characters.serials,
        parallels: characters.parallels,
        debugcons: characters.debugcons,
        devices,
        globals,
        rtc: this.#rtc(),
        name: this.#name(),
        uuid: this.#uuid(),
        noReboot: action.reboot === "shutdown",
        noShutdown: action.shutdown === "pause",
        startPaused: this.#options.has("S"),
      },
      firmware: this.#firmware(vga, properties),
      io: {
        chardevs: this.#chardevs.list(),
        monitors: characters.monitors,
        machineChardevs,
        blocks: drives.plans(this.#options.has("snapshot")),
        escapeCode: this.#escapeCode(),
        log: this.#log(),
        pidFile: this.#options.last("pidfile")?.value,
        panicAction: action.panic,
        warnings,
        notice: characters.terminal
          ? "no display: the guest's serial port and the monitor are on this terminal (ctrl-a h for help)"
          : undefined,
      },
    };
  }

  async #machines(): Promise<MachineType[]> {
    return [...new Set((await this.#host.all("machine")).map(([, machine]) => machine))];
  }

  async #machine(): Promise<{ machine: MachineType; record: Record<string, string>; text: string }> {
    const record = Object.fromEntries(
      Object.entries(this.#options.record("machine", "type")).map(([name, value]) => [
        name.replaceAll("_", "-"),
        value,
      ]),
    );
    const { type, ...rest } = record;
    const text = this.#options.last("machine")?.text ?? "";
    if (type === undefined) {
      const machines = await this.#machines();
      const machine = machines.find(({ isDefault }) => isDefault);
      if (machine) return { machine, record: rest, text };
      throw new QemuError("no-machine", "No machine specified, and there is no default", {
        hint: "Use -machine help to list supported machines",
      });
    }
    const machine =
      (await withOption(text, () => this.#host.find("machine", type))) ??
      (await this.#machines()).find(({ aliases }) => aliases.includes(type));
    if (machine) return { machine, record: rest, text };
    const near = didYouMean(type, this.#host.names("machine"));
    throw new QemuError("unknown-machine", `unsupported machine type "${type}"`, {
      context: { option: text },
      hint: `${near ? `${near}\n` : ""}Use -machine help to list supported machines`,
    });
  }

  /** The first accelerator that works here, of those -accel, -enable-kvm or -machine accel= name. */
  async #accelerator(machine: Readonly<Record<string, string>>): Promise<ChosenAccelerator> {
    const wanted = [...this.#options].flatMap(({ name, value, text }) => {
      if (name === "enable-kvm") return [{ name: "kvm", properties: {}, text }];
      if (name !== "accel") return [];
      const { accel = "", ...properties } = withOption(text, () => toRecord(parseKeyValues(value, "accel")));
      return [{ name: accel, properties, text }];
    });
    const text = this.#options.last("machine")?.text ?? "";
    if (machine.accel !== undefined && wanted.length > 0) {
      throw new QemuError("bad-option", 'The -accel and "-machine accel=" options are incompatible', {
        context: { option: wanted[0].text },
      });
    }
    for (const name of machine.accel?.split(":") ?? []) wanted.push({ name, properties: {}, text });
    if (wanted.length === 0) {
      const names = this.#host.names("accelerator");
      wanted.push({ name: names.length === 1 ? names[0] : "tcg", properties: {}, text: "" });
    }
    const failures: QemuError[] = [];
    for (const { name, properties, text: option } of wanted) {
      const look = async (): Promise<ChosenAccelerator | QemuError> => {
        const accelerator = await this.#host.find("accelerator", name);
        if (!accelerator) {
          return new QemuError("unknown-accelerator", `invalid accelerator ${name}`, {
            context: { option: option || undefined },
            hint: didYouMean(name, this.#host.names("accelerator")),
          });
        }
        const passedOn = Object.entries(machine).filter(
          ([property]) => PASSED_ON.includes(property) && Object.hasOwn(accelerator.properties, property),
        );
        const given = { ...Object.fromEntries(passedOn), ...properties };
        const read = parseProperties(`${name}-accel`, accelerator.properties, given);
        try {
          await accelerator.checkHost?.(read);
        } catch (error) {
          if (error instanceof QemuError) return error;
          throw error;
        }
        const warnings = failures.map(({ message }) => `${message}; falling back to ${name}`);
        return { accelerator, properties: read, warnings };
      };
      const found = await (option ? withOption(option, look) : look());
      if (!(found instanceof QemuError)) return found;
      failures.push(found);
    }
    const [{ code, context, hint, cause }] = failures;
    throw new QemuError(code, failures.map(({ message }) => message).join("; "), { context, hint, cause });
  }

  async #acceleratorPropertyHelp(name: string, text: string): Promise<string> {
    const accelerator = await withOption(text, () => this.#host.require("accelerator", name));
    return propertyHelp(`${accelerator.name}-accel`, accelerator.properties);
  }

  async #machinePropertyHelp(name: string, text: string): Promise<string> {
    const machine = await withOption(text, () => this.#host.require("machine", name));
    return propertyHelp(`${machine.name}-machine`, machine.properties);
  }

  async #deviceHelp(): Promise<string> {
    const types = (await this.#host.all("device")).map(([, type]) => type);
    return deviceHelp([...new Set(types)].filter((type) => type.userCreatable));
  }

  async #devicePropertyHelp(name: string, text: string): Promise<string> {
    const type = await withOption(text, () => this.#host.require("device", name));
    return propertyHelp(type.name, deviceProperties(type));
  }

  #globals(): GlobalProperty[] {
    return this.#options.all("global").map(({ value, text }) => {
      const match = /^([^.=]+)\.([^=]+)=(.*)$/s.exec(value);
      if (match) return { driver: match[1], property: match[2], value: match[3] };
      const { driver, property, value: set } = withOption(text, () => toRecord(parseKeyValues(value)));
      if (driver !== undefined && property !== undefined && set !== undefined) return { driver, property, value: set };
      throw new QemuError("bad-option", "expects driver.property=value", { context: { option: text } });
    });
  }

  async #devices(globals: readonly GlobalProperty[]): Promise<UserDevice[]> {
    const devices: UserDevice[] = [];
    for (const { value, text } of this.#options.all("device")) {
      await withOption(text, async () => {
        const { driver, id, ...properties } = toRecord(parseKeyValues(value, "driver"));
        if (driver === undefined) throw new QemuError("bad-option", "Parameter 'driver' is missing");
        const type = await this.#host.require("device", driver);
        if (!type.userCreatable) {
          throw new QemuError("bad-option", `Parameter 'driver' expects a pluggable device type`);
        }
        if (id !== undefined && devices.some((device) => device.id === id)) {
          throw new QemuError("bad-option", `Duplicate ID '${id}' for device`);
        }
        resolveDeviceProperties(type, properties, globals);
        devices.push({ driver: type.name, ...(id === undefined ? {} : { id }), properties, option: text });
      });
    }
    return devices;
  }

  #cpu(accelerator: Accelerator): string {
    const option = this.#options.last("cpu");
    if (!option) return "qemu64";
    const [model] = option.value.split(",", 1);
    const models = accelerator.cpuModels().map(({ name }) => name);
    if (models.includes(model)) return option.value;
    throw new QemuError("unknown-cpu", `unable to find CPU model '${model}'`, {
      hint: didYouMean(model, models) ?? "'-cpu help' lists the CPU models",
    });
  }

  #smp(machine: MachineType, warnings: string[]): SmpOptions {
    const option = this.#options.last("smp");
    if (!option) return ONE_CPU_SMP;
    const record = this.#options.record("smp", "cpus");
    return withOption(option.text, () =>
      readSmp(record, machine.name, machine.maxCpus ?? 1, (warning) => void warnings.push(warning)),
    );
  }

  #ram(): number {
    const option = this.#options.last("m");
    if (!option) return DEFAULT_RAM;
    return withOption(option.text, () => {
      const { size = "0", maxmem, slots } = toRecord(parseKeyValues(option.value, "size"), ["size", "maxmem", "slots"]);
      if (slots !== undefined || maxmem !== undefined) {
        throw new QemuError("unsupported", "this version of qemu-next has no memory hotplug (slots, maxmem)");
      }
      const bytes = parseSize("size", size, "M");
      return bytes === 0 ? DEFAULT_RAM : Math.ceil(bytes / RAM_UNIT) * RAM_UNIT;
    });
  }

  #boot(): BootOptions {
    const option = this.#options.last("boot");
    const record = this.#options.record("boot", "order", [
      "order",
      "once",
      "menu",
      "strict",
      "splash-time",
      "reboot-timeout",
    ]);
    return withOption(option?.text ?? "", () => {
      for (const letters of [record.order, record.once]) {
        if (letters === undefined) continue;
        const wrong = [...letters].find((letter) => !/[a-p]/.test(letter));
        if (wrong) throw new QemuError("bad-option", `Invalid boot device '${wrong}'`);
        const twice = [...letters].find((letter, i) => letters.indexOf(letter) !== i);
        if (twice) throw new QemuError("bad-option", `Boot device '${twice}' was given twice`);
      }
      const { "splash-time": splashTime, "reboot-timeout": rebootTimeout } = record;
      return {
        order: record.order ?? "cad",
        once: record.once,
        menu: parseBool("menu", record.menu ?? "off"),
        splashTime: splashTime === undefined ? undefined : parseInteger("splash-time", splashTime, 0, 0xffff),
        rebootTimeout: parseInteger("reboot-timeout", rebootTimeout ?? "-1", -1, 0xffff),
        strict: parseBool("strict", record.strict ?? "off"),
      };
    });
  }

  #drives(defaults: (what: "floppy" | "cdrom") => boolean): DrivePlans {
    const drives = new DrivePlans();
    const fixed: Readonly<Record<string, readonly ["ide" | "floppy", number, "disk" | "cdrom"]>> = {
      "": ["ide", 0, "disk"],
      hda: ["ide", 0, "disk"],
      hdb: ["ide", 1, "disk"],
      hdc: ["ide", 2, "disk"],
      hdd: ["ide", 3, "disk"],
      cdrom: ["ide", 2, "cdrom"],
      fda: ["floppy", 0, "disk"],
      fdb: ["floppy", 1, "disk"],
    };
    for (const { name, value, text } of this.#options) {
      const place = Object.hasOwn(fixed, name) ? fixed[name] : undefined;
      if (place) withOption(text, () => drives.addFile(value, text, ...place));
      else if (name === "drive") withOption(text, () => drives.add(value, text));
    }
    if (defaults("cdrom")) drives.addDefault("ide", 2, "cdrom");
    if (defaults("floppy")) drives.addDefault("floppy", 0, "disk");
    return drives;
  }

  #vga(byDefault: boolean): "std" | "none" {
    const option = this.#options.last("vga");
    if (!option) return byDefault ? "std" : "none";
    return withOption(option.text, () => parseChoice("vga", option.value, ["std", "none"]));
  }

  #actions(): { reboot: string; shutdown: string; panic: PanicAction } {
    const option = this.#options.last("action");
    const record = this.#options.record("action", undefined, ["reboot", "shutdown", "panic"]);
    return withOption(option?.text ?? "", () => ({
      reboot: this.#options.has("no-reboot")
        ? "shutdown"
        : parseChoice("reboot", record.reboot ?? "reset", ["reset", "shutdown"]),
      shutdown: this.#options.has("no-shutdown")
        ? "pause"
        : parseChoice("shutdown", record.shutdown ?? "poweroff", ["poweroff", "pause"]),
      panic: parseChoice<PanicAction>("panic", record.panic ?? "shutdown", [
        "pause",
        "shutdown",
        "exit-failure",
        "none",
      ]),
    }));
  }

  #rtc(): MachineOptions["rtc"] {
    const option = this.#options.last("rtc");
    const record = this.#options.record("rtc", undefined, ["base", "clock", "driftfix"]);
    return withOption(option?.text ?? "", () => {
      const { base = "utc" } = record;
      const clock = parseChoice("clock", record.clock ?? "host", ["host", "rt", "vm"]);
      parseChoice("driftfix", record.driftfix ?? "none", ["none", "slew"]);
      if (base === "utc" || base === "localtime") return { base, clock };
      const date = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}:\d{2})?$/.test(base)
        ? Date.parse(base.length > 10 ? `${base}Z` : base)
        : Number.NaN;
      if (Number.isNaN(date)) {
        throw new QemuError("bad-option", "invalid datetime format", {
          hint: "valid formats: '2006-06-17T16:01:21' or '2006-06-17'",
        });
      }
      return { base: date, clock };
    });
  }

  #name(): string | undefined {
    return this.#options.record("name", "guest", ["guest", "process", "debug-threads"]).guest;
  }

  #uuid(): string | undefined {
    const option = this.#options.last("uuid");
    return option && withOption(option.text, () => parseUuid(option.value));
  }

  #firmware(vga: "std" | "none", machineProperties: Readonly<Record<string, string>>): FirmwareRequest {
    const kernel = this.#options.last("kernel")?.value ?? machineProperties.kernel;
    const append = this.#options.last("append")?.value ?? machineProperties.append;
    const initrd = this.#options.last("initrd")?.value ?? machineProperties.initrd;
    if (kernel === undefined && append !== undefined) {
      throw new QemuError("bad-option", "-append only allowed with -kernel option");
    }
    if (kernel === undefined && initrd !== undefined) {
      throw new QemuError("bad-option", "-initrd only allowed with -kernel option");
    }
    return {
      directories: this.#options.all("L").map(({ value }) => value),
      bios: this.#options.last("bios")?.value ?? machineProperties.firmware,
      vga,
      optionRoms: this.#options.all("option-rom").map(({ value, text }) =>
        withOption(text, () => {
          const { romfile, bootindex } = toRecord(parseKeyValues(value, "romfile"), ["romfile", "bootindex"]);
          if (romfile === undefined) throw new QemuError("bad-option", "Option ROM file is not specified");
          const bootIndex = bootindex === undefined ? undefined : parseInteger("bootindex", bootindex, -1, 0x7fffffff);
          return { file: romfile, bootIndex };
        }),
      ),
      kernel,
      initrd,
      commandLine: append ?? "",
      machineProperties,
    };
  }

  #escapeCode(): number {
    const option = this.#options.last("echr");
    return option ? withOption(option.text, () => parseInteger("echr", option.value, 0, 255)) : 1;
  }

  /** Checks what has no value of its own, and reads -d and -D. */
  #log(): IoPlan["log"] {
    for (const name of ["nic", "net"]) {
      for (const { value, text } of this.#options.all(name)) withOption(text, () => parseChoice(name, value, ["none"]));
    }
    const display = this.#options.last("display");
    if (display) withOption(display.text, () => parseChoice("type", display.value, ["none"]));
    this.#options.record("msg", "timestamp", ["timestamp", "guest-name"]);
    const items = this.#options.all("d").flatMap(({ value, text }) => withOption(text, () => parseLogItems(value)));
    return { items: [...new Set(items)], file: this.#options.last("D")?.value };
  }
}
