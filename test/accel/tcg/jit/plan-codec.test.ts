import { test } from "uvu";
import * as assert from "uvu/assert";
import { decodePlans, encodePlans, type NumberedPlan } from "../../../../accel/tcg/jit/plan-codec.ts";

const plans: NumberedPlan[] = [
  {
    id: 7,
    plan: {
      phys: 0xf0001000,
      hflags: 0x4003,
      blocks: [
        { phys: 0xf0001000, length: 3, insns: 1, delta: 0, returnsTo: [] },
        { phys: 0xf0000ffe, length: 2, insns: 2, delta: -2, returnsTo: [16, -32] },
      ],
      code: Uint8Array.of(1, 2, 255, 4, 5),
    },
  },
  {
    id: 8,
    plan: {
      phys: 4,
      hflags: 0,
      blocks: [{ phys: 4, length: 4, insns: 1, delta: 0, returnsTo: [] }],
      code: Uint8Array.of(9, 8, 7, 6),
    },
  },
];

test("plans come back as they were", () => {
  assert.equal(decodePlans(encodePlans(plans)), plans);
  assert.equal(decodePlans(encodePlans([])), []);
});

test.run();
