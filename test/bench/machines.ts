/** Guests without an operating system: the loops of (e), and the start of the firmware. */

import { writeFileSync } from "node:fs";
import { BARE_ROWS, bareImage, bareOptions } from "./bare.ts";
import { type Guest, timed } from "./guest.ts";
import { watch } from "./watch.ts";

export const bareLoops: Guest = {
  id: "e",
  title: "loops on the bare machine",
  onV86: false,
  async prepare({ path }) {
    const image = path("loops.bin");
    writeFileSync(image, bareImage());
    return (emulator) => timed(emulator.command(bareOptions(image)), BARE_ROWS, { seconds: 120 });
  },
};

/** From the start of the process to what the firmware first says on its debug port. */
export const start: Guest = {
  id: "s",
  title: "start of the process to the firmware's first byte",
  onV86: false,
  onExecutable: true,
  async prepare() {
    const quiet = ["-display", "none", "-serial", "null", "-monitor", "none", "-nic", "none"];
    return async (emulator) => {
      let first: number | undefined;
      const command = emulator.command([...quiet, "-debugcon", "stdio", "-global", "isa-debugcon.iobase=0x402"]);
      const { lastWord } = await watch(command, {
        seconds: 30,
        onOutput(at) {
          first ??= at;
          return true;
        },
      });
      const row = "first byte";
      return [
        first === undefined ? { row, unit: "s", error: lastWord || "nothing came" } : { row, unit: "s", value: first },
      ];
    };
  },
};
