import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Vcpu, VcpuExit } from "../../../core/accel.ts";
import { RoundRobin } from "../../../core/vm/round-robin.ts";

/** CPUs that note when they run and whether others wait, and end their slices as told. */
function machine(count: number) {
  const log: string[] = [];
  const exits: VcpuExit[] = Array(count).fill("slice");
  const work: boolean[] = Array(count).fill(false);
  const vcpus = exits.map((_, i) => ({
    run: (sharing = false) => {
      log.push(`${i}${sharing ? "+" : ""}`);
      return exits[i];
    },
    hasWork: () => exits[i] !== "halted" || work[i],
  }));
  const turns = new RoundRobin(vcpus as unknown as Vcpu[]);
  const run = (times: number): string => {
    log.length = 0;
    const ends = Array.from({ length: times }, () => turns.run());
    return `${log.join(" ")} ${ends.at(-1)}`;
  };
  return { turns, exits, work, run };
}

test("one CPU: as it says, but for a halt that is over already", () => {
  const { exits, work, run } = machine(1);
  assert.is(run(2), "0 0 slice");
  exits[0] = "halted";
  assert.is(run(1), "0 halted");
  work[0] = true;
  assert.is(run(1), "0 slice");
  exits[0] = "triple-fault";
  assert.is(run(1), "0 triple-fault");
});

test("several: in turn; those that halt are left out until they have work", () => {
  const { exits, work, run, turns } = machine(3);
  assert.is(run(4), "0+ 1+ 2+ 0+ slice");
  exits[1] = "halted";
  exits[2] = "halted";
  assert.is(run(3), "0 0 0 slice");
  assert.is(turns.current?.hasWork(), true);
  work[2] = true;
  assert.is(run(3), "2+ 0+ 2+ slice");
  work[2] = false;
  exits[0] = "halted";
  assert.is(run(1), " halted");
  exits[1] = "slice";
  assert.is(run(2), "1 1 slice");
});

test("what any CPU ends with is what the machine hears of", () => {
  const { exits, run } = machine(2);
  exits[1] = "triple-fault";
  assert.is(run(2), "0+ 1+ triple-fault");
  exits[1] = "internal-error";
  assert.is(run(2), "0+ 1+ internal-error");
});

test("no CPU at all", () => {
  const { run, turns } = machine(0);
  assert.is(run(1), " halted");
  assert.is(turns.current, undefined);
});

test.run();
