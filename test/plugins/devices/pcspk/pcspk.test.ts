import { test } from "uvu";
import * as assert from "uvu/assert";
import { ManualClock } from "../../../../core/clock.ts";
import { StateArena } from "../../../../core/state/state.ts";
import { PcSpeaker } from "../../../../plugins/devices/pcspk/pcspk.ts";
import { checkHostileAccess, checkRoundTrip } from "../checks.ts";

function setup() {
  const arena = StateArena.create();
  const clock = new ManualClock();
  const timer = {
    gate: true,
    out: false,
    setGate(level: boolean) {
      timer.gate = level;
    },
  };
  const speaker = new PcSpeaker({ name: "pcspk", arena, clock, timer });
  speaker.reset();
  return { arena, clock, timer, speaker, port: speaker.io.handler };
}

test("bit 0 gates counter 2, bit 5 shows its output", () => {
  const { timer, port } = setup();
  assert.not(timer.gate);
  port.write(0, 0x01, 1);
  assert.ok(timer.gate);
  assert.is(port.read(0, 1) & 0x2f, 0x01);
  timer.out = true;
  assert.is(port.read(0, 1) & 0x2f, 0x21);
});

test("bits 0 to 3 read back, the status bits cannot be written", () => {
  const { port } = setup();
  port.write(0, 0xff, 1);
  assert.is(port.read(0, 1) & 0xef, 0x0f);
});

test("bit 4 toggles with each refresh, about every 15 microseconds", () => {
  const { clock, port } = setup();
  let toggles = 0;
  let last = port.read(0, 1) & 0x10;
  for (let i = 0; i < 1000; i++) {
    clock.advance(1000);
    const now = port.read(0, 1) & 0x10;
    if (now !== last) toggles++;
    last = now;
  }
  assert.is(toggles, 66);
});

test("state and hostile accesses", () => {
  const { arena, speaker } = setup();
  speaker.io.handler.write(0, 3, 1);
  checkRoundTrip(arena, () => {});
  checkHostileAccess([speaker.io]);
});

test.run();
