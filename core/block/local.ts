/** A `BlockPort` over a node of the same thread: for programs that run devices and I/O in one thread, and for tests. */

import { type BlockNode, deviceError, vectorLength } from "./node.ts";
import type { BlockDone, BlockPort } from "./port.ts";

export class LocalBlockPort implements BlockPort {
  #node: BlockNode | undefined;
  #changed: () => void = () => {};

  constructor(node: BlockNode | undefined) {
    this.#node = node;
  }

  get length(): number {
    return this.#node?.length ?? 0;
  }

  get readOnly(): boolean {
    return this.#node?.readOnly ?? false;
  }

  get inserted(): boolean {
    return this.#node !== undefined;
  }

  read(offset: number, into: readonly Uint8Array[], done: BlockDone): void {
    this.#run(done, (node) => (vectorLength(into) > 0 ? node.read(offset, into) : undefined));
  }

  write(offset: number, from: readonly Uint8Array[], done: BlockDone): void {
    this.#run(done, (node) => (vectorLength(from) > 0 ? node.write(offset, from) : undefined));
  }

  flush(done: BlockDone): void {
    this.#run(done, (node) => node.flush());
  }

  discard(offset: number, length: number, done: BlockDone): void {
    this.#run(done, (node) => node.discard(offset, length));
  }

  onMediumChange(changed: () => void): void {
    this.#changed = changed;
  }

  /** Puts another medium in (undefined: ejects); the caller closes the old one. */
  setNode(node: BlockNode | undefined): void {
    this.#node = node;
    this.#changed();
  }

  #run(done: BlockDone, act: (node: BlockNode) => Promise<void> | undefined): void {
    const node = this.#node;
    const request = async (): Promise<void> => {
      if (!node) throw new Error("no medium");
      await act(node);
    };
    request().then(
      () => done(undefined),
      (error: unknown) => done(deviceError(error)),
    );
  }
}
