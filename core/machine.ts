/** What a machine plugin says about itself. The machine assembles devices; the runtime gives it threads and options. */

import type { Vcpu } from "./accel.ts";
import type { DeviceContext } from "./device.ts";
import type { GuestMemory } from "./memory/guest-memory.ts";
import type { MachineOptions } from "./options/machine-options.ts";

/** Everything a machine is given to assemble itself. Devices come from the registry, by name. */
export interface MachineRuntime {
  readonly memory: GuestMemory;
  readonly options: MachineOptions;
  /** What all devices of this machine get, but for their names. */
  readonly services: Omit<DeviceContext, "name" | "ports" | "memory" | "dma" | "pci" | "isaIrq" | "isaDma">;
}

/** An assembled machine. */
export interface Machine {
  /** Resets every device and CPU, as the reset button does. */
  reset(): void;
  readonly vcpus: readonly Vcpu[];
  /** Presses the power button (ACPI). */
  powerButton(): void;
}

export interface MachineType {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly description: string;
  readonly isDefault?: boolean;
  assemble(runtime: MachineRuntime): Promise<Machine>;
}
