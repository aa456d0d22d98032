import { test } from "uvu";
import * as assert from "uvu/assert";
import { type Arguments, type Parser, runYargs } from "../../../bin/commands/yargs.ts";
import { QemuError } from "../../../core/errors.ts";

const NOTHING = async (): Promise<void> => {};

async function run(args: readonly string[], handler: (values: Arguments) => void | Promise<void> = NOTHING) {
  const describe = (parser: Parser): Parser =>
    parser
      .command("add <name>", "adds", (add) => add.option("count", { type: "string" }), handler)
      .demandCommand(1, "what?");
  await runYargs({ name: "qemu-next thing", version: "1.2.3", args }, describe);
}

async function failure(...args: Parameters<typeof run>): Promise<QemuError> {
  try {
    await run(...args);
  } catch (error) {
    assert.instance(error, QemuError);
    return error as QemuError;
  }
  throw new Error("did not fail");
}

test("words reach the handler as the user wrote them", async () => {
  let values: Arguments | undefined;
  await run(["add", "012", "--count", "1.0"], (given) => void (values = given));
  assert.is(values?.name, "012");
  assert.is(values?.count, "1.0");
});

test("mistakes are errors with a hint", async () => {
  assert.is((await failure(["add"])).message, "Not enough non-option arguments: got 0, need at least 1");
  assert.is((await failure(["add", "x", "--cuont", "1"])).message, "Unknown argument: cuont");
  assert.is((await failure([])).message, "what?");
  assert.is((await failure(["ad", "x"])).message, "Did you mean add?");
  assert.is((await failure(["add"])).hint, "see 'qemu-next thing --help'");
});

test("what a handler throws is thrown on", async () => {
  const error = await failure(["add", "x"], async () => {
    throw new QemuError("no-luck", "no luck");
  });
  assert.is(error.code, "no-luck");
});

test.run();
