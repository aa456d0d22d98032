/**
 * A PS/2 keyboard: scan code sets 1, 2 and 3, typematic repeat, indicators.
 *
 * Specification: IBM PS/2 Hardware Interface Technical Reference, "Keyboards (101- and 102-key)".
 *
 * Invariants:
 *  1. `down` has one entry per key: a key that is down goes down no second time, whatever repeats the host sends.
 *  2. What does not fit the output buffer is dropped whole and leaves one overrun code.
 *
 * DEVIATION: the buffer takes 64 bytes instead of 16, for hosts type faster than hands; the self test takes no time; and
 * cursor keys come without the shift codes that keyboards wrap around them while Num Lock is on.
 */

import type { Clock, Timer } from "../../../core/clock.ts";
import type { Device } from "../../../core/device.ts";
import type { KeySink } from "../../../core/input/input.ts";
import { array, bool, defineState, f64, type State, type StateArena, u8 } from "../../../core/state/state.ts";
import { KEYS, type Key, keyIndex, MAKE_BREAK, MAKE_ONLY, TYPEMATIC } from "./keys.ts";
import { OUTPUT_FIELDS, type Ps2Device, Ps2Output } from "./ps2.ts";

/** Room for the keys of `KEYS` and those to come. */
const MAX_KEYS = 192;
const SET3_CODES = 0x90;

export const KEYBOARD_STATE = defineState("ps2kbd", 1, {
  ...OUTPUT_FIELDS,
  scanning: bool,
  set: u8,
  leds: u8,
  typematic: u8,
  /** A command that waits for its parameter, or 0. */
  command: u8,
  /** The last byte sent, for Resend. */
  last: u8,
  /** By set 3 make code: TYPEMATIC and MAKE_BREAK bits. */
  types: array(u8, SET3_CODES),
  down: array(u8, MAX_KEYS),
  /** Print Screen went down as the Alt (1) or the Shift/Ctrl (2) form. */
  printForm: u8,
  /** The key that repeats, plus one, and when (ns). */
  repeating: u8,
  repeatAt: f64,
});

const ACK = 0xfa;
const RESEND = 0xfe;
const BAT_OK = 0xaa;
const ECHO = 0xee;
const ID = [0xab, 0x83] as const;

const SET_LEDS = 0xed;
const SCAN_CODE_SET = 0xf0;
const READ_ID = 0xf2;
const SET_TYPEMATIC = 0xf3;
const ENABLE = 0xf4;
const DEFAULT_DISABLE = 0xf5;
const SET_DEFAULT = 0xf6;
const ALL_TYPEMATIC = 0xf7;
const ALL_MAKE_BREAK = 0xf8;
const ALL_MAKE = 0xf9;
const ALL_TYPEMATIC_MAKE_BREAK = 0xfa;
const KEY_TYPEMATIC = 0xfb;
const KEY_MAKE_BREAK = 0xfc;
const KEY_MAKE = 0xfd;
const RESET = 0xff;

/** 10.9 characters a second after half a second. */
const DEFAULT_TYPEMATIC = 0x2b;
const BREAK_PREFIX = 0xf0;

const PAUSE_SET1 = [0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5];
const PAUSE_SET2 = [0xe1, 0x14, 0x77, 0xe1, 0xf0, 0x14, 0xf0, 0x77];
const BREAK_SET1 = [0xe0, 0x46, 0xe0, 0xc6];
const BREAK_SET2 = [0xe0, 0x7e, 0xe0, 0xf0, 0x7e];

const FORM_ALT = 1;
const FORM_BARE = 2;

const key = (name: string): number => keyIndex(name)!;
const PAUSE = key("pause");
const PRINT = key("print");
const SYSRQ = KEYS[key("sysrq")];
const SHIFTS = [key("shift"), key("shift_r")];
const CTRLS = [key("ctrl"), key("ctrl_r")];
const ALTS = [key("alt"), key("alt_r")];
/** Keys that in sets 1 and 2 neither repeat nor tell their release. */
const MAKE_ONLY_KEYS = [PAUSE, key("lang1"), key("lang2")];

export interface KeyboardOptions {
  readonly name: string;
  readonly arena: StateArena;
  readonly clock: Clock;
  /** There is a byte to take. */
  readonly changed: () => void;
  /** Scroll Lock (bit 0), Num Lock (1) and Caps Lock (2) indicators. */
  readonly onLeds?: (leds: number) => void;
}

export class Ps2Keyboard implements Device, KeySink, Ps2Device {
  readonly #s: State<typeof KEYBOARD_STATE>;
  readonly #clock: Clock;
  readonly #timer: Timer;
  readonly #output: Ps2Output;
  readonly #onLeds: (leds: number) => void;

  constructor({ name, arena, clock, changed, onLeds = () => {} }: KeyboardOptions) {
    this.#s = arena.attach(name, KEYBOARD_STATE);
    this.#clock = clock;
    this.#output = new Ps2Output(this.#s, changed);
    this.#timer = clock.timer(`${name}.typematic`, () => this.#repeat());
    this.#onLeds = onLeds;
  }

  reset(): void {
    const s = this.#s;
    this.#output.clear();
    this.#defaults();
    s.scanning = true;
    s.command = 0;
    s.last = 0;
    s.down.fill(0);
    this.#setLeds(0);
  }

  loaded(): void {
    if (this.#s.repeating) this.#timer.arm(this.#s.repeatAt);
    else this.#timer.cancel();
    this.#onLeds(this.#s.leds);
  }

  get available(): boolean {
    return this.#output.available;
  }

  take(): number {
    return (this.#s.last = this.#output.take());
  }

  /** A key by its QKeyCode name; names that a PC keyboard has not are ignored. */
  key(code: string, down: boolean): void {
    const s = this.#s;
    const index = keyIndex(code);
    if (index === undefined || (s.down[index] !== 0) === down) return;
    s.down[index] = down ? 1 : 0;
    if (s.repeating) this.#stopRepeat(down ? undefined : index);
    if (!s.scanning) return;
    this.#put(down ? this.#make(index) : this.#break(index));
    const repeats = s.set === 3 ? s.types[KEYS[index].set3] & TYPEMATIC : !MAKE_ONLY_KEYS.includes(index);
    if (down && repeats) {
      s.repeating = index + 1;
      s.repeatAt = this.#clock.now() + this.#delay;
      this.#timer.arm(s.repeatAt);
    }
  }

  send(value: number): void {
    const s = this.#s;
    const { command } = s;
    if (command !== 0 && value < SET_LEDS) {
      this.#parameter(command, value);
      return;
    }
    s.command = 0;
    switch (value) {
      case SET_LEDS:
      case SCAN_CODE_SET:
      case SET_TYPEMATIC:
      case KEY_TYPEMATIC:
      case KEY_MAKE_BREAK:
      case KEY_MAKE:
        s.command = value;
        this.#output.reply(ACK);
        return;
      case ECHO:
        this.#output.reply(ECHO);
        return;
      case READ_ID:
        this.#output.reply(ACK, ...ID);
        return;
      case ENABLE:
        this.#output.clearEvents();
        s.scanning = true;
        this.#output.reply(ACK);
        return;
      case DEFAULT_DISABLE:
      case SET_DEFAULT:
        this.#output.clearEvents();
        this.#defaults();
        s.scanning = value === SET_DEFAULT && s.scanning;
        this.#output.reply(ACK);
        return;
      case ALL_TYPEMATIC:
      case ALL_MAKE_BREAK:
      case ALL_MAKE:
      case ALL_TYPEMATIC_MAKE_BREAK:
        s.types.fill(typeOf(value));
        this.#output.reply(ACK);
        return;
      case RESEND:
        this.#output.reply(s.last);
        return;
      case RESET:
        this.#output.clear();
        this.#defaults();
        s.scanning = true;
        this.#setLeds(0);
        this.#output.reply(ACK, BAT_OK);
        return;
      default:
        this.#output.reply(RESEND);
    }
  }

  #parameter(command: number, value: number): void {
    const s = this.#s;
    // The key type commands take codes until the next command.
    if (command < KEY_TYPEMATIC) s.command = 0;
    switch (command) {
      case SET_LEDS:
        this.#setLeds(value & 7);
        break;
      case SCAN_CODE_SET:
        if (value > 3) {
          this.#output.reply(RESEND);
          return;
        }
        if (value === 0) {
          this.#output.reply(ACK, s.set);
          return;
        }
        this.#output.clearEvents();
        s.set = value;
        break;
      case SET_TYPEMATIC:
        s.typematic = value & 0x7f;
        break;
      default:
        if (value < SET3_CODES) s.types[value] = typeOf(command - KEY_TYPEMATIC + ALL_TYPEMATIC);
    }
    this.#output.reply(ACK);
  }

  #defaults(): void {
    const s = this.#s;
    s.set = 2;
    s.typematic = DEFAULT_TYPEMATIC;
    s.types.fill(0);
    for (const { set3, type } of KEYS) s.types[set3] = type;
    s.printForm = 0;
    this.#stopRepeat();
  }

  #setLeds(leds: number): void {
    this.#s.leds = leds;
    this.#onLeds(leds);
  }

  #isDown(keys: readonly number[]): boolean {
    return this.#s.down[keys[0]] !== 0 || this.#s.down[keys[1]] !== 0;
  }

  #put(bytes: readonly number[]): void {
    // One byte stays free for the overrun code.
    if (bytes.length < this.#output.room) this.#output.event(bytes);
    else if (this.#output.room > 0) {
      const overrun = this.#s.set === 1 ? 0xff : 0x00;
      while (this.#output.room > 0) this.#output.event([overrun]);
    }
  }

  #make(index: number): readonly number[] {
    const s = this.#s;
    const { set } = s;
    if (set !== 3 && index === PAUSE) {
      if (this.#isDown(CTRLS)) return set === 1 ? BREAK_SET1 : BREAK_SET2;
      return set === 1 ? PAUSE_SET1 : PAUSE_SET2;
    }
    if (set !== 3 && index === PRINT) {
      s.printForm = this.#isDown(ALTS) ? FORM_ALT : this.#isDown(SHIFTS) || this.#isDown(CTRLS) ? FORM_BARE : 0;
      if (s.printForm === FORM_ALT) return makeOf(SYSRQ, set);
      const bare = makeOf(KEYS[PRINT], set);
      return s.printForm === FORM_BARE ? bare : [0xe0, set === 1 ? 0x2a : 0x12, ...bare];
    }
    return makeOf(KEYS[index], set);
  }

  #break(index: number): readonly number[] {
    const s = this.#s;
    const { set } = s;
    if (set === 3) return s.types[KEYS[index].set3] & MAKE_BREAK ? breakOf(KEYS[index], 3) : [];
    if (MAKE_ONLY_KEYS.includes(index)) return [];
    if (index === PRINT) {
      if (s.printForm === FORM_ALT) return breakOf(SYSRQ, set);
      const bare = breakOf(KEYS[PRINT], set);
      if (s.printForm === FORM_BARE) return bare;
      return set === 1 ? [...bare, 0xe0, 0xaa] : [...bare, 0xe0, BREAK_PREFIX, 0x12];
    }
    return breakOf(KEYS[index], set);
  }

  /** Nanoseconds before the first repeat: 250 ms to 1 s. */
  get #delay(): number {
    return ((this.#s.typematic >> 5) + 1) * 250_000_000;
  }

  /** Nanoseconds between repeats: (8 + A) * 2^B * 4.17 ms. */
  get #interval(): number {
    const { typematic } = this.#s;
    return Math.round((8 + (typematic & 7)) * (1 << ((typematic >> 3) & 3)) * 4_170_000);
  }

  #repeat(): void {
    const s = this.#s;
    if (s.repeating === 0) return;
    // Repeats wait for the host to take what is there: they must not fill the buffer.
    if (s.scanning && this.#output.waiting === 0) this.#put(makeOf(KEYS[s.repeating - 1], s.set));
    s.repeatAt += this.#interval;
    const now = this.#clock.now();
    if (s.repeatAt <= now) s.repeatAt = now + this.#interval;
    this.#timer.arm(s.repeatAt);
  }

  /** Ends the repeat; with an index only that of this key. */
  #stopRepeat(index?: number): void {
    if (index !== undefined && this.#s.repeating !== index + 1) return;
    this.#s.repeating = 0;
    this.#timer.cancel();
  }
}

function typeOf(command: number): number {
  if (command === ALL_TYPEMATIC) return TYPEMATIC;
  if (command === ALL_MAKE_BREAK) return MAKE_BREAK;
  return command === ALL_MAKE ? MAKE_ONLY : TYPEMATIC | MAKE_BREAK;
}

function codeOf(entry: Key, set: number): number {
  return set === 1 ? entry.set1 : set === 2 ? entry.set2 : entry.set3;
}

function makeOf(entry: Key, set: number): readonly number[] {
  const code = codeOf(entry, set);
  if (code === 0) return [];
  return code > 0xff ? [0xe0, code & 0xff] : [code];
}

function breakOf(entry: Key, set: number): readonly number[] {
  const code = codeOf(entry, set);
  if (code === 0) return [];
  const low = code & 0xff;
  if (set === 1) return code > 0xff ? [0xe0, low | 0x80] : [low | 0x80];
  return code > 0xff ? [0xe0, BREAK_PREFIX, low] : [BREAK_PREFIX, low];
}
