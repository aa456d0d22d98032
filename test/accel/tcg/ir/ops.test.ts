/** OP is a record by name: that the names in the sources exist is checked here. */

import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { OP, OP_ROWS, wideOf } from "../../../../accel/tcg/ir/ops.ts";

const TCG = join(import.meta.dirname, "../../../../accel/tcg");

test("sources name ops that exist", () => {
  let named = 0;
  for (const file of globSync("{engine,interp,ir,jit,js,translate,wasm}/*.ts", { cwd: TCG })) {
    const text = readFileSync(join(TCG, file), "utf8");
    const unpacked = [...text.matchAll(/\{([^}]*)\} = OP;/g)].flatMap(([, names]) => names.split(","));
    const names = [
      ...[...text.matchAll(/\bOP\.(\w+)/g)].map(([, name]) => name),
      ...unpacked.map((entry) => entry.split(":")[0].trim()),
    ];
    for (const name of names) {
      assert.ok(name in OP, `${file}: OP.${name}`);
      named++;
    }
  }
  assert.ok(named > 300);
});

test("64-bit ops by their 32-bit ones", () => {
  for (const name of ["add", "set_ltu", "br_tsteq", "sel_ne", "lea"]) {
    assert.is(OP_ROWS[wideOf(OP[`${name}32`])].name, `${name}64`);
  }
});

test.run();
