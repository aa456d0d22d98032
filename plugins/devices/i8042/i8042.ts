/**
 * The 8042 keyboard controller of a PC with its PS/2 keyboard and mouse, at ports 0x60 (data) and 0x64 (command, status).
 *
 * Specification: IBM PS/2 Hardware Interface Technical Reference, "Keyboard and auxiliary device controller"; IBM PC/AT
 * Technical Reference for the output port.
 *
 * Invariants:
 *  1. There is one output buffer. A byte of a device enters it when it is empty and the device's interface is enabled; an
 *     answer of the controller that finds it full waits in `answer`, and goes first.
 *  2. After a byte was read from it, devices take BYTE_TIME to send the next, as their serial lines do: software that
 *     reads the port twice sees one byte twice.
 *  3. IRQ 1 and IRQ 12 follow the buffer and the command byte.
 */

import type { IoRegion } from "../../../core/bus/io.ts";
import { type Clock, NS_PER_US, type Timer } from "../../../core/clock.ts";
import type { Device } from "../../../core/device.ts";
import type { IrqLine } from "../../../core/irq.ts";
import { array, bool, defineState, f64, type State, type StateArena, u8 } from "../../../core/state/state.ts";
import { Ps2Keyboard } from "./keyboard.ts";
import { translate } from "./keys.ts";
import { Ps2Mouse } from "./mouse.ts";
import * as r from "./regs.ts";

export const I8042_STATE = defineState("i8042", 1, {
  /** The output buffer keeps its last byte. */
  data: u8,
  full: bool,
  /** The buffer's byte is for the auxiliary device's interrupt. */
  fromAux: bool,
  /** An answer of the controller that waits for the buffer. */
  answer: u8,
  answerWaits: bool,
  answerFromAux: bool,
  /** Internal memory; byte 0 is the command byte. */
  ram: array(u8, r.RAM_COMMANDS),
  outputPort: u8,
  /** The command that the next byte to port 0x60 belongs to, or 0. */
  command: u8,
  lastWasCommand: bool,
  /** Translation has seen the break prefix. */
  breakPrefix: bool,
  /** Devices send no byte before this time (ns). */
  readyAt: f64,
});

/** Eleven bits at 15.7 kHz. */
const BYTE_TIME = 700 * NS_PER_US;
const BREAK_PREFIX = 0xf0;
const BREAK_BIT = 0x80;

export interface I8042Options {
  readonly name: string;
  readonly arena: StateArena;
  readonly clock: Clock;
  readonly keyboardIrq: IrqLine;
  readonly mouseIrq: IrqLine;
  /** The A20 gate: true lets address line 20 through. */
  readonly a20: IrqLine;
  readonly resetMachine: () => void;
  readonly onLeds?: (leds: number) => void;
}

export class I8042 implements Device {
  readonly dataIo: IoRegion;
  readonly commandIo: IoRegion;
  readonly keyboard: Ps2Keyboard;
  readonly mouse: Ps2Mouse;
  readonly #s: State<typeof I8042_STATE>;
  readonly #options: I8042Options;
  readonly #timer: Timer;

  constructor(options: I8042Options) {
    const { name, arena, clock, onLeds } = options;
    this.#options = options;
    this.#s = arena.attach(name, I8042_STATE);
    this.#timer = clock.timer(`${name}.transfer`, () => this.#transfer());
    const changed = (): void => this.#transfer();
    this.keyboard = new Ps2Keyboard({ name: `${name}.keyboard`, arena, clock, changed, onLeds });
    this.mouse = new Ps2Mouse({ name: `${name}.mouse`, arena, clock, changed });
    this.dataIo = {
      name: "i8042-data",
      length: 1,
      max: 1,
      handler: { read: () => this.#readData(), write: (_offset, value) => this.#writeData(value) },
    };
    this.commandIo = {
      name: "i8042-cmd",
      length: 1,
      max: 1,
      handler: { read: () => this.#status(), write: (_offset, value) => this.#command(value) },
    };
  }

  reset(): void {
    const s = this.#s;
    s.data = 0;
    s.full = s.fromAux = s.answerWaits = false;
    s.ram.fill(0);
    s.ram[0] = r.MODE_KBD_INT | r.MODE_AUX_INT;
    s.command = 0;
    s.lastWasCommand = true;
    s.breakPrefix = false;
    s.readyAt = 0;
    this.keyboard.reset();
    this.mouse.reset();
    this.#setOutputPort(r.OUT_IDLE | r.OUT_A20 | r.OUT_NRESET);
    this.#transfer();
  }

  loaded(): void {
    this.keyboard.loaded();
    this.mouse.loaded();
    this.#driveIrqs();
    this.#transfer();
  }

  #status(): number {
    const s = this.#s;
    return (
      r.STATUS_UNLOCKED |
      (s.full ? r.STATUS_OBF : 0) |
      (s.full && s.fromAux ? r.STATUS_AUX_OBF : 0) |
      (s.lastWasCommand ? r.STATUS_CMD : 0) |
      (s.ram[0] & r.MODE_SYS)
    );
  }

  #readData(): number {
    const s = this.#s;
    const { data } = s;
    if (s.full) {
      s.full = false;
      s.readyAt = this.#options.clock.now() + BYTE_TIME;
      this.#driveIrqs();
      this.#transfer();
    }
    return data;
  }

  #writeData(value: number): void {
    const s = this.#s;
    const { command } = s;
    s.command = 0;
    s.lastWasCommand = false;
    switch (command) {
      case 0:
        this.#send(r.MODE_DISABLE_KBD, value);
        return;
      case r.WRITE_AUX:
        this.#send(r.MODE_DISABLE_AUX, value);
        return;
      case r.WRITE_OUTPUT_PORT:
        this.#setOutputPort(value);
        return;
      case r.WRITE_KBD_BUFFER:
        this.#answer(value);
        return;
      case r.WRITE_AUX_BUFFER:
        this.#answer(value, true);
        return;
      case r.LOAD_PASSWORD:
        if (value !== 0) s.command = r.LOAD_PASSWORD;
        return;
      default:
        s.ram[command - r.WRITE_RAM] = value;
        if (command === r.WRITE_RAM) this.#modeChanged();
    }
  }

  /** A byte for a device; sending enables its interface. */
  #send(disabled: typeof r.MODE_DISABLE_KBD | typeof r.MODE_DISABLE_AUX, value: number): void {
    const s = this.#s;
    s.ram[0] &= ~disabled;
    s.readyAt = Math.max(s.readyAt, this.#options.clock.now() + BYTE_TIME);
    if (disabled === r.MODE_DISABLE_KBD) this.keyboard.send(value);
    else this.mouse.send(value);
    this.#modeChanged();
  }

  #command(value: number): void {
    const s = this.#s;
    s.lastWasCommand = true;
    s.command = 0;
    if (value >= r.READ_RAM && value < r.READ_RAM + r.RAM_COMMANDS) {
      this.#answer(s.ram[value - r.READ_RAM]);
      return;
    }
    if ((value >= r.WRITE_RAM && value < r.WRITE_RAM + r.RAM_COMMANDS) || value === r.LOAD_PASSWORD) {
      s.command = value;
      return;
    }
    if (value >= r.PULSE_OUTPUT) {
      if (!(value & r.OUT_NRESET)) this.#options.resetMachine();
      return;
    }
    switch (value) {
      case r.WRITE_OUTPUT_PORT:
      case r.WRITE_KBD_BUFFER:
      case r.WRITE_AUX_BUFFER:
      case r.WRITE_AUX:
        s.command = value;
        return;
      case r.TEST_PASSWORD:
        return this.#answer(r.PASSWORD_NONE);
      case r.DISABLE_AUX:
        return this.#setMode(s.ram[0] | r.MODE_DISABLE_AUX);
      case r.ENABLE_AUX:
        return this.#setMode(s.ram[0] & ~r.MODE_DISABLE_AUX);
      case r.DISABLE_KBD:
        return this.#setMode(s.ram[0] | r.MODE_DISABLE_KBD);
      case r.ENABLE_KBD:
        return this.#setMode(s.ram[0] & ~r.MODE_DISABLE_KBD);
      case r.TEST_AUX:
      case r.TEST_KBD:
        return this.#answer(r.INTERFACE_OK);
      case r.SELF_TEST:
        s.ram[0] |= r.MODE_SYS;
        return this.#answer(r.SELF_TEST_OK);
      case r.READ_INPUT_PORT:
        return this.#answer(r.IN_UNLOCKED);
      case r.READ_OUTPUT_PORT:
        return this.#answer(this.#outputPort());
      case r.DISABLE_A20:
        return this.#setOutputPort(s.outputPort & ~r.OUT_A20);
      case r.ENABLE_A20:
        return this.#setOutputPort(s.outputPort | r.OUT_A20);
      case r.READ_TEST_INPUTS:
        return this.#answer(0);
    }
  }

  #setMode(mode: number): void {
    this.#s.ram[0] = mode;
    this.#modeChanged();
  }

  #modeChanged(): void {
    this.#driveIrqs();
    this.#transfer();
  }

  #outputPort(): number {
    const s = this.#s;
    return s.outputPort | (s.full ? (s.fromAux ? r.OUT_AUX_OBF : r.OUT_KBD_OBF) : 0);
  }

  #setOutputPort(value: number): void {
    this.#s.outputPort = value & ~(r.OUT_KBD_OBF | r.OUT_AUX_OBF);
    this.#options.a20.set((value & r.OUT_A20) !== 0);
    if (value & r.OUT_NRESET) return;
    this.#s.outputPort |= r.OUT_NRESET;
    this.#options.resetMachine();
  }

  #answer(value: number, fromAux = false): void {
    const s = this.#s;
    s.answer = value;
    s.answerFromAux = fromAux;
    s.answerWaits = true;
    this.#transfer();
  }

  /** Moves the next byte into the output buffer, if there is one and it may. */
  #transfer(): void {
    const s = this.#s;
    if (s.full) return;
    if (s.answerWaits) {
      s.answerWaits = false;
      this.#fill(s.answer, s.answerFromAux);
      return;
    }
    const mode = s.ram[0];
    const fromKeyboard = !(mode & r.MODE_DISABLE_KBD) && this.keyboard.available;
    const fromMouse = !(mode & r.MODE_DISABLE_AUX) && this.mouse.available;
    if (!fromKeyboard && !fromMouse) return;
    if (this.#options.clock.now() < s.readyAt) {
      this.#timer.arm(s.readyAt);
      return;
    }
    if (fromKeyboard) this.#fillFromKeyboard();
    else this.#fill(this.mouse.take(), true);
  }

  #fillFromKeyboard(): void {
    const s = this.#s;
    let byte = this.keyboard.take();
    if (s.ram[0] & r.MODE_XLATE) {
      if (byte === BREAK_PREFIX) {
        s.breakPrefix = true;
        if (!this.keyboard.available) return;
        byte = this.keyboard.take();
      }
      byte = translate(byte) | (s.breakPrefix ? BREAK_BIT : 0);
      s.breakPrefix = false;
    }
    this.#fill(byte, false);
  }

  #fill(byte: number, fromAux: boolean): void {
    const s = this.#s;
    s.data = byte;
    s.full = true;
    s.fromAux = fromAux;
    this.#driveIrqs();
  }

  #driveIrqs(): void {
    const { full, fromAux, ram } = this.#s;
    const keyboard = (ram[0] & (r.MODE_KBD_INT | r.MODE_DISABLE_KBD)) === r.MODE_KBD_INT;
    this.#options.keyboardIrq.set(full && !fromAux && keyboard);
    this.#options.mouseIrq.set(full && fromAux && (ram[0] & r.MODE_AUX_INT) !== 0);
  }
}
