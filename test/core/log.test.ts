import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Log, logHelp, openLog, parseLogItems } from "../../core/log.ts";

test("items are read, unknown ones refused with near matches", () => {
  assert.equal(parseLogItems("int,cpu_reset"), ["int", "cpu_reset"]);
  assert.ok(parseLogItems("all").includes("stats"));
  assert.throws(() => parseLogItems("int,foo"), /Invalid log item 'foo'/);
  assert.match(logHelp(), /^int +show interrupts/m);
});

test("only what was asked for is written", () => {
  const directory = mkdtempSync(join(tmpdir(), "qemu-next-log-"));
  const file = join(directory, "log");
  const log = new Log(openLog(["int"], file));
  assert.is(log.has("int"), true);
  log.line("int", "vector 14");
  log.line("unimp", "not this");
  log.close();
  assert.is(readFileSync(file, "utf8"), "vector 14\n");
  rmSync(directory, { recursive: true });
});

test("a log that cannot be written does not stop anybody", () => {
  const log = new Log(openLog(["int"], "/dev/full"));
  log.line("int", "lost");
  log.close();
  assert.throws(() => openLog([], "/no/such/folder/log"), /Could not open/);
});

test.run();
