/** Output to a file. Writes are synchronous: what the guest has sent is in the file even if the program dies. */

import { closeSync, openSync, writeSync } from "node:fs";
import type { Chardev, ChardevContext, ChardevType } from "../../../core/char/chardev.ts";
import { messageOf, QemuError } from "../../../core/errors.ts";

function open(path: string, append: boolean): number {
  try {
    return openSync(path, append ? "a" : "w", 0o666);
  } catch (cause) {
    throw new QemuError("chardev-file", `Could not open '${path}': ${messageOf(cause)}`, { cause });
  }
}

export const FILE: ChardevType = {
  name: "file",
  description: "output to a file",
  options: {
    path: { type: "str", description: "the file to write" },
    append: { type: "bool", default: false, description: "keep what is in the file" },
  },
  async open(options: Readonly<Record<string, string>>, context: ChardevContext): Promise<Chardev> {
    const { path } = options;
    if (!path) throw new QemuError("chardev-file", "chardev: file: no filename given");
    const fd = open(path, options.append === "on");
    let failed = false;
    return {
      description: `file:${path}`,
      write(data) {
        if (failed) return data.length;
        try {
          for (let at = 0; at < data.length; ) at += writeSync(fd, data, at);
        } catch (cause) {
          failed = true;
          context.fail(new QemuError("chardev-file", `could not write to '${path}': ${messageOf(cause)}`, { cause }));
        }
        return data.length;
      },
      onWritable() {},
      connect() {},
      acceptInput() {},
      close: async () => closeSync(fd),
    };
  },
};
