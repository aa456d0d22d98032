import { test } from "uvu";
import * as assert from "uvu/assert";
import { KEYS, keyIndex, translate } from "../../../../plugins/devices/i8042/keys.ts";

test("set 1 is the translation of set 2, prefix and all", () => {
  for (const { name, set1, set2 } of KEYS) {
    if (set2 !== 0) assert.is((set2 & 0xff00) | translate(set2 & 0xff), set1, name);
  }
});

test("no two keys share a code, but Print Screen and SysRq are one key in set 3", () => {
  for (const set of ["set1", "set2", "set3"] as const) {
    const seen = new Map<number, string>();
    for (const key of KEYS) {
      const other = seen.get(key[set]);
      if (key[set] !== 0 && !(set === "set3" && key.name === "print")) {
        assert.is(other, undefined, `${set} of ${key.name}`);
      }
      seen.set(key[set], key.name);
    }
  }
});

test("all keys of the 104-key keyboard are there", () => {
  const letters = [..."abcdefghijklmnopqrstuvwxyz0123456789"];
  const others =
    "esc f1 f2 f3 f4 f5 f6 f7 f8 f9 f10 f11 f12 print scroll_lock pause grave_accent minus equal backspace insert home " +
    "pgup num_lock kp_divide kp_multiply kp_subtract tab bracket_left bracket_right backslash delete end pgdn kp_7 kp_8 " +
    "kp_9 kp_add caps_lock semicolon apostrophe ret kp_4 kp_5 kp_6 shift comma dot slash shift_r up kp_1 kp_2 kp_3 " +
    "kp_enter ctrl meta_l alt spc alt_r meta_r menu ctrl_r left down right kp_0 kp_decimal";
  const wanted = [...letters, ...others.split(" ")];
  assert.is(wanted.length, 104);
  for (const name of wanted) assert.ok(keyIndex(name) !== undefined, name);
  assert.is(keyIndex("no such key"), undefined);
  assert.is(keyIndex("asterisk"), keyIndex("kp_multiply"));
  assert.is(keyIndex("altgr"), keyIndex("alt_r"));
});

test("every translated code is below 0x80 except what passes unchanged", () => {
  for (let code = 1; code < 0x80; code++) assert.ok(translate(code) < 0x80);
  assert.equal([0xaa, 0xe0, 0xe1, 0xee, 0xfa, 0xfe].map(translate), [0xaa, 0xe0, 0xe1, 0xee, 0xfa, 0xfe]);
});

test.run();
