import { test } from "uvu";
import * as assert from "uvu/assert";
import { geometricMean, median, spread } from "./statistics.ts";

test("median of odd and even counts", () => {
  assert.is(median([3, 1, 2]), 2);
  assert.is(median([4, 1, 3, 2]), 2.5);
  assert.is(median([7]), 7);
  assert.throws(() => median([]));
});

test("spread is half the range over the median", () => {
  assert.is(spread([1, 2, 3]), 0.5);
  assert.is(spread([5]), 0);
  assert.is(spread([0, 0]), 0);
});

test("geometric mean", () => {
  assert.ok(Math.abs(geometricMean([2, 0.5]) - 1) < 1e-12);
  assert.ok(Math.abs(geometricMean([1, 10, 100]) - 10) < 1e-12);
});

test.run();
