/**
 * Order and dominators of a control-flow graph. Cooper, Harvey and Kennedy, "A Simple, Fast Dominance Algorithm" (2001).
 */

export interface Graph {
  /** Reachable nodes in reverse postorder; the entry, node 0, comes first. */
  readonly order: readonly number[];
  /** Place in `order`, -1 for what is unreachable. */
  readonly number: Int32Array;
  /** Immediate dominators by node; the entry's is itself. */
  readonly dominator: Int32Array;
  readonly predecessors: readonly number[][];
}

/** `successors[n]` lists where node n leads. */
export function analyse(successors: readonly (readonly number[])[]): Graph {
  const order = reversePostorder(successors);
  const number = new Int32Array(successors.length).fill(-1);
  order.forEach((node, index) => {
    number[node] = index;
  });
  const predecessors: number[][] = successors.map(() => []);
  for (const node of order) for (const to of successors[node]) predecessors[to].push(node);
  const dominator = new Int32Array(successors.length).fill(-1);
  dominator[0] = 0;
  const meet = (a: number, b: number): number => {
    while (a !== b) {
      while (number[a] > number[b]) a = dominator[a];
      while (number[b] > number[a]) b = dominator[b];
    }
    return a;
  };
  for (let changed = true; changed; ) {
    changed = false;
    for (const node of order) {
      if (node === 0) continue;
      let best = -1;
      for (const from of predecessors[node]) {
        if (dominator[from] >= 0) best = best < 0 ? from : meet(best, from);
      }
      if (dominator[node] !== best) {
        dominator[node] = best;
        changed = true;
      }
    }
  }
  return { order, number, dominator, predecessors };
}

/** Whether every path to `node` goes through `by`. */
export function dominates(graph: Graph, by: number, node: number): boolean {
  const { number, dominator } = graph;
  while (number[node] > number[by]) node = dominator[node];
  return node === by;
}

function reversePostorder(successors: readonly (readonly number[])[]): number[] {
  const seen = new Uint8Array(successors.length);
  const next = new Int32Array(successors.length);
  const order: number[] = [];
  const stack = [0];
  seen[0] = 1;
  while (stack.length > 0) {
    const node = stack[stack.length - 1];
    if (next[node] < successors[node].length) {
      const to = successors[node][next[node]++];
      if (seen[to] === 0) {
        seen[to] = 1;
        stack.push(to);
      }
    } else {
      order.push(node);
      stack.pop();
    }
  }
  return order.reverse();
}
