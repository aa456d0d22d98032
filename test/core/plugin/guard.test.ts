import { test } from "uvu";
import * as assert from "uvu/assert";
import type { BlockFormat } from "../../../core/block/driver.ts";
import type { BlockNode } from "../../../core/block/node.ts";
import { QemuError } from "../../../core/errors.ts";
import { guard } from "../../../core/plugin/guard.ts";
import { failure } from "./packages.ts";

const file = {} as BlockNode;

test("a frozen object, and a class with private members, work as before", async () => {
  const plain: BlockFormat = Object.freeze({ name: "plain", open: async () => file });
  assert.is(await guard("p", "blockDriver", "plain", plain).open(file, { readOnly: true }), file);
  class Format implements BlockFormat {
    #name = "classy";
    get name(): string {
      return this.#name;
    }
    async open(): Promise<BlockNode> {
      this.#name = "opened";
      return file;
    }
  }
  const classy = guard("p", "blockDriver", "classy", new Format());
  assert.is(classy.name, "classy");
  await classy.open();
  assert.is(classy.name, "opened");
});

test("errors name the plugin, but those that are for the user pass", async () => {
  const open = (error: unknown): BlockFormat => ({
    name: "x",
    open: async () => {
      throw error;
    },
  });
  const opened = (error: unknown): Promise<QemuError> =>
    failure(() => guard("p", "blockDriver", "x", open(error)).open(file, { readOnly: true }));
  assert.is((await opened(new TypeError("no luck"))).message, "plugin 'p', blockDriver 'x': open() failed: no luck");
  assert.is((await opened(new QemuError("x", "bad image"))).message, "bad image");
});

test("what is missing is named", async () => {
  const guarded = (thing: unknown): Promise<QemuError> =>
    failure(() => guard("p", "blockDriver", "x", thing as BlockFormat));
  assert.match((await guarded({ name: "x" })).message, /'open' is missing or not a function$/);
  assert.match((await guarded({ name: 5, open() {} })).message, /'name' is missing or not a string$/);
  assert.match((await guarded(5)).message, /is not an object$/);
});

test.run();
