/**
 * Named pipes: `path.in` and `path.out`, or `path` for both ways. They are opened for reading and writing, so that
 * neither side waits for the other and a reader that goes does not end the stream.
 */

import { constants, openSync } from "node:fs";
import { Socket } from "node:net";
import type { Chardev, ChardevContext, ChardevType } from "../../../core/char/chardev.ts";
import { InputQueue, StreamOutput } from "../../../core/char/queue.ts";
import { messageOf, QemuError } from "../../../core/errors.ts";

function openFifo(path: string): number {
  return openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
}

function openBoth(path: string): { input: number; output: number } {
  try {
    return { input: openFifo(`${path}.in`), output: openFifo(`${path}.out`) };
  } catch {
    try {
      const both = openFifo(path);
      return { input: both, output: both };
    } catch (cause) {
      throw new QemuError("chardev-pipe", `Could not open '${path}': ${messageOf(cause)}`, { cause });
    }
  }
}

export const PIPE: ChardevType = {
  name: "pipe",
  description: "named pipes",
  options: { path: { type: "str" } },
  async open(options: Readonly<Record<string, string>>, context: ChardevContext): Promise<Chardev> {
    const { path } = options;
    if (!path) throw new QemuError("chardev-pipe", "chardev: pipe: no device path given");
    const { input, output } = openBoth(path);
    const reader = new Socket({ fd: input, readable: true, writable: input === output });
    const writer = input === output ? reader : new Socket({ fd: output, readable: false, writable: true });
    const queue = new InputQueue((flowing) => void (flowing ? reader.resume() : reader.pause()));
    const out = new StreamOutput(writer);
    for (const stream of new Set([reader, writer])) {
      stream.on("error", (cause) =>
        context.fail(new QemuError("chardev-pipe", `pipe '${path}': ${messageOf(cause)}`, { cause })),
      );
    }
    reader.on("data", (data) => queue.push(new Uint8Array(data as Buffer)));
    reader.resume();
    return {
      description: `pipe:${path}`,
      write: (data) => out.write(data),
      onWritable: (ready) => out.onWritable(ready),
      connect: (receiver) => queue.connect(receiver),
      acceptInput: () => queue.pump(),
      async close() {
        await out.flushed();
        reader.destroy();
        writer.destroy();
      },
    };
  },
};
