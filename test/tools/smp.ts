/** Runs the guest program for several CPUs and looks at what it says. */

import { readFileSync, writeFileSync } from "node:fs";
import * as assert from "uvu/assert";
import { inOrder, smpImage, smpOptions, smpReport } from "../guest/programs/smp.ts";
import type { SmpProgram } from "../guest/programs/smp-library.ts";
import { Conversation } from "./conversation.ts";
import { ended, PROGRAM } from "./guest.ts";

/** `path` names files that the run may make. */
export async function checkSmp(
  accelerator: readonly string[],
  program: SmpProgram,
  path: (name: string) => string,
  seconds: number,
): Promise<void> {
  const name = `${program.mode}-${program.cpus}`;
  const [image, serial] = [path(`${name}.bin`), path(`${name}.txt`)];
  writeFileSync(image, smpImage(program));
  const guest = new Conversation(process.execPath, [PROGRAM, ...accelerator, ...smpOptions(program, image, serial)]);
  const { status, stdout, stderr } = await ended(guest, seconds);
  assert.equal(inOrder(stdout, readFileSync(serial, "latin1")), smpReport(program), stderr);
  assert.is(status, 1);
}
