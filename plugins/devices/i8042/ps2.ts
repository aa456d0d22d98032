/**
 * What the controller sees of a device on a PS/2 port, and the device's output buffer: replies to commands go before
 * events, but never between the bytes of one event.
 *
 * Invariant: both rings are bounded; an event that does not fit whole is refused.
 */

import { array, bool, type State, type StateSchema, u8, u16 } from "../../../core/state/state.ts";

export interface Ps2Device {
  /** A byte from the host. */
  send(value: number): void;
  /** Whether `take` has a byte. */
  readonly available: boolean;
  /** The next byte to the host. */
  take(): number;
}

const EVENTS = 64;
const REPLIES = 16;
/** Marks a byte of an event that is not its last. */
const MORE = 0x100;

export const OUTPUT_FIELDS = {
  events: array(u16, EVENTS),
  eventHead: u8,
  eventCount: u8,
  replies: array(u8, REPLIES),
  replyHead: u8,
  replyCount: u8,
  /** The first bytes of an event were taken, the rest are due. */
  inEvent: bool,
};

type OutputState = Omit<State<StateSchema<typeof OUTPUT_FIELDS, Record<never, never>>>, "$views" | "$base">;

export class Ps2Output {
  readonly #s: OutputState;
  readonly #changed: () => void;

  /** `changed` is called when there is something to take. */
  constructor(state: OutputState, changed: () => void) {
    this.#s = state;
    this.#changed = changed;
  }

  get available(): boolean {
    return this.#s.eventCount > 0 || this.#s.replyCount > 0;
  }

  /** Bytes of events that wait. */
  get waiting(): number {
    return this.#s.eventCount;
  }

  /** Bytes of events there is room for. */
  get room(): number {
    return EVENTS - this.#s.eventCount;
  }

  /** Queues the bytes of one event, all or none. */
  event(bytes: readonly number[]): boolean {
    const s = this.#s;
    if (bytes.length > this.room) return false;
    bytes.forEach((byte, i) => {
      s.events[(s.eventHead + s.eventCount++) % EVENTS] = byte | (i < bytes.length - 1 ? MORE : 0);
    });
    this.#changed();
    return true;
  }

  reply(...bytes: number[]): void {
    const s = this.#s;
    for (const byte of bytes) {
      if (s.replyCount === REPLIES) break;
      s.replies[(s.replyHead + s.replyCount++) % REPLIES] = byte;
    }
    this.#changed();
  }

  take(): number {
    const s = this.#s;
    if (s.replyCount > 0 && !s.inEvent) {
      const byte = s.replies[s.replyHead];
      s.replyHead = (s.replyHead + 1) % REPLIES;
      s.replyCount--;
      return byte;
    }
    if (s.eventCount === 0) return 0;
    const entry = s.events[s.eventHead];
    s.eventHead = (s.eventHead + 1) % EVENTS;
    s.eventCount--;
    s.inEvent = (entry & MORE) !== 0;
    return entry & 0xff;
  }

  clearEvents(): void {
    this.#s.eventHead = this.#s.eventCount = 0;
    this.#s.inEvent = false;
  }

  clear(): void {
    this.clearEvents();
    this.#s.replyHead = this.#s.replyCount = 0;
  }
}
