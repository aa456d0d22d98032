/**
 * The pvpanic port: a guest kernel tells that it has panicked, or that it is about to shut down.
 *
 * Specification: QEMU's docs/specs/pvpanic: reading gives the events the device understands, writing reports them.
 *
 * DEVIATION: "crash loaded" (bit 1), a panic that a kernel loaded for the occasion handles, is understood when asked for
 * but has no consequence, so it is not offered by default.
 */

import type { IoRegion } from "../../../core/bus/io.ts";
import type { Device, MachineControl } from "../../../core/device.ts";

export const PVPANIC_PANICKED = 0b001;
export const PVPANIC_CRASH_LOADED = 0b010;
export const PVPANIC_SHUTDOWN = 0b100;

export interface PvpanicOptions {
  /** The events the guest may report. */
  readonly events: number;
  readonly machine: Pick<MachineControl, "panic" | "shutdown">;
}

export class Pvpanic implements Device {
  readonly io: IoRegion;

  constructor({ events, machine }: PvpanicOptions) {
    this.io = {
      name: "pvpanic",
      length: 1,
      max: 1,
      handler: {
        read: () => events,
        write: (_offset, value) => {
          const event = value & events;
          if (event & PVPANIC_PANICKED) machine.panic();
          else if (event & PVPANIC_SHUTDOWN) machine.shutdown("guest-shutdown");
        },
      },
    };
  }

  reset(): void {}
}
