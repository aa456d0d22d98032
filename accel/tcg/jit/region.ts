/**
 * A region: translation blocks around a hot entry that are compiled into one function, as a control-flow graph of
 * straight-line pieces of IR.
 *
 * Every block of a region stands at a fixed distance (`delta`) from the entry, as instruction addresses count, so that
 * the address of the entry is all that differs between two virtual mappings of the same code.
 */

import { ENV } from "../env.ts";
import type { IrCode } from "../ir/builder.ts";
import { NONE } from "../ir/builder.ts";
import { OP, OP_ROWS } from "../ir/ops.ts";
import { analyse, dominates } from "./graph.ts";

/** One translation block of a region. */
export interface RegionBlock {
  /** Shared-memory address of the first guest byte, and how many bytes. */
  readonly phys: number;
  readonly length: number;
  readonly insns: number;
  /** Address of its first instruction minus that of the region's entry. */
  readonly delta: number;
  readonly ir: IrCode;
}

/** How a straight-line piece ends. `account` is the number of guest instructions to take off the budget first. */
export type Terminator =
  | { readonly kind: "jump"; readonly to: number }
  /** The conditional branch `op` of the block's IR. */
  | { readonly kind: "branch"; readonly op: number; readonly taken: number; readonly next: number }
  /** The address to go on at is known only at run time: is it the one of the block at `delta`? */
  | { readonly kind: "match"; readonly delta: number; readonly hit: number; readonly miss: number }
  /** The block at `delta` lies in another page: is that page still mapped where it was? */
  | {
      readonly kind: "page";
      readonly delta: number;
      readonly phys: number;
      readonly hit: number;
      readonly miss: number;
    }
  /** Leaves the region. */
  | { readonly kind: "leave"; readonly how: "chain" | "lookup" | "main"; readonly rip: Destination };

export interface Node {
  /** Index in `Region.blocks`. */
  readonly block: number;
  /** Ops [from, to) of the block's IR. */
  readonly from: number;
  readonly to: number;
  /** Guest instructions to take off the budget after the ops. */
  readonly account: number;
  /** This is the first piece of its block. */
  readonly starts: boolean;
  end: Terminator;
}

export interface Region {
  readonly phys: number;
  readonly hflags: number;
  readonly blocks: readonly RegionBlock[];
  /** nodes[0] is the entry. */
  readonly nodes: Node[];
}

/**
 * Where the guest goes on at an exit: a distance from the region's entry; or the IR has computed the address
 * ("computed"); or it is in env.rip ("helper"), put there
 * by a helper or still the start of the block.
 */
export type Destination = number | "computed" | "helper";

export interface BlockExit {
  /** Index of the exit op. */
  readonly op: number;
  readonly how: "chain" | "lookup" | "main";
  readonly to: Destination;
}

const PAGE_SIZE = 4096;
const HOW = new Map<number, BlockExit["how"]>([
  [OP.exit_chain, "chain"],
  [OP.exit_lookup, "lookup"],
  [OP.exit_main, "main"],
]);
const KIND = OP_ROWS.map(({ kind }) => kind);

/** Whether op `i` adds a constant to the address of the block's start. */
export function movesRip(ir: IrCode, i: number): boolean {
  const op = ir.op[i];
  return (op === OP.lea64 || op === OP.lea32) && ir.d[i] === ENV.rip && ir.a[i] === ENV.rip && ir.b[i] === NONE;
}

/** Where the exit op `at` of a block at `delta` leads. */
export function destination(ir: IrCode, at: number, delta: number): Destination {
  for (let i = at - 1; i >= 0; i--) {
    const kind = KIND[ir.op[i]];
    if (kind === "label" || kind === "branch" || kind === "condBranch" || kind === "exit") break;
    if (ir.d[i] === ENV.rip) return movesRip(ir, i) ? delta + ir.e[i] : "computed";
  }
  // A direct jump to the block's own start leaves rip as it is.
  return ir.op[at] === OP.exit_chain ? delta : "helper";
}

/** The ways out of a block that starts at `delta`. */
export function exitsOf(ir: IrCode, delta: number): BlockExit[] {
  const exits: BlockExit[] = [];
  for (let i = 0; i < ir.count; i++) {
    const how = HOW.get(ir.op[i]);
    if (how) exits.push({ op: i, how, to: destination(ir, i, delta) });
  }
  return exits;
}

/**
 * Cuts the blocks into straight-line pieces and connects them. `returnsTo[n]` lists where the return at the end of block
 * n is likely to lead.
 */
export function connect(
  phys: number,
  hflags: number,
  blocks: readonly RegionBlock[],
  returnsTo: readonly (readonly number[])[],
): Region {
  const nodes: Node[] = [];
  const starts = cut(blocks, nodes);
  const byDelta = new Map(blocks.map((block, index) => [block.delta, index]));
  const synthetic = (block: number, end: Terminator): number => {
    const at = nodes[starts[block]].to;
    return nodes.push({ block, from: at, to: at, account: 0, starts: false, end }) - 1;
  };
  /** A node that goes to the block at `delta`, after a look at its page if that is another than the source's. */
  const arrive = (from: number, target: number, leave: Terminator): number => {
    const { phys: at, delta } = blocks[target];
    const source = blocks[from];
    if (at - (at % PAGE_SIZE) === source.phys - (source.phys % PAGE_SIZE)) return starts[target];
    return synthetic(from, { kind: "page", delta, phys: at, hit: starts[target], miss: synthetic(from, leave) });
  };
  const pieces = nodes.length;
  for (let n = 0; n < pieces; n++) {
    const node = nodes[n];
    const { end } = node;
    if (end.kind !== "leave" || end.how === "main") continue;
    if (end.rip === "helper") continue;
    if (end.rip !== "computed") {
      const target = byDelta.get(end.rip);
      if (target !== undefined) node.end = { kind: "jump", to: arrive(node.block, target, end) };
      continue;
    }
    let next: Terminator = end;
    for (const delta of returnsTo[node.block]) {
      const target = byDelta.get(delta);
      if (target === undefined) continue;
      const hit = arrive(node.block, target, { kind: "leave", how: "lookup", rip: delta });
      next = { kind: "match", delta, hit, miss: synthetic(node.block, next) };
    }
    node.end = next;
  }
  return { phys, hflags, blocks, nodes };
}

/** Cuts every block at labels and branches; returns the first node of each. Exits become `leave`. */
function cut(blocks: readonly RegionBlock[], nodes: Node[]): number[] {
  const starts: number[] = [];
  blocks.forEach(({ ir, insns, delta }, block) => {
    const first = nodes.length;
    starts.push(first);
    const labelNode = new Map<number, number>();
    const exits = new Map(exitsOf(ir, delta).map((exit) => [exit.op, exit]));
    let from = 0;
    const pending: { node: number; op: number; next: number }[] = [];
    const close = (to: number, account: number, end: Terminator): number => {
      nodes.push({ block, from, to, account, starts: nodes.length === first, end });
      return nodes.length - 1;
    };
    for (let i = 0; i < ir.count; i++) {
      const kind = KIND[ir.op[i]];
      if (kind === "label") {
        // What stands before a label falls into it.
        if (i > from || nodes.length === first) close(i, 0, { kind: "jump", to: nodes.length + 1 });
        labelNode.set(ir.c[i], nodes.length);
        from = i + 1;
      } else if (kind === "branch" || kind === "condBranch") {
        const node = close(i, 0, { kind: "jump", to: 0 });
        pending.push({ node, op: i, next: nodes.length });
        from = i + 1;
      } else if (kind === "exit") {
        const { how, to: rip } = exits.get(i)!;
        close(i, insns, { kind: "leave", how, rip });
        from = i + 1;
        // Whatever follows an exit begins with a label.
      }
    }
    for (const { node, op, next } of pending) {
      const taken = labelNode.get(ir.c[op])!;
      nodes[node].end =
        KIND[ir.op[op]] === "branch" ? { kind: "jump", to: taken } : { kind: "branch", op, taken, next };
    }
  });
  return starts;
}

/** The nodes that a terminator leads to. */
export function successors(end: Terminator): number[] {
  switch (end.kind) {
    case "jump":
      return [end.to];
    case "branch":
      return [end.taken, end.next];
    case "match":
    case "page":
      return [end.hit, end.miss];
    case "leave":
      return [];
  }
}

/** Turns edges into a loop other than through its header into exits; afterwards every loop has one entry. */
export function makeReducible(region: Region): void {
  for (;;) {
    const graph = analyse(region.nodes.map(({ end }) => successors(end)));
    let changed = false;
    for (const node of graph.order) {
      const { end } = region.nodes[node];
      for (const to of successors(end)) {
        if (graph.number[to] > graph.number[node] || dominates(graph, to, node)) continue;
        region.nodes[node].end = withoutEdge(region, end, to);
        changed = true;
        break;
      }
      if (changed) break;
    }
    if (!changed) return;
  }
}

function withoutEdge(region: Region, end: Terminator, to: number): Terminator {
  const { delta } = region.blocks[region.nodes[to].block];
  if (end.kind === "jump") return { kind: "leave", how: "lookup", rip: delta };
  if (end.kind === "match" || end.kind === "page") {
    const node = region.nodes[to];
    const leave: Terminator = { kind: "leave", how: "lookup", rip: delta };
    const hit =
      region.nodes.push({ ...node, from: node.from, to: node.from, account: 0, starts: false, end: leave }) - 1;
    return { ...end, hit };
  }
  throw new RangeError("a loop inside a block has two entries");
}
