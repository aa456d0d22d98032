/**
 * A machine without a CPU worth the name, for tests of what runs around it. Its property `act` says what the "guest"
 * does when it runs; its serial port echoes in upper case and obeys a few letters.
 */

import type { Accelerator, Vcpu, VcpuEnvironment, VcpuExit } from "../../../core/accel.ts";
import { PortSpace } from "../../../core/bus/io.ts";
import { NS_PER_MS } from "../../../core/clock.ts";
import { ONE_CPU } from "../../../core/cpu-topology.ts";
import { QemuError } from "../../../core/errors.ts";
import type { Machine, MachineRuntime, MachineType } from "../../../core/machine.ts";
import { AddressSpace } from "../../../core/memory/address-space.ts";
import type { Plugin } from "../../../core/plugin/plugin.ts";
import type { SavedState } from "../../../core/state/state.ts";

export class FakeVcpu implements Vcpu {
  readonly instructionPointer = 0x1234n;
  readonly #environment: VcpuEnvironment;
  readonly #act: string;
  runs = 0;

  constructor(environment: VcpuEnvironment, act: string) {
    this.#environment = environment;
    this.#act = act;
  }

  run(): VcpuExit {
    this.runs++;
    if (this.#act === "triple") return "triple-fault";
    if (this.#act === "crash") throw new Error("bug in the accelerator");
    if (this.#act !== "spin") return "halted";
    const word = new Int32Array(this.#environment.wake.buffer, this.#environment.wake.address, 1);
    for (let i = 0; i < 100_000; i++) if (Atomics.load(word, 0) !== 0) break;
    return "slice";
  }

  hasWork(): boolean {
    return this.#act === "spin";
  }

  dumpRegisters(): string {
    return "RAX=000000000000002a RBX=0000000000000000\n";
  }

  dumpTlb = (): string => "tlb\n";
  dumpMemoryMap = (): string => "mem\n";
  translate = (virtual: bigint): number | undefined => (virtual < 0x100000n ? Number(virtual) : undefined);
  statistics = (): [string, string][] => [["runs", String(this.runs)]];
  tscToNs = (): number => 0;
  readonly codeSize = 16;
  setRegisters(): void {}
  save = (): SavedState => ({ name: "fake", version: 1, fields: {} });
  load(): void {}
  kick(): void {}
  reset(): void {}
  setIntr(): void {}
  nmi(): void {}
  smi(): void {}
  init(): void {}
  sipi(): void {}
  setA20(): void {}
}

export const fakeAccelerator: Accelerator = {
  name: "fake",
  description: "runs nothing",
  properties: { act: { type: "str" } },
  reservedMemory: () => 0,
  createVm: async (_, { act }) => ({ createVcpu: async (environment) => new FakeVcpu(environment, String(act ?? "")) }),
  cpuModels: () => [{ name: "qemu64", description: "" }],
};

async function assemble(runtime: MachineRuntime): Promise<Machine> {
  const { options, services, memory, wake } = runtime;
  const { act = "" } = options.machineProperties as Record<string, string>;
  if (act === "refuse") throw new QemuError("refused", "this machine refuses", { hint: "try another one" });
  const space = new AddressSpace(memory);
  const ports = new PortSpace();
  const ram = memory.allocateBlock("ram", options.ram);
  ram.bytes.set(Buffer.from("Hello"), 0x100);
  space.map("ram", 0, ram.size, { kind: "ram", block: ram });
  const vm = await runtime.accelerator.createVm({ memory: space, vcpus: 1, topology: ONE_CPU, bells: [wake] }, { act });
  const vcpu = await vm.createVcpu({
    memory: space,
    vcpus: 1,
    topology: ONE_CPU,
    bells: [wake],
    ports,
    clock: services.clock,
    interrupts: { acknowledge: () => -1 },
    apic: undefined,
    model: options.cpu,
    index: 0,
    wake,
  });
  const serial = services.chardev(options.serials[0]);
  const say = (text: string): void => void serial.write(Buffer.from(text));
  let suspended = false;
  const alarm = services.clock.timer("alarm", () => services.machine.wakeUp("rtc"));
  const tick = services.clock.timer("tick", () => say("tick\n"));
  const letters: Record<string, () => void> = {
    Q: () => services.machine.shutdown("guest-shutdown"),
    R: () => services.machine.reset("guest-reset"),
    E: () => services.machine.exit(33),
    P: () => services.machine.panic(),
    S: () => {
      suspended = true;
      services.machine.suspend();
    },
    W: () => {
      suspended = true;
      services.machine.suspend();
      alarm.arm(services.clock.now() + 5 * NS_PER_MS);
    },
    T: () => tick.arm(services.clock.now() + 5 * NS_PER_MS),
  };
  serial.connect({
    canReceive: () => 1,
    receive(data) {
      const text = Buffer.from(data).toString().toUpperCase();
      say(text);
      for (const letter of text) letters[letter]?.();
    },
  });
  services.addDisplay({ render: () => ({ width: 2, height: 1, data: Uint8Array.of(1, 2, 3, 255, 4, 5, 6, 255) }) });
  services.input.addKeyboard({ key: (code, down) => say(`[${code} ${down ? "down" : "up"}]`) });
  const drive = options.drives.find(({ interface: kind }) => kind === "ide" && kind.length > 0);
  runtime.info.add("pic", () => "pic0: irr=00\n");
  say("up\n");
  const machine: Machine = {
    vcpus: [vcpu],
    memory: space,
    ports,
    pci: undefined,
    devices: [],
    reset() {
      suspended = false;
      say("reset\n");
    },
    setRunning() {},
    saving() {},
    loaded() {},
    get suspended() {
      return suspended;
    },
    wake(reason) {
      suspended = false;
      say(`awake: ${reason}\n`);
    },
    powerButton: () => say("power button\n"),
  };
  if (act === "disk" && drive) {
    const port = services.drive(drive.id);
    const sector = new Uint8Array(8);
    port.read(0, [sector], (error) => {
      say(`disk ${error ?? Buffer.from(sector).toString()}\n`);
      port.write(0, [Buffer.from("written!")], () => services.machine.shutdown("guest-shutdown"));
    });
  }
  return machine;
}

export const fakeMachineType: MachineType = {
  name: "fake",
  aliases: [],
  description: "a machine for tests",
  isDefault: true,
  properties: { act: { type: "str" } },
  findFirmware: () => ({
    bios: undefined,
    vgaBios: undefined,
    optionRoms: [],
    kernel: undefined,
    initrd: undefined,
    commandLine: "",
  }),
  assemble,
};

export const fakeMachine: Plugin = {
  name: "fake-machine",
  api: 1,
  apply({ hooks }) {
    hooks.accelerator.for("fake").tap("fake-machine", () => fakeAccelerator);
    hooks.machine.for("fake").tap("fake-machine", () => fakeMachineType);
  },
};
