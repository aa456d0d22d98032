/**
 * Host input on its way to the guest. Keys are named by QEMU's QKeyCode names ("a", "ret", "shift", "kp_1", ...), mouse
 * motion is relative in counts, or absolute in 0..32767.
 */

export type MouseButton = "left" | "middle" | "right" | "side" | "extra" | "wheel-up" | "wheel-down";

export interface KeySink {
  key(code: string, down: boolean): void;
}

export interface PointerSink {
  readonly absolute: boolean;
  move(dx: number, dy: number): void;
  button(button: MouseButton, down: boolean): void;
  /** Marks the end of events that belong together. */
  sync(): void;
}

/** The last registered sink of a kind gets the events, as the most recently plugged device does. */
export class InputHub {
  readonly #keys: KeySink[] = [];
  readonly #pointers: PointerSink[] = [];

  addKeyboard(sink: KeySink): void {
    this.#keys.push(sink);
  }

  addPointer(sink: PointerSink): void {
    this.#pointers.push(sink);
  }

  key(code: string, down: boolean): void {
    this.#keys.at(-1)?.key(code, down);
  }

  get pointer(): PointerSink | undefined {
    return this.#pointers.at(-1);
  }
}
