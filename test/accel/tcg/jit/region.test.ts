import { test } from "uvu";
import * as assert from "uvu/assert";
import { ENV, HF_CS64, regOffset } from "../../../../accel/tcg/env.ts";
import { IrBuilder, NONE } from "../../../../accel/tcg/ir/builder.ts";
import { OP } from "../../../../accel/tcg/ir/ops.ts";
import { analyse, dominates } from "../../../../accel/tcg/jit/graph.ts";
import {
  connect,
  exitsOf,
  makeReducible,
  type Region,
  type RegionBlock,
  successors,
} from "../../../../accel/tcg/jit/region.ts";
import { randomFrom } from "../ir/random-program.ts";

const PHYS = 0x40000;
const RAX = regOffset(0);
const ir = new IrBuilder(new Map());

/** A block at `delta` of `insns` instructions, whose IR `emit` makes. Its page follows from `delta`. */
function block(delta: number, emit: () => void, insns = 1): RegionBlock {
  ir.reset();
  ir.beginInsn(0, 0);
  emit();
  return { phys: PHYS + delta, length: 4, insns, delta, ir: ir.snapshot() };
}

/** Leads to a place `by` bytes from the block's start. */
function goto(by: number): void {
  if (by !== 0) ir.emit(OP.lea64, ENV.rip, ENV.rip, NONE, 0, by);
  ir.exitChain(0);
}

/** Leads to one of two places. */
function fork(first: number, second: number): void {
  const other = ir.label();
  ir.brIf(OP.br_eq64, RAX, ir.const(0), other);
  goto(first);
  ir.bind(other);
  goto(second);
}

const region = (blocks: readonly RegionBlock[], returns: number[][] = []): Region =>
  connect(
    PHYS,
    HF_CS64,
    blocks,
    blocks.map((_, index) => returns[index] ?? []),
  );
const ends = ({ nodes }: Region): unknown[] => nodes.map(({ end }) => end);
const countLinks = ({ nodes }: Region): number =>
  nodes.filter(({ end }) => end.kind === "leave" && end.how === "chain").length;

test("a block without branches is one node, which pays for its instructions", () => {
  const { nodes } = region([block(0, () => goto(0x20), 3)]);
  assert.is(nodes.length, 1);
  const [{ from, to, account, starts, end }] = nodes;
  assert.equal([from, to, account, starts], [0, 1, 3, true]);
  assert.equal(end, { kind: "leave", how: "chain", rip: 0x20 });
});

test("where an exit leads", () => {
  const rip = (emit: () => void): unknown => exitsOf(block(0x100, emit).ir, 0x100).map(({ to }) => to)[0];
  assert.is(
    rip(() => goto(0x20)),
    0x120,
  );
  assert.is(
    rip(() => goto(0)),
    0x100,
    "to its own start",
  );
  assert.is(
    rip(() => {
      ir.mov(ENV.rip, RAX);
      ir.exitLookup();
    }),
    "computed",
  );
  assert.is(
    rip(() => ir.exitMain()),
    "helper",
  );
});

test("a block is cut at branches and labels", () => {
  const made = region([
    block(0, () => {
      const skip = ir.label();
      ir.brIf(OP.br_eq64, RAX, ir.const(0), skip);
      ir.mov(RAX, ir.const(1));
      ir.bind(skip);
      ir.mov(RAX, ir.const(2));
      goto(4);
    }),
  ]);
  assert.equal(ends(made), [
    { kind: "branch", op: 0, taken: 2, next: 1 },
    { kind: "jump", to: 2 },
    { kind: "leave", how: "chain", rip: 4 },
  ]);
  assert.equal(
    made.nodes.map(({ from, to, account, starts }) => [from, to, account, starts]),
    [
      [0, 0, 0, true],
      [1, 2, 0, false],
      [3, 5, 1, false],
    ],
  );
});

test("exits to blocks of the region become jumps", () => {
  const made = region([block(0, () => fork(0, 0x40)), block(0x40, () => goto(-0x40))]);
  assert.equal(ends(made), [
    { kind: "branch", op: 0, taken: 2, next: 1 },
    { kind: "jump", to: 0 },
    { kind: "jump", to: 3 },
    { kind: "jump", to: 0 },
  ]);
  assert.is(countLinks(made), 0);
});

test("on the way to another page that page is looked at", () => {
  const made = region([block(0, () => goto(0x1000)), block(0x1000, () => goto(0x1000))]);
  const [first] = made.nodes;
  assert.is(first.end.kind, "jump");
  const look = made.nodes[successors(first.end)[0]];
  assert.is(look.from, look.to, "without ops of its own");
  assert.is(look.end.kind, "page");
  if (look.end.kind !== "page") return;
  assert.equal([look.end.delta, look.end.phys, look.end.hit], [0x1000, PHYS + 0x1000, 1]);
  assert.equal(made.nodes[look.end.miss].end, { kind: "leave", how: "chain", rip: 0x1000 });
  assert.is(countLinks(made), 2);
});

test("a computed address is compared with where it is likely to lead", () => {
  const computed = (): void => {
    ir.mov(ENV.rip, RAX);
    ir.exitLookup();
  };
  const made = region(
    [block(0, computed), block(0x20, () => goto(4)), block(0x40, () => goto(4))],
    [[0x20, 0x40, 0x60]],
  );
  const kinds: unknown[] = [];
  let end = made.nodes[0].end;
  while (end.kind === "match") {
    kinds.push([end.delta, made.nodes[end.hit].block]);
    end = made.nodes[end.miss].end;
  }
  assert.equal(kinds, [
    [0x40, 2],
    [0x20, 1],
  ]);
  assert.equal(end, { kind: "leave", how: "lookup", rip: "computed" });
});

test("an edge into a loop beside its header becomes an exit", () => {
  const made = region([
    block(0, () => fork(0x10, 0x20)),
    block(0x10, () => goto(0x10)),
    block(0x20, () => fork(-0x10, 4)),
  ]);
  makeReducible(made);
  const leaves = ends(made).filter((end) => (end as { how?: string }).how === "lookup");
  assert.is(leaves.length, 1);
  assert.ok(isReducible(made));
});

test("random regions become reducible, and lose no block that the entry reaches by itself", () => {
  for (let seed = 1; seed <= 300; seed++) {
    const random = randomFrom(seed * 104729);
    const deltas = Array.from({ length: 2 + random(8) }, (_, n) => n * 0x40 + random(2) * 0x1000 * (n > 0 ? 1 : 0));
    const made = region(
      deltas.map((delta) => {
        const by = (): number => deltas[random(deltas.length)] - delta;
        return block(delta, () => {
          if (random(4) === 0) {
            ir.mov(ENV.rip, RAX);
            ir.exitLookup();
          } else fork(by(), by());
        });
      }),
      deltas.map(() => [deltas[random(deltas.length)]]),
    );
    const before = ends(made).length;
    makeReducible(made);
    assert.ok(isReducible(made), `seed ${seed}`);
    assert.ok(made.nodes.length >= before);
    for (const { end } of made.nodes) for (const to of successors(end)) assert.ok(to < made.nodes.length);
  }
});

function isReducible({ nodes }: Region): boolean {
  const graph = analyse(nodes.map(({ end }) => successors(end)));
  return graph.order.every((node) =>
    successors(nodes[node].end).every((to) => graph.number[to] > graph.number[node] || dominates(graph, to, node)),
  );
}

test.run();
