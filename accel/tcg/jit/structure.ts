/**
 * Structured control flow from a reducible graph, by the dominator tree: Ramsey, "Beyond Relooper" (2022). Every node is
 * written once. A loop header opens a loop, whose label leads back to it; a node with several forward predecessors stands
 * behind a block, whose label leads there, inside its immediate dominator.
 */

import type { Graph } from "./graph.ts";

/** What writes the code. Constructs nest; `end` closes the innermost one. */
export interface StructureWriter {
  /** Opens the loop that begins with `header`. */
  loop(header: number): void;
  /** Opens the block behind which `target` stands. */
  block(target: number): void;
  /** Opens what is done if the condition at hand holds. */
  if(): void;
  end(): void;
  /** Branches to a node whose construct is open: back to the start of its loop, or behind its block. */
  branch(to: number, back: boolean): void;
  /** The same if the condition at hand holds. */
  branchIf(to: number, back: boolean): void;
  /** Writes a node; it ends with calls of `goto` or `either`, or leaves the function. */
  node(n: number): void;
}

export class Structure {
  readonly #graph: Graph;
  readonly #writer: StructureWriter;
  readonly #isMerge: Uint8Array;
  readonly #isLoop: Uint8Array;
  /** The merge nodes that each node dominates immediately, in order. */
  readonly #merges = new Map<number, number[]>();

  constructor(graph: Graph, writer: StructureWriter) {
    this.#graph = graph;
    this.#writer = writer;
    const { order, predecessors, dominator } = graph;
    this.#isMerge = new Uint8Array(predecessors.length);
    this.#isLoop = new Uint8Array(predecessors.length);
    for (const node of order) {
      const forward = predecessors[node].filter((from) => !this.#isBack(from, node)).length;
      if (forward < predecessors[node].length) this.#isLoop[node] = 1;
      if (forward < 2) continue;
      this.#isMerge[node] = 1;
      const merges = this.#merges.get(dominator[node]);
      if (merges) merges.push(node);
      else this.#merges.set(dominator[node], [node]);
    }
  }

  isLoop(node: number): boolean {
    return this.#isLoop[node] === 1;
  }

  /** Writes everything, from the entry on. */
  write(): void {
    this.#tree(0);
  }

  /** Goes from one node to another. */
  goto(from: number, to: number): void {
    if (this.#hasLabel(from, to)) this.#writer.branch(to, this.#isBack(from, to));
    else this.#tree(to);
  }

  /** Goes to `taken` if the condition at hand holds, else to `next`. */
  either(from: number, taken: number, next: number): void {
    const writer = this.#writer;
    if (this.#hasLabel(from, taken)) writer.branchIf(taken, this.#isBack(from, taken));
    else {
      writer.if();
      this.#tree(taken);
      writer.end();
    }
    this.goto(from, next);
  }

  #isBack(from: number, to: number): boolean {
    return this.#graph.number[to] <= this.#graph.number[from];
  }

  #hasLabel(from: number, to: number): boolean {
    return this.#isBack(from, to) || this.#isMerge[to] === 1;
  }

  #tree(node: number): void {
    const loop = this.isLoop(node);
    if (loop) this.#writer.loop(node);
    this.#within(node, this.#merges.get(node)?.length ?? 0);
    if (loop) this.#writer.end();
  }

  /** Writes `node` inside the blocks of the first `count` merge nodes below it. */
  #within(node: number, count: number): void {
    if (count === 0) {
      this.#writer.node(node);
      return;
    }
    const last = this.#merges.get(node)![count - 1];
    this.#writer.block(last);
    this.#within(node, count - 1);
    this.#writer.end();
    this.#tree(last);
  }
}
