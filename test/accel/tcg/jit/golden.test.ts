/**
 * The programs in test/golden and what becomes of them: NAME.asm is compiled as a region into NAME.ir, NAME.wat and
 * NAME.js. Set QEMU_NEXT_BLESS=1 to write those files from the present code; the change is then there to read.
 *
 * Comments at a program's head say what its execution has shown: "; taken FROM TO COUNT" of direct exits, "; noted FROM
 * TO..." of computed ones, and "; bits 32". The region begins at the first label.
 */

import { existsSync, globSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import wabt from "wabt";
import { OP_ROWS } from "../../../../accel/tcg/ir/ops.ts";
import { printIr, slotName } from "../../../../accel/tcg/ir/print.ts";
import type { RegionBackend } from "../../../../accel/tcg/jit/backend.ts";
import type { Region, Terminator } from "../../../../accel/tcg/jit/region.ts";
import { JsBackend } from "../../../../accel/tcg/js/backend.ts";
import { WasmBackend } from "../../../../accel/tcg/wasm/backend.ts";
import { SmallGuest } from "./small-guest.ts";

const BLESS = process.env["QEMU_NEXT_BLESS"] === "1";
/** Where the region's exits are. */
const CELLS = 0x300000;
const LOOKUP = 0x200000;
const LINE = 100;
const GOLDEN = join(import.meta.dirname, "../../../golden");

interface Compiled {
  readonly guest: SmallGuest;
  readonly region: Region;
}

async function compile(source: string): Promise<Compiled> {
  const guest = await SmallGuest.create(source, /^; bits 32$/m.test(source) ? 32 : 64);
  for (const [, from, to, count] of source.matchAll(/^; taken (\w+) (\w+) (\d+)$/gm)) {
    guest.taken(from, to, Number(count));
  }
  for (const [, from, targets] of source.matchAll(/^; noted (\w+) (.*)$/gm)) guest.noted(from, ...targets.split(" "));
  const [, entry] = /^(\w+):/m.exec(source)!;
  return { guest, region: guest.region(entry)! };
}

function irText({ guest, region }: Compiled): string {
  const names = [...guest.helpers.numbers.keys()];
  const lines = region.blocks.flatMap(({ delta, ir }, index) => [
    `block ${index} at ${delta}`,
    printIr(ir, (number) => names[number]),
  ]);
  const end = (terminator: Terminator, block: number): string => {
    switch (terminator.kind) {
      case "jump":
        return `node ${terminator.to}`;
      case "branch": {
        const name = OP_ROWS[region.blocks[block].ir.op[terminator.op]].name;
        return `${name} ? node ${terminator.taken} : node ${terminator.next}`;
      }
      case "match":
        return `rip at ${terminator.delta} ? node ${terminator.hit} : node ${terminator.miss}`;
      case "page":
        return `page of ${terminator.delta} ? node ${terminator.hit} : node ${terminator.miss}`;
      case "leave":
        return `leave by ${terminator.how} to ${terminator.rip}`;
    }
  };
  lines.push("");
  region.nodes.forEach((node, index) => {
    const what = `block ${node.block} ops ${node.from}..${node.to}${node.account ? ` pay ${node.account}` : ""}`;
    lines.push(`node ${index}: ${what}: ${end(node.end, node.block)}`);
  });
  return lines.join("\n") + "\n";
}

const { readWasm } = await wabt();

/** Has a back end compile the region; returns what it shows. */
function shown<T>(
  { region }: Compiled,
  create: (table: WebAssembly.Table, show: (text: T) => void) => RegionBackend,
): T {
  let result: T | undefined;
  const table = new WebAssembly.Table({ element: "anyfunc", initial: 1 });
  const backend = create(table, (text) => {
    result = text;
  });
  backend.compile([region]).install([{ place: 0, cells: CELLS }]);
  assert.ok(table.get(0));
  return result!;
}

function wasmText(compiled: Compiled): string {
  const { memory, helpers } = compiled.guest;
  const bytes = shown<Uint8Array>(
    compiled,
    (table, show) => new WasmBackend(memory.memory, helpers, table, LOOKUP, show),
  );
  // wabt takes the whole buffer of a view.
  const module = readWasm(bytes.slice(), { readDebugNames: false, threads: true, tail_call: true, simd: true });
  module.generateNames();
  module.applyNames();
  const text = module.toText({ foldExprs: true, inlineExport: false });
  module.destroy();
  // Addresses that are env plus a constant, by name.
  const named = text
    .replaceAll(" align=1", "")
    .replace(
      /(load|store)(\w*)(?: offset=(\d+))?(\s+\(local\.get \$p0\))/g,
      (_all, op, size, offset = 0, operand) => `${op}${size} offset=${slotName(Number(offset))}${operand}`,
    );
  return layOut(named);
}

/** Puts expressions that fit onto one line. */
function layOut(text: string): string {
  type Expression = string | Expression[];
  const stack: Expression[][] = [[]];
  for (const [token] of text.matchAll(/"[^"]*"|[()]|[^\s()]+/g)) {
    if (token === "(") stack.push([]);
    else if (token === ")") {
      const closed = stack.pop()!;
      stack.at(-1)!.push(closed);
    } else stack.at(-1)!.push(token);
  }
  const flat = (expression: Expression): string =>
    typeof expression === "string" ? expression : `(${expression.map(flat).join(" ")})`;
  const lines: string[] = [];
  const print = (expression: Expression, indent: string): void => {
    const line = indent + flat(expression);
    if (typeof expression === "string" || line.length <= LINE) {
      lines.push(line);
      return;
    }
    let head = 0;
    while (typeof expression[head] === "string") head++;
    lines.push(`${indent}(${expression.slice(0, head).join(" ")}`);
    for (const part of expression.slice(head)) print(part, `${indent}  `);
    lines[lines.length - 1] += ")";
  };
  for (const expression of stack[0]) print(expression, "");
  return lines.join("\n") + "\n";
}

function jsText(compiled: Compiled): string {
  const { memory, helpers, env } = compiled.guest;
  const source = shown<string>(
    compiled,
    (table, show) => new JsBackend(memory.memory, helpers, table, LOOKUP, { fixed: env }, show),
  );
  return source
    .replace(/I\[(\d+)\]/g, (_all, word) => `I[${slotName(word * 4 - env)}]`)
    .replace(/\b(v_\w+)\(([\d, ]+)\)/g, (_all, name, places) => {
      const slots = places.split(", ").map((place: string) => slotName(Number(place) - env));
      return `${name}(${slots.join(", ")})`;
    })
    .concat("\n");
}

for (const path of globSync(join(GOLDEN, "*.asm")).sort()) {
  const name = basename(path, ".asm");

  test(name, async () => {
    const compiled = await compile(readFileSync(path, "utf8"));
    for (const [extension, text] of Object.entries({
      ir: irText(compiled),
      wat: wasmText(compiled),
      js: jsText(compiled),
    })) {
      const file = path.replace(/asm$/, extension);
      if (BLESS) writeFileSync(file, text);
      assert.ok(existsSync(file), `${basename(file)} is missing: set QEMU_NEXT_BLESS=1`);
      assert.fixture(text, readFileSync(file, "utf8"), `${basename(file)}: QEMU_NEXT_BLESS=1 accepts the change`);
    }
  });
}

test.run();
