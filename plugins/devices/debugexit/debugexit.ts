/** A port that ends the program: writing v to it exits with status (v << 1) | 1. For test programs. */

import type { IoRegion } from "../../../core/bus/io.ts";
import type { Device } from "../../../core/device.ts";

export interface DebugExitOptions {
  /** Ports taken. */
  readonly size: number;
  readonly exit: (status: number) => void;
}

export class DebugExit implements Device {
  readonly io: IoRegion;

  constructor({ size, exit }: DebugExitOptions) {
    this.io = {
      name: "isa-debug-exit",
      length: size,
      handler: {
        read: () => 0,
        // An exit status has eight bits.
        write: (_offset, value) => exit(((value << 1) | 1) & 0xff),
      },
    };
  }

  reset(): void {}
}
