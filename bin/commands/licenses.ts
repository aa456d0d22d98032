/** `qemu-next licenses`: the licences of the packages that a bundle or an executable contains. */

import { hasAsset, readAsset } from "../../core/assets.ts";
import { QemuError } from "../../core/errors.ts";
import type { CommandContext } from "../commands.ts";
import { runYargs } from "./yargs.ts";

const FILE = "licenses.txt";

export async function run(context: CommandContext): Promise<number> {
  await runYargs(context, (parser) =>
    parser.command(
      "$0",
      "shows the licences of what is in this program",
      (command) => command,
      async () => {
        if (!hasAsset(FILE)) {
          throw new QemuError("no-licenses", "this runs from its sources, and contains nothing of others", {
            hint: "the packages are in node_modules, each with its licence",
          });
        }
        await new Promise((resolve) => process.stdout.write(Buffer.from(readAsset(FILE)), resolve));
      },
    ),
  );
  return 0;
}
