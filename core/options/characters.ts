/** Who is on which character device: serial and parallel ports, debug consoles, monitors, and QEMU's defaults for them. */

import { QemuError } from "../errors.ts";
import type { PluginHost } from "../plugin/host.ts";
import type { ChardevPlans } from "./chardevs.ts";
import { parseKeyValues, toRecord, withOption } from "./keyval.ts";
import type { UserDevice } from "./machine-options.ts";
import type { OptionSet } from "./option-set.ts";
import type { GlobalProperty } from "./properties.ts";
import { parseInteger } from "./values.ts";

const MAX_SERIALS = 4;
const MAX_PARALLELS = 3;
const DEBUGCON_PORT = 0xe9;

export interface Characters {
  readonly serials: (string | undefined)[];
  readonly parallels: (string | undefined)[];
  readonly debugcons: { iobase: number; chardev: string }[];
  /** Ids of the character devices that monitors are on. */
  readonly monitors: string[];
  /** The terminal was taken for the guest's console because nothing else was said. */
  readonly terminal: boolean;
}

/** Serial and parallel ports, debug consoles and monitors, with QEMU's defaults. */
export function readCharacters(
  options: OptionSet,
  chardevs: ChardevPlans,
  defaults: (what: "serial" | "parallel") => boolean,
  globals: readonly GlobalProperty[],
): Characters {
  const monitorIds: string[] = [];
  const nographic = options.has("nographic");
  const plain = !nographic && !options.has("display") && !options.has("nodefaults");
  const given = (name: string): boolean => options.has(name);
  const wantSerial = !given("serial") && defaults("serial");
  const wantMonitor = !given("monitor") && !given("mon") && !options.has("nodefaults");
  // Nothing said about the terminal, and no display: the terminal is the guest's console.
  const terminal = plain && wantSerial && wantMonitor && !chardevs.list().some(({ backend }) => backend === "stdio");
  let serialDefault = "vc";
  let monitorDefault = "vc";
  if (terminal || (nographic && wantSerial && wantMonitor)) {
    serialDefault = "mon:stdio";
    monitorDefault = "none";
  } else if (nographic) {
    serialDefault = "stdio";
    monitorDefault = "stdio";
  }
  const share = (id: string): void => void monitorIds.push(id);
  const ports = (name: string, kind: string, fallback: string | undefined, limit: number): (string | undefined)[] => {
    const asked = options.all(name);
    const list =
      asked.length === 0 && fallback !== undefined ? [{ value: fallback, text: `-${name} ${fallback}` }] : asked;
    return list.map(({ value, text }, i) =>
      withOption(text, () => {
        if (i >= limit) throw new QemuError("bad-option", `too many ${kind} ports: at most ${limit}`);
        return chardevs.short(value, `${name}${i}`, text, `${kind} device`, share);
      }),
    );
  };
  const serials = ports("serial", "serial", wantSerial ? serialDefault : undefined, MAX_SERIALS);
  const parallels = ports("parallel", "parallel", defaults("parallel") ? "null" : undefined, MAX_PARALLELS);
  const iobase = globals.findLast(({ driver, property }) => driver === "isa-debugcon" && property === "iobase")?.value;
  const debugcons = options.all("debugcon").flatMap(({ value, text }, i) => {
    const id = withOption(text, () => chardevs.short(value, `debugcon${i}`, text, "debug console", share));
    const port = iobase === undefined ? DEBUGCON_PORT : parseInteger("iobase", iobase, 0, 0xffff);
    return id === undefined ? [] : [{ iobase: port, chardev: id }];
  });
  const monitors = given("monitor") ? options.all("monitor") : wantMonitor ? [{ value: monitorDefault, text: "" }] : [];
  monitors.forEach(({ value, text }, i) => {
    const device = value === "vc" ? "null" : value;
    const id = withOption(text || "-monitor", () =>
      chardevs.short(device, `compat_monitor${i}`, text, "monitor", share),
    );
    if (id !== undefined && !device.startsWith("mon:")) monitorIds.push(id);
  });
  for (const { value, text } of options.all("mon")) {
    withOption(text, () => {
      const { chardev, mode = "readline" } = toRecord(parseKeyValues(value, "chardev"), ["chardev", "mode", "pretty"]);
      if (mode !== "readline")
        throw new QemuError("unsupported", `this version of qemu-next has no monitor of mode '${mode}'`);
      if (chardev === undefined || !chardevs.has(chardev)) {
        throw new QemuError("bad-option", `chardev "${chardev ?? ""}" not found`);
      }
      monitorIds.push(chardev);
    });
  }
  return { serials, parallels, debugcons, monitors: monitorIds, terminal };
}

/** Ids of the character devices that devices use; checks that they are there and that nobody else has them. */
export async function findMachineChardevs(
  host: PluginHost,
  options: OptionSet,
  chardevs: ChardevPlans,
  characters: Characters,
  devices: readonly UserDevice[],
): Promise<string[]> {
  const users: { id: string; option: string }[] = [];
  const add = (id: string | undefined, option: string): void => {
    if (id !== undefined) users.push({ id, option });
  };
  for (const [i, id] of characters.serials.entries()) add(id, options.all("serial")[i]?.text ?? "-serial");
  for (const [i, id] of characters.parallels.entries()) add(id, options.all("parallel")[i]?.text ?? "-parallel");
  for (const { chardev } of characters.debugcons) add(chardev, "-debugcon");
  for (const { driver, properties, option = "-device" } of devices) {
    const type = await host.require("device", driver);
    for (const [name, spec] of Object.entries(type.properties)) {
      if (spec.type === "chardev") add(properties[name], option);
    }
  }
  const seen = new Map<string, number>();
  for (const id of characters.monitors) seen.set(id, (seen.get(id) ?? 0) + 1);
  for (const { id, option } of users) {
    const plan = chardevs.get(id);
    const context = { option };
    if (!plan) throw new QemuError("bad-option", `chardev "${id}" not found`, { context });
    if (seen.has(id) && !plan.mux) {
      const hint = "give the character device mux=on to share it";
      throw new QemuError("bad-option", `Device '${id}' is in use`, { context, hint });
    }
    seen.set(id, (seen.get(id) ?? 0) + 1);
  }
  return [...new Set(users.map(({ id }) => id))];
}
