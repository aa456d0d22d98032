/**
 * A 16550A UART on a character channel.
 *
 * Data sheet: National Semiconductor PC16550D.
 *
 * Invariants:
 *  1. What the guest wrote to THR is in `xmit` until the channel has taken it; THRE shows once `xmit` is empty. A guest
 *     that waits for THRE never loses a byte, however slow the channel is.
 *  2. The channel is asked for no more input than the receiver has room for.
 *  3. INTRPT follows the registers: #update is called after every change.
 *
 * DEVIATION: bytes leave as fast as the channel takes them, whatever the divisor; the divisor counts for the FIFO time-out.
 * DEVIATION: the far end asserts CTS, DSR and DCD and never rings.
 */

import type { IoRegion } from "../../../core/bus/io.ts";
import type { CharEvent, CharPort, CharReceiver } from "../../../core/char/port.ts";
import { type Clock, NS_PER_SECOND, type Timer } from "../../../core/clock.ts";
import type { Device } from "../../../core/device.ts";
import type { IrqLine } from "../../../core/irq.ts";
import { array, bool, defineState, f64, type State, type StateArena, u8, u16 } from "../../../core/state/state.ts";
import {
  BAUD_BASE,
  FCR_CLEAR_RECEIVER,
  FCR_CLEAR_TRANSMITTER,
  FCR_ENABLE,
  FCR_TRIGGER_SHIFT,
  FIFO_SIZE,
  IER_DLM,
  IER_MSI,
  IER_RDI,
  IER_RLSI,
  IER_THRI,
  IIR_CTI,
  IIR_FCR,
  IIR_FIFOS_ENABLED,
  IIR_MSI,
  IIR_NONE,
  IIR_RDI,
  IIR_RLSI,
  IIR_THRI,
  LCR,
  LCR_BREAK,
  LCR_DLAB,
  LCR_PEN,
  LCR_STB,
  LCR_WLS,
  LSR,
  LSR_BI,
  LSR_DR,
  LSR_FE,
  LSR_FIFO_ERROR,
  LSR_OE,
  LSR_PE,
  LSR_TEMT,
  LSR_THRE,
  MCR,
  MCR_DTR,
  MCR_LOOP,
  MCR_OUT1,
  MCR_OUT2,
  MCR_RTS,
  MCR_WRITABLE,
  MSR,
  MSR_CTS,
  MSR_DCD,
  MSR_DCTS,
  MSR_DDCD,
  MSR_DDSR,
  MSR_DSR,
  MSR_RI,
  MSR_TERI,
  RBR_THR_DLL,
  SCR,
  TRIGGER_LEVELS,
} from "./regs.ts";

export const SERIAL_STATE = defineState("serial", 1, {
  ier: u8,
  fcr: u8,
  lcr: u8,
  mcr: u8,
  /** OE, PE, FE and BI: the other bits are computed. */
  lineErrors: u8,
  msr: u8,
  scr: u8,
  divisor: u16,
  /** The transmitter has become empty and nobody was told yet. */
  thrInterrupt: bool,
  /** Four character times have passed with bytes in the receiver. */
  timedOut: bool,
  /** When that will be (ns), or 0. */
  timeoutAt: f64,
  /** Receiver FIFO, and the errors that belong to each byte. */
  recv: array(u8, FIFO_SIZE),
  recvErrors: array(u8, FIFO_SIZE),
  recvHead: u8,
  recvCount: u8,
  xmit: array(u8, FIFO_SIZE),
  xmitCount: u8,
  /** Level of INTRPT as it goes to the board. */
  interrupt: bool,
});

const ERRORS = LSR_OE | LSR_PE | LSR_FE | LSR_BI;
const MSR_LINES = MSR_CTS | MSR_DSR | MSR_RI | MSR_DCD;
const FAR_END = MSR_CTS | MSR_DSR | MSR_DCD;

export interface SerialOptions {
  readonly name: string;
  readonly arena: StateArena;
  readonly clock: Clock;
  readonly irq: IrqLine;
  readonly chardev: CharPort;
}

export class Serial implements Device, CharReceiver {
  readonly io: IoRegion;
  readonly #s: State<typeof SERIAL_STATE>;
  readonly #clock: Clock;
  readonly #irq: IrqLine;
  readonly #chardev: CharPort;
  readonly #timer: Timer;
  /** What is handed to the channel: pieces[n] is the first n bytes of one buffer. */
  readonly #pieces: readonly Uint8Array[];

  constructor({ name, arena, clock, irq, chardev }: SerialOptions) {
    this.#s = arena.attach(name, SERIAL_STATE);
    this.#clock = clock;
    this.#irq = irq;
    this.#chardev = chardev;
    this.#timer = clock.timer(`${name}.timeout`, () => {
      this.#s.timeoutAt = 0;
      this.#s.timedOut = this.#s.recvCount > 0;
      this.#update();
    });
    const buffer = new Uint8Array(FIFO_SIZE);
    this.#pieces = Array.from({ length: FIFO_SIZE + 1 }, (_, length) => buffer.subarray(0, length));
    this.io = {
      name: "serial",
      length: 8,
      max: 1,
      handler: { read: (offset) => this.#read(offset), write: (offset, value) => this.#write(offset, value) },
    };
    chardev.connect(this);
    chardev.onWritable(() => this.#drain());
  }

  reset(): void {
    const s = this.#s;
    s.ier = s.fcr = s.lcr = s.mcr = s.scr = s.lineErrors = 0;
    s.divisor = 12;
    s.msr = FAR_END;
    s.thrInterrupt = false;
    s.xmitCount = 0;
    this.#clearReceiver();
    this.#update();
    this.#chardev.acceptInput();
  }

  loaded(): void {
    if (this.#s.timeoutAt > 0) this.#timer.arm(this.#s.timeoutAt);
    else this.#timer.cancel();
    this.#irq.set(this.#s.interrupt);
    this.#drain();
    this.#chardev.acceptInput();
  }

  canReceive(): number {
    const s = this.#s;
    if (s.mcr & MCR_LOOP) return 0;
    return this.#depth - s.recvCount;
  }

  receive(data: Uint8Array): void {
    for (const byte of data) if (!this.#push(byte, 0)) break;
    this.#received();
  }

  event(event: CharEvent): void {
    if (event !== "break" || this.#s.mcr & MCR_LOOP) return;
    this.#push(0, LSR_BI);
    this.#received();
  }

  get #fifo(): boolean {
    return (this.#s.fcr & FCR_ENABLE) !== 0;
  }

  get #depth(): number {
    return this.#fifo ? FIFO_SIZE : 1;
  }

  #read(offset: number): number {
    const s = this.#s;
    switch (offset) {
      case RBR_THR_DLL:
        return s.lcr & LCR_DLAB ? s.divisor & 0xff : this.#pop();
      case IER_DLM:
        return s.lcr & LCR_DLAB ? s.divisor >> 8 : s.ier;
      case IIR_FCR: {
        const source = this.#source();
        if (source === IIR_THRI) {
          s.thrInterrupt = false;
          this.#update();
        }
        return source | (this.#fifo ? IIR_FIFOS_ENABLED : 0);
      }
      case LCR:
        return s.lcr;
      case MCR:
        return s.mcr;
      case LSR: {
        const value = this.#lineStatus();
        s.lineErrors = 0;
        if (value & ERRORS) this.#update();
        return value;
      }
      case MSR: {
        const value = s.msr;
        s.msr &= MSR_LINES;
        if (value !== s.msr) this.#update();
        return value;
      }
      default:
        return s.scr;
    }
  }

  #write(offset: number, value: number): void {
    const s = this.#s;
    switch (offset) {
      case RBR_THR_DLL:
        if (s.lcr & LCR_DLAB) s.divisor = (s.divisor & 0xff00) | value;
        else this.#transmit(value);
        return;
      case IER_DLM:
        if (s.lcr & LCR_DLAB) {
          s.divisor = (s.divisor & 0xff) | (value << 8);
          return;
        }
        // Enabling the interrupt while the transmitter is empty causes one.
        if (value & ~s.ier & IER_THRI && s.xmitCount === 0) s.thrInterrupt = true;
        s.ier = value & (IER_RDI | IER_THRI | IER_RLSI | IER_MSI);
        this.#update();
        return;
      case IIR_FCR:
        this.#writeFcr(value);
        return;
      case LCR:
        if ((value ^ s.lcr) & LCR_BREAK && !(s.mcr & MCR_LOOP)) this.#chardev.setBreak?.((value & LCR_BREAK) !== 0);
        s.lcr = value;
        return;
      case MCR:
        this.#writeMcr(value & MCR_WRITABLE);
        return;
      case SCR:
        s.scr = value;
    }
  }

  #writeFcr(value: number): void {
    const s = this.#s;
    const switched = (value ^ s.fcr) & FCR_ENABLE;
    s.fcr = value & FCR_ENABLE ? value & ~(FCR_CLEAR_RECEIVER | FCR_CLEAR_TRANSMITTER) : 0;
    if (switched || (value & FCR_ENABLE && value & FCR_CLEAR_RECEIVER)) {
      this.#clearReceiver();
      this.#chardev.acceptInput();
    }
    // Bytes the guest has entrusted to the transmitter are sent all the same when only the FIFO mode changes.
    if (value & FCR_CLEAR_TRANSMITTER && value & FCR_ENABLE && s.xmitCount > 0) {
      s.xmitCount = 0;
      s.thrInterrupt = true;
    }
    this.#update();
  }

  #writeMcr(value: number): void {
    const s = this.#s;
    const wasLooping = (s.mcr & MCR_LOOP) !== 0;
    s.mcr = value;
    if (value & MCR_LOOP) {
      this.#setModemLines(
        (value & MCR_RTS ? MSR_CTS : 0) |
          (value & MCR_DTR ? MSR_DSR : 0) |
          (value & MCR_OUT1 ? MSR_RI : 0) |
          (value & MCR_OUT2 ? MSR_DCD : 0),
      );
    } else {
      this.#setModemLines(FAR_END);
      if (wasLooping) this.#chardev.acceptInput();
    }
    this.#update();
  }

  /** New levels of CTS, DSR, RI and DCD; the deltas are set, TERI by the trailing edge. */
  #setModemLines(lines: number): void {
    const s = this.#s;
    const changed = (s.msr ^ lines) & MSR_LINES;
    let deltas = s.msr & ~MSR_LINES;
    if (changed & MSR_CTS) deltas |= MSR_DCTS;
    if (changed & MSR_DSR) deltas |= MSR_DDSR;
    if (changed & MSR_DCD) deltas |= MSR_DDCD;
    if (changed & MSR_RI && !(lines & MSR_RI)) deltas |= MSR_TERI;
    s.msr = lines | deltas;
  }

  #transmit(value: number): void {
    const s = this.#s;
    s.thrInterrupt = false;
    this.#update();
    if (s.mcr & MCR_LOOP) {
      this.#push(value, 0);
      s.thrInterrupt = s.xmitCount === 0;
      this.#received();
      return;
    }
    if (s.xmitCount >= this.#depth) s.xmit[s.xmitCount - 1] = value;
    else s.xmit[s.xmitCount++] = value;
    this.#drain();
  }

  /** Hands the transmitter's bytes to the channel, as many as it takes. */
  #drain(): void {
    const s = this.#s;
    const { xmitCount } = s;
    if (xmitCount === 0) return;
    const piece = this.#pieces[xmitCount];
    for (let i = 0; i < xmitCount; i++) piece[i] = s.xmit[i];
    const taken = Math.min(this.#chardev.write(piece), xmitCount);
    s.xmit.copyWithin(0, taken, xmitCount);
    s.xmitCount = xmitCount - taken;
    if (s.xmitCount > 0) return;
    s.thrInterrupt = true;
    this.#update();
  }

  /** A byte arrives. Returns false after an overrun. */
  #push(byte: number, errors: number): boolean {
    const s = this.#s;
    if (s.recvCount >= this.#depth) {
      s.lineErrors |= LSR_OE;
      // Without the FIFO the new byte takes the place of the old one; with it, the new byte is lost.
      if (this.#fifo) return false;
      s.recvCount = 0;
    }
    const at = (s.recvHead + s.recvCount) % FIFO_SIZE;
    s.recv[at] = byte;
    s.recvErrors[at] = errors;
    s.recvCount++;
    if (s.recvCount === 1) this.#showErrors();
    return true;
  }

  /** Errors show in LSR when their byte comes to the top of the FIFO. */
  #showErrors(): void {
    const s = this.#s;
    s.lineErrors |= s.recvErrors[s.recvHead];
    s.recvErrors[s.recvHead] = 0;
  }

  #received(): void {
    this.#startTimeout();
    this.#update();
  }

  #pop(): number {
    const s = this.#s;
    if (s.recvCount === 0) return s.recv[s.recvHead];
    const byte = s.recv[s.recvHead];
    if (s.recvCount > 1) {
      s.recvHead = (s.recvHead + 1) % FIFO_SIZE;
      s.recvCount--;
      this.#showErrors();
    } else {
      // The head stays: an empty receiver keeps showing its last byte.
      s.recvCount = 0;
    }
    s.timedOut = false;
    this.#startTimeout();
    this.#update();
    if (s.recvCount === 0) this.#chardev.acceptInput();
    return byte;
  }

  #clearReceiver(): void {
    const s = this.#s;
    s.recvHead = s.recvCount = 0;
    s.recv[0] = 0;
    s.timedOut = false;
    this.#startTimeout();
  }

  /** The time-out runs four characters from the last access while bytes wait in the FIFO. */
  #startTimeout(): void {
    const s = this.#s;
    if (this.#fifo && s.recvCount > 0) {
      s.timeoutAt = this.#clock.now() + 4 * this.#characterTime();
      this.#timer.arm(s.timeoutAt);
    } else if (s.timeoutAt > 0) {
      s.timeoutAt = 0;
      this.#timer.cancel();
    }
  }

  /** Nanoseconds of one character: start bit, data, parity, stop bits. */
  #characterTime(): number {
    const { lcr, divisor } = this.#s;
    const bits = 1 + 5 + (lcr & LCR_WLS) + (lcr & LCR_PEN ? 1 : 0) + (lcr & LCR_STB ? 2 : 1);
    return Math.ceil((bits * Math.max(1, divisor) * NS_PER_SECOND) / BAUD_BASE);
  }

  #lineStatus(): number {
    const s = this.#s;
    let value = s.lineErrors;
    if (s.recvCount > 0) value |= LSR_DR;
    if (s.xmitCount === 0) value |= LSR_THRE | LSR_TEMT;
    if (this.#fifo) {
      if (value & (LSR_BI | LSR_FE | LSR_PE)) value |= LSR_FIFO_ERROR;
      for (let i = 1; i < s.recvCount; i++) {
        if (s.recvErrors[(s.recvHead + i) % FIFO_SIZE]) value |= LSR_FIFO_ERROR;
      }
    }
    return value;
  }

  /** The interrupt of highest priority, as IIR tells it. */
  #source(): number {
    const s = this.#s;
    if (s.ier & IER_RLSI && s.lineErrors) return IIR_RLSI;
    if (s.ier & IER_RDI) {
      const level = this.#fifo ? TRIGGER_LEVELS[s.fcr >> FCR_TRIGGER_SHIFT] : 1;
      if (s.recvCount >= level) return IIR_RDI;
      if (s.timedOut) return IIR_CTI;
    }
    if (s.ier & IER_THRI && s.thrInterrupt) return IIR_THRI;
    if (s.ier & IER_MSI && s.msr & ~MSR_LINES) return IIR_MSI;
    return IIR_NONE;
  }

  /** On a PC, OUT2 enables the interrupt; in loopback mode the pin is inactive. */
  #update(): void {
    const enabled = (this.#s.mcr & (MCR_OUT2 | MCR_LOOP)) === MCR_OUT2;
    const interrupt = enabled && this.#source() !== IIR_NONE;
    if (interrupt === this.#s.interrupt) return;
    this.#s.interrupt = interrupt;
    this.#irq.set(interrupt);
  }
}
