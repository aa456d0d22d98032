/**
 * A PS/2 mouse: the standard three-byte protocol, and after the usual knocks the IntelliMouse (wheel, ID 3) and the
 * IntelliMouse Explorer (wheel and five buttons, ID 4) with four bytes.
 *
 * Specification: IBM PS/2 Hardware Interface Technical Reference, "Auxiliary device"; Microsoft, "IntelliMouse packet
 * formats" (knocks 200-100-80 and 200-200-80 by the sample rate command).
 *
 * Invariants:
 *  1. Motion is accumulated, and reported at most once per sample; a change of buttons is reported at once, so that no
 *     click is lost between two samples.
 *  2. The output buffer holds a few packets at most; what does not fit stays accumulated.
 */

import { type Clock, NS_PER_SECOND, type Timer } from "../../../core/clock.ts";
import type { Device } from "../../../core/device.ts";
import type { MouseButton, PointerSink } from "../../../core/input/input.ts";
import { array, bool, defineState, f64, i32, type State, type StateArena, u8 } from "../../../core/state/state.ts";
import { OUTPUT_FIELDS, type Ps2Device, Ps2Output } from "./ps2.ts";

export const MOUSE_STATE = defineState("ps2mouse", 1, {
  ...OUTPUT_FIELDS,
  reporting: bool,
  remote: bool,
  wrap: bool,
  scaling: bool,
  resolution: u8,
  sampleRate: u8,
  /** 0 standard, 3 IntelliMouse, 4 Explorer. */
  id: u8,
  /** The last two sample rates, for the knocks. */
  rates: array(u8, 2),
  /** A command that waits for its parameter, or 0. */
  command: u8,
  /** The last parameter or command was invalid. */
  failed: bool,
  buttons: u8,
  /** Buttons in the last packet. */
  reported: u8,
  /** Counts to the right, up, and towards the user. */
  dx: i32,
  dy: i32,
  dz: i32,
  /** The next packet for motion may go (ns). */
  sampleAt: f64,
  timerOn: bool,
  /** The last reply or packet, for Resend. */
  last: array(u8, 4),
  lastCount: u8,
});

const ACK = 0xfa;
const RESEND = 0xfe;
const ERROR = 0xfc;
const BAT_OK = 0xaa;

const SET_SCALING_1_1 = 0xe6;
const SET_SCALING_2_1 = 0xe7;
const SET_RESOLUTION = 0xe8;
const STATUS_REQUEST = 0xe9;
const SET_STREAM = 0xea;
const READ_DATA = 0xeb;
const RESET_WRAP = 0xec;
const SET_WRAP = 0xee;
const SET_REMOTE = 0xf0;
const READ_TYPE = 0xf2;
const SET_SAMPLE_RATE = 0xf3;
const ENABLE = 0xf4;
const DISABLE = 0xf5;
const SET_DEFAULT = 0xf6;
const RESET = 0xff;

const STATUS_REMOTE = 0b0100_0000;
const STATUS_ENABLED = 0b0010_0000;
const STATUS_SCALING = 0b0001_0000;

const SAMPLE_RATES: readonly number[] = [10, 20, 40, 60, 80, 100, 200];
const BUTTONS: Readonly<Partial<Record<MouseButton, number>>> = { left: 1, right: 2, middle: 4, side: 8, extra: 16 };
/** Scaling 2:1 of small motions; from 6 on it doubles. */
const SCALED = [0, 1, 1, 3, 6, 9] as const;

const ID_WHEEL = 3;
const ID_EXPLORER = 4;
const MAX_ACCUMULATED = 32_767;
/** Bytes that may wait before packets are held back. */
const BACKLOG = 32;

export interface MouseOptions {
  readonly name: string;
  readonly arena: StateArena;
  readonly clock: Clock;
  /** There is a byte to take. */
  readonly changed: () => void;
}

export class Ps2Mouse implements Device, PointerSink, Ps2Device {
  readonly absolute = false;
  readonly #s: State<typeof MOUSE_STATE>;
  readonly #clock: Clock;
  readonly #timer: Timer;
  readonly #output: Ps2Output;

  constructor({ name, arena, clock, changed }: MouseOptions) {
    this.#s = arena.attach(name, MOUSE_STATE);
    this.#clock = clock;
    this.#output = new Ps2Output(this.#s, changed);
    this.#timer = clock.timer(`${name}.sample`, () => {
      this.#s.timerOn = false;
      this.#report();
    });
  }

  reset(): void {
    const s = this.#s;
    this.#output.clear();
    this.#defaults();
    s.id = 0;
    s.wrap = false;
    s.command = 0;
    s.failed = false;
    s.buttons = s.reported = 0;
    s.lastCount = 0;
    s.sampleAt = 0;
  }

  loaded(): void {
    if (this.#s.timerOn) this.#timer.arm(this.#s.sampleAt);
    else this.#timer.cancel();
  }

  get available(): boolean {
    return this.#output.available;
  }

  take(): number {
    return this.#output.take();
  }

  /** Screen counts: y grows downwards. */
  move(dx: number, dy: number): void {
    this.#add(dx, -dy, 0);
  }

  button(button: MouseButton, down: boolean): void {
    const s = this.#s;
    if (button === "wheel-up" || button === "wheel-down") {
      if (down) this.#add(0, 0, button === "wheel-up" ? -1 : 1);
      return;
    }
    const bit = BUTTONS[button] ?? 0;
    s.buttons = down ? s.buttons | bit : s.buttons & ~bit;
    // A click that would be over before anything was sent is sent in two.
    if (this.#streaming && s.buttons !== s.reported) this.#report();
  }

  sync(): void {
    this.#report();
  }

  send(value: number): void {
    const s = this.#s;
    if (s.wrap && value !== RESET_WRAP && value !== RESET) {
      this.#reply(value);
      return;
    }
    const { command } = s;
    s.command = 0;
    if (command === SET_SAMPLE_RATE && SAMPLE_RATES.includes(value)) this.#setSampleRate(value);
    else if (command === SET_RESOLUTION && value <= 3) {
      s.resolution = value;
      this.#acknowledge();
    } else if (command !== 0 && value < SET_SCALING_1_1) this.#refuse();
    else this.#command(value);
  }

  #command(value: number): void {
    const s = this.#s;
    switch (value) {
      case SET_SCALING_1_1:
      case SET_SCALING_2_1:
        s.scaling = value === SET_SCALING_2_1;
        return this.#acknowledge();
      case SET_RESOLUTION:
      case SET_SAMPLE_RATE:
        s.command = value;
        return this.#acknowledge();
      case STATUS_REQUEST: {
        const { buttons } = s;
        const status =
          (s.remote ? STATUS_REMOTE : 0) |
          (s.reporting ? STATUS_ENABLED : 0) |
          (s.scaling ? STATUS_SCALING : 0) |
          (buttons & 1 ? 4 : 0) |
          (buttons & 4 ? 2 : 0) |
          (buttons & 2 ? 1 : 0);
        return this.#acknowledge(status, s.resolution, s.sampleRate);
      }
      case SET_STREAM:
      case SET_REMOTE:
        s.remote = value === SET_REMOTE;
        this.#forget();
        return this.#acknowledge();
      case READ_DATA:
        return this.#acknowledge(...this.#packet(false));
      case SET_WRAP:
      case RESET_WRAP:
        s.wrap = value === SET_WRAP;
        this.#forget();
        return this.#acknowledge();
      case READ_TYPE:
        return this.#acknowledge(s.id);
      case ENABLE:
      case DISABLE:
        s.reporting = value === ENABLE;
        this.#forget();
        return this.#acknowledge();
      case SET_DEFAULT:
        this.#defaults();
        return this.#acknowledge();
      case RESEND:
        this.#output.reply(...s.last.subarray(0, s.lastCount));
        return;
      case RESET:
        this.#output.clear();
        this.#defaults();
        s.id = 0;
        s.wrap = false;
        return this.#acknowledge(BAT_OK, 0);
      default:
        this.#refuse();
    }
  }

  #setSampleRate(rate: number): void {
    const s = this.#s;
    s.sampleRate = rate;
    if (rate === 80 && s.rates[0] === 200) {
      if (s.rates[1] === 100) s.id = ID_WHEEL;
      if (s.rates[1] === 200) s.id = ID_EXPLORER;
    }
    s.rates[0] = s.rates[1];
    s.rates[1] = rate;
    this.#acknowledge();
  }

  /** Resend for the first invalid byte, error for the next. */
  #refuse(): void {
    const { failed } = this.#s;
    this.#reply(failed ? ERROR : RESEND);
    this.#s.failed = !failed;
  }

  #acknowledge(...bytes: number[]): void {
    this.#s.failed = false;
    this.#reply(ACK, ...bytes);
  }

  #reply(...bytes: number[]): void {
    this.#remember(bytes);
    this.#output.reply(...bytes);
  }

  /** Keeps what Resend repeats: the data after an acknowledge. */
  #remember(bytes: readonly number[]): void {
    const s = this.#s;
    const data = bytes.length > 1 && bytes[0] === ACK ? bytes.slice(1) : bytes;
    s.last.set(data);
    s.lastCount = data.length;
  }

  #defaults(): void {
    const s = this.#s;
    s.sampleRate = 100;
    s.resolution = 2;
    s.scaling = false;
    s.remote = false;
    s.reporting = false;
    s.rates.fill(0);
    this.#forget();
  }

  /** Drops motion and packets that were not sent. */
  #forget(): void {
    const s = this.#s;
    s.dx = s.dy = s.dz = 0;
    s.reported = s.buttons;
    s.timerOn = false;
    this.#timer.cancel();
    this.#output.clearEvents();
  }

  get #streaming(): boolean {
    const s = this.#s;
    return s.reporting && !s.remote && !s.wrap;
  }

  #add(dx: number, dy: number, dz: number): void {
    const s = this.#s;
    if (!s.reporting && !s.remote) return;
    s.dx = clamp(s.dx + dx, MAX_ACCUMULATED);
    s.dy = clamp(s.dy + dy, MAX_ACCUMULATED);
    s.dz = clamp(s.dz + dz, MAX_ACCUMULATED);
  }

  get #pending(): boolean {
    const s = this.#s;
    return s.dx !== 0 || s.dy !== 0 || (s.id !== 0 && s.dz !== 0);
  }

  /** Sends a packet when it is time for one. */
  #report(): void {
    const s = this.#s;
    if (!this.#streaming) return;
    const clicked = s.buttons !== s.reported;
    if (!clicked && !this.#pending) return;
    const now = this.#clock.now();
    if (this.#output.waiting <= BACKLOG && (clicked || now >= s.sampleAt)) {
      const packet = this.#packet(s.scaling);
      s.sampleAt = now + Math.round(NS_PER_SECOND / s.sampleRate);
      this.#remember(packet);
      this.#output.event(packet);
      if (!this.#pending && s.buttons === s.reported) return;
    } else if (now >= s.sampleAt) {
      s.sampleAt = now + Math.round(NS_PER_SECOND / s.sampleRate);
    }
    s.timerOn = true;
    this.#timer.arm(s.sampleAt);
  }

  /** Takes what a packet can hold from the counters. */
  #packet(scaling: boolean): number[] {
    const s = this.#s;
    const limit = scaling ? 127 : 255;
    const dx = clamp(s.dx, limit);
    const dy = clamp(s.dy, limit);
    s.dx -= dx;
    s.dy -= dy;
    s.reported = s.buttons;
    const x = scaling ? scale(dx) : dx;
    const y = scaling ? scale(dy) : dy;
    const first = 0b1000 | (s.buttons & 7) | (x < 0 ? 0b01_0000 : 0) | (y < 0 ? 0b10_0000 : 0);
    const packet = [first, x & 0xff, y & 0xff];
    if (s.id === 0) {
      s.dz = 0;
      return packet;
    }
    const dz = clamp(s.dz, 7);
    s.dz -= dz;
    packet.push(s.id === ID_WHEEL ? dz & 0xff : (dz & 0x0f) | ((s.buttons & 0b1_1000) << 1));
    return packet;
  }
}

function clamp(value: number, limit: number): number {
  return Math.max(-limit, Math.min(limit, Math.trunc(value)));
}

function scale(value: number): number {
  const size = Math.abs(value);
  return Math.sign(value) * (SCALED[size] ?? 2 * size);
}
