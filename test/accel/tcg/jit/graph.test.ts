import { test } from "uvu";
import * as assert from "uvu/assert";
import { analyse, dominates } from "../../../../accel/tcg/jit/graph.ts";

//        0
//       / \
//      1   2
//       \ / \
//        3   4 <-+
//       / \  |   |
//      5   6 7 --+      8 is not reached
const GRAPH = [[1, 2], [3], [3, 4], [5, 6], [7], [], [], [4], [3]];

test("reverse postorder: what is not a loop's way back comes after its predecessors", () => {
  const { order, number } = analyse(GRAPH);
  assert.is(order[0], 0);
  assert.is(order.length, 8);
  order.forEach((node, index) => {
    assert.is(number[node], index);
  });
  for (const node of order)
    for (const to of GRAPH[node]) assert.ok(number[node] < number[to] || (node === 7 && to === 4));
  assert.is(number[8], -1);
});

test("predecessors are those that can be reached", () => {
  const { predecessors } = analyse(GRAPH);
  assert.equal([...predecessors[3]].sort(), [1, 2]);
  assert.equal([...predecessors[4]].sort(), [2, 7]);
  assert.equal(predecessors[0], []);
});

test("immediate dominators", () => {
  const { dominator } = analyse(GRAPH);
  assert.equal([...dominator], [0, 0, 0, 0, 2, 3, 3, 4, -1]);
});

test("dominance is transitive and reflexive", () => {
  const graph = analyse(GRAPH);
  assert.ok(dominates(graph, 0, 6));
  assert.ok(dominates(graph, 2, 7));
  assert.ok(dominates(graph, 3, 3));
  assert.not(dominates(graph, 1, 3));
  assert.not(dominates(graph, 7, 4));
});

test("dominators of a loop that is entered in two places, and of loops in loops", () => {
  assert.equal([...analyse([[1, 2], [2], [1, 3], []]).dominator], [0, 0, 0, 2]);
  assert.equal([...analyse([[1], [2], [3], [2, 4], [1, 5], []]).dominator], [0, 0, 1, 2, 3, 4]);
});

test("a long chain needs no deep stack", () => {
  const count = 100_000;
  const { order, dominator } = analyse(Array.from({ length: count }, (_, n) => (n + 1 < count ? [n + 1] : [])));
  assert.is(order.length, count);
  assert.is(dominator[count - 1], count - 2);
});

test.run();
