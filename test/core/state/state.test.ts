import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  array,
  bool,
  clearState,
  defineState,
  f64,
  group,
  i32,
  loadState,
  type SavedFields,
  type SavedState,
  StateArena,
  saveState,
  u8,
  u16,
  u32,
  u64,
} from "../../../core/state/state.ts";

const FIELDS = {
  a: u8,
  b: u16,
  on: bool,
  signed: i32,
  wide: u32,
  big: u64,
  time: f64,
  fifo: array(u8, 4),
  channel: group(2, { count: u16, armed: bool }),
};
const DEVICE = defineState("device", 2, FIELDS, {
  unsaved: { cache: u32 },
  upgrade: (_from, { old, ...saved }: SavedFields) => ({ ...saved, a: old }),
});

function filled(arena: StateArena, name: string) {
  const s = arena.attach(name, DEVICE);
  s.a = 0x1ff;
  s.b = 0x1_2345;
  s.on = true;
  s.signed = -5;
  s.wide = 2 ** 32 - 1;
  s.big = 0xffff_ffff_ffff_ffffn;
  s.time = 2 ** 52 + 1;
  s.fifo.set([1, 2, 3, 4]);
  s.channel[1].count = 77;
  s.channel[1].armed = true;
  s.cache = 9;
  return s;
}

test("fields hold their type's values and nothing more", () => {
  const s = filled(StateArena.create(), "one");
  assert.equal(
    [s.a, s.b, s.on, s.signed, s.wide, s.big, s.time],
    [0xff, 0x2345, true, -5, 2 ** 32 - 1, 0xffff_ffff_ffff_ffffn, 2 ** 52 + 1],
  );
  assert.equal([...s.fifo], [1, 2, 3, 4]);
  assert.equal([s.channel[0].count, s.channel[0].armed], [0, false]);
  assert.equal([s.channel[1].count, s.channel[1].armed], [77, true]);
});

test("two instances, and a second thread's view of the same arena", () => {
  const buffer = new SharedArrayBuffer(4096);
  const here = new StateArena(buffer);
  const one = filled(here, "one");
  const two = here.attach("two", DEVICE);
  assert.is(two.a, 0);
  const there = new StateArena(buffer);
  const same = there.attach("one", DEVICE);
  there.attach("two", DEVICE);
  assert.is(there.fingerprint(), here.fingerprint());
  same.b = 5;
  assert.is(one.b, 5);
});

test("save, clear, load; what is unsaved comes back as zero", () => {
  const arena = StateArena.create();
  const s = filled(arena, "one");
  const saved = JSON.parse(JSON.stringify(arena.save()));
  clearState(DEVICE, s);
  assert.is(s.big, 0n);
  arena.load(saved);
  assert.equal(arena.save(), saved);
  assert.is(s.cache, 0);
});

test("an older version goes through upgrade, a newer one is refused", () => {
  const s = filled(StateArena.create(), "one");
  const { a: _a, ...rest } = saveState(DEVICE, s).fields;
  loadState(DEVICE, s, { name: "device", version: 1, fields: { ...rest, old: 0x42 } });
  assert.is(s.a, 0x42);
  assert.throws(() => loadState(DEVICE, s, { name: "device", version: 3, fields: rest }), /version 3/);
});

test("wrong names, counts and values are errors", () => {
  const arena = StateArena.create();
  const s = filled(arena, "one");
  const saved = saveState(DEVICE, s);
  const loading = (fields: SavedFields) => () => loadState(DEVICE, s, { ...saved, fields });
  assert.throws(() => loadState(DEVICE, s, { ...saved, name: "other" }), /not of 'device'/);
  assert.throws(loading({ ...saved.fields, fifo: [1] }), /want 4 elements/);
  assert.throws(loading({ ...saved.fields, a: "x" }), /bad value/);
  assert.throws(loading({ ...saved.fields, a: Number.POSITIVE_INFINITY }), /bad value/);
  assert.throws(loading({ ...saved.fields, big: "0xzz" }), /bad value/);
  assert.throws(loading({ ...saved.fields, channel: [null, null] } as unknown as SavedFields), /want fields/);
  assert.throws(loading(null as unknown as SavedFields), /device: want fields/);
  assert.throws(() => loadState(DEVICE, s, null as unknown as SavedState), /not of 'device'/);
  assert.throws(() => arena.load({}), /no state for 'one'/);
  assert.throws(() => arena.load({ one: saved, two: saved }), /lacks/);
  assert.throws(() => arena.attach("one", DEVICE), /two devices/);
  assert.throws(() => StateArena.create(16).attach("big", DEVICE), /no room/);
});

test.run();
