// @timeout 240
/** SeaBIOS finds its disk and boots it, while the machine is saved and loaded into another one after every slice of code. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { TestBoard } from "../machines/pc/board.ts";
import { fetchPackages } from "../tools/packages.ts";

const OPTIONS = [
  ...["-display", "none", "-serial", "null", "-hda", "disk", "-boot", "c", "-m", "8"],
  ...["-debugcon", "null", "-global", "isa-debugcon.iobase=0x402", "-device", "isa-debug-exit,iobase=0xf4"],
];
const SLICES = 10_000;

/** A disk whose boot record ends the machine. */
function disk(): Uint8Array {
  const image = new Uint8Array(1 << 20);
  image.set([0xb0, 20, 0xe6, 0xf4, 0xf4]); // mov al, 20; out 0xf4, al; hlt
  image.set([0x55, 0xaa], 510);
  return image;
}

const board = (): Promise<TestBoard> => TestBoard.create(OPTIONS, { "ide0-hd0": disk() });

/** The lines that SeaBIOS prints. Its threads wait for devices and take turns, so their order is a matter of time. */
const lines = (text: string): string[] => [...new Set(text.replace(/\b(0x)?[0-9a-f]{5,8}\b/g, "#").split("\n"))].sort();

test("it is the same boot", async () => {
  await fetchPackages("firmware");
  const whole = await board();
  whole.run(SLICES);
  assert.is(whole.ended, "exit 41");
  assert.match(whole.output.debugcon0, /Booting from Hard Disk/);

  const boards = [await board(), await board()];
  let text = "";
  let hops = 0;
  for (let slices = 0; slices < SLICES; hops++) {
    const [here, there] = [boards[hops % 2], boards[(hops + 1) % 2]];
    here.output.debugcon0 = "";
    slices += here.run(1);
    text += here.output.debugcon0;
    if (here.ended !== undefined) break;
    there.load(here.save());
  }
  assert.ok(hops >= 10, `${hops} hops`);
  assert.is(boards[hops % 2].ended, "exit 41");
  assert.equal(lines(text), lines(whole.output.debugcon0));
});

test.run();
