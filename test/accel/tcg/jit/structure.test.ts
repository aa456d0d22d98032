import { test } from "uvu";
import * as assert from "uvu/assert";
import { analyse } from "../../../../accel/tcg/jit/graph.ts";
import { Structure, type StructureWriter } from "../../../../accel/tcg/jit/structure.ts";
import { randomFrom } from "../ir/random-program.ts";

/** Nodes lead to none, one or two others. */
type Successors = readonly (readonly number[])[];

/** Writes text; node n is `n`, and a node that leads nowhere is `n.`. */
function structured(successors: Successors): string {
  let text = "";
  const structure: Structure = new Structure(analyse(successors), {
    loop: (header) => void (text += `L${header}(`),
    block: (target) => void (text += `B${target}(`),
    if: () => void (text += "if("),
    end: () => void (text += ")"),
    branch: (to, back) => void (text += `${back ? "continue" : "break"}${to} `),
    branchIf: (to, back) => void (text += `${back ? "continue" : "break"}If${to} `),
    node(n) {
      const [taken, next] = successors[n];
      text += taken === undefined ? `${n}.` : `${n} `;
      if (next !== undefined) structure.either(n, taken, next);
      else if (taken !== undefined) structure.goto(n, taken);
    },
  } satisfies StructureWriter);
  structure.write();
  return text;
}

test("a straight line needs no construct", () => {
  assert.is(structured([[1], [2], []]), "0 1 2.");
});

test("a branch whose ways do not meet is an if", () => {
  assert.is(structured([[1, 2], [], []]), "0 if(1.)2.");
});

test("ways that meet: behind a block", () => {
  assert.is(structured([[1, 2], [3], [3], []]), "B3(0 if(1 break3 )2 break3 )3.");
  assert.is(structured([[2, 1], [2], []]), "B2(0 breakIf2 1 break2 )2.");
});

test("a loop", () => {
  assert.is(structured([[1], [2, 3], [1], []]), "0 L1(1 if(2 continue1 )3.)");
  assert.is(structured([[0, 1], []]), "L0(0 continueIf0 1.)");
});

test("a loop header where ways meet, and a loop in a loop", () => {
  assert.is(structured([[1, 2], [2], [2, 3], []]), "B2(0 if(1 break2 )break2 )L2(2 continueIf2 3.)");
  assert.is(structured([[1], [2], [2, 3], [1, 4], []]), "0 L1(1 L2(2 continueIf2 3 continueIf1 4.))");
});

/** Runs the text as an interpreter of its constructs would, with `choose` for the conditions. */
function walk(successors: Successors, choose: () => boolean, steps: number): number[] {
  class Jump {
    readonly to: number;
    readonly back: boolean;
    constructor(to: number, back: boolean) {
      this.to = to;
      this.back = back;
    }
  }
  type Step = (path: number[]) => Jump | "end" | undefined;
  const stack: { steps: Step[]; kind: "loop" | "block" | "if" | "all"; node: number }[] = [];
  const open = (kind: "loop" | "block" | "if" | "all", node: number): void =>
    void stack.push({ steps: [], kind, node });
  const add = (step: Step): void => void stack.at(-1)!.steps.push(step);
  const close = (): Step => {
    const { steps: inner, kind, node } = stack.pop()!;
    const once: Step = (path) => {
      for (const step of inner) {
        const jump = step(path);
        if (jump) return jump;
      }
      return undefined;
    };
    return (path) => {
      if (kind === "if" && !choose()) return undefined;
      for (;;) {
        const jump = once(path);
        if (jump instanceof Jump && jump.to === node && jump.back === (kind === "loop") && kind !== "if") {
          if (kind === "loop") continue;
          return undefined;
        }
        if (kind === "loop") assert.ok(jump, "nothing falls out of a loop");
        return jump;
      }
    };
  };
  const structure: Structure = new Structure(analyse(successors), {
    loop: (header) => open("loop", header),
    block: (target) => open("block", target),
    if: () => open("if", -1),
    end: () => add(close()),
    branch: (to, back) => add(() => new Jump(to, back)),
    branchIf: (to, back) => add(() => (choose() ? new Jump(to, back) : undefined)),
    node(n) {
      add((path) => (path.push(n) >= steps ? "end" : undefined));
      const [taken, next] = successors[n];
      if (next !== undefined) structure.either(n, taken, next);
      else if (taken !== undefined) structure.goto(n, taken);
      else add(() => "end");
    },
  } satisfies StructureWriter);
  open("all", -1);
  structure.write();
  const path: number[] = [];
  assert.is(close()(path), "end");
  return path;
}

test("random reducible graphs are walked as their edges say", () => {
  for (let seed = 1; seed <= 400; seed++) {
    const random = randomFrom(seed * 7919);
    const count = 2 + random(14);
    // Forward edges at random; a way back only to what dominates.
    const successors: number[][] = Array.from({ length: count }, (_, n) =>
      n + 1 < count ? [n + 1 + random(count - n - 1), n + 1 + random(count - n - 1)].slice(0, 1 + random(2)) : [],
    );
    const { dominator, order } = analyse(successors);
    for (const node of order) {
      if (successors[node].length !== 1 || random(3) !== 0) continue;
      let to = node;
      while (random(2) && to !== 0) to = dominator[to];
      successors[node].push(to);
    }
    const choices = randomFrom(seed);
    const expected = [0];
    const steps = 60;
    while (expected.length < steps) {
      const [taken, next] = successors[expected.at(-1)!];
      if (taken === undefined) break;
      expected.push(next === undefined || choices(2) === 1 ? taken : next);
    }
    const again = randomFrom(seed);
    assert.equal(
      walk(successors, () => again(2) === 1, steps),
      expected,
      `seed ${seed}`,
    );
  }
});

test.run();
