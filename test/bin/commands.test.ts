import { test } from "uvu";
import * as assert from "uvu/assert";
import { COMMANDS, type Command, findCommand } from "../../bin/commands.ts";

const command = (name: string, ...alsoCalled: string[]): Command => ({
  name,
  description: "",
  alsoCalled,
  load: async () => ({ run: async () => 0 }),
});
const commands = [command("bundle"), command("img", "qemu-next-img")];

const found = (calledAs: string, ...args: string[]) => {
  const result = findCommand(calledAs, args, commands);
  return result && [result.command.name, ...result.args];
};

test("a command is the first word", () => {
  assert.equal(found("/usr/bin/qemu-next", "bundle", "-o", "vm"), ["bundle", "-o", "vm"]);
  assert.is(found("/usr/bin/qemu-next", "-m", "512", "bundle"), undefined);
  assert.is(found("/usr/bin/qemu-next", "./bundle"), undefined);
  assert.is(found("/usr/bin/qemu-next"), undefined);
});

test("a command is the name the program is called by", () => {
  assert.equal(found("/usr/bin/qemu-next-img", "bundle"), ["img", "bundle"]);
  assert.equal(found("qemu-next-img.cjs"), ["img"]);
});

test("no command hides an option, and names are unique", () => {
  const names = COMMANDS.flatMap(({ name, alsoCalled }) => [name, ...alsoCalled]);
  assert.is(new Set(names).size, names.length);
  for (const name of names) assert.not.ok(name.startsWith("-"), name);
});

test.run();
