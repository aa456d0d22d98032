/**
 * Just enough of an assembler for option ROMs: bytes are given by hand, with their mnemonic beside them; labels and the
 * distances to them are computed here.
 */

interface Fixup {
  readonly at: number;
  readonly label: string;
  readonly kind: "rel8" | "rel16" | "abs16" | "abs32";
}

export class Assembler {
  readonly #bytes: number[] = [];
  readonly #labels = new Map<string, number>();
  readonly #fixups: Fixup[] = [];

  get position(): number {
    return this.#bytes.length;
  }

  /** Opcode bytes as hexadecimal text, e.g. "66 0f c8". The mnemonic documents them. */
  op(hex: string, _mnemonic: string): this {
    if (hex !== "") this.#bytes.push(...hex.split(" ").map((byte) => Number.parseInt(byte, 16)));
    return this;
  }

  /** An instruction that ends in a reference to a label. */
  ref(hex: string, kind: Fixup["kind"], label: string, mnemonic: string): this {
    this.op(hex, mnemonic);
    const size = kind === "rel8" ? 1 : kind === "abs32" ? 4 : 2;
    this.#fixups.push({ at: this.position, label, kind });
    for (let i = 0; i < size; i++) this.#bytes.push(0);
    return this;
  }

  label(name: string): this {
    if (this.#labels.has(name)) throw new Error(`label ${name} defined twice`);
    this.#labels.set(name, this.position);
    return this;
  }

  bytes(...values: number[]): this {
    this.#bytes.push(...values.map((value) => value & 0xff));
    return this;
  }

  words(...values: number[]): this {
    for (const value of values) this.bytes(value, value >> 8);
    return this;
  }

  text(value: string): this {
    return this.bytes(...new TextEncoder().encode(value), 0);
  }

  /** Zeros up to offset `to`. */
  org(to: number): this {
    if (to < this.position) throw new Error(`org ${to} lies behind ${this.position}`);
    while (this.position < to) this.#bytes.push(0);
    return this;
  }

  /** The bytes, with all labels resolved. */
  assemble(): Uint8Array {
    const image = Uint8Array.from(this.#bytes);
    const view = new DataView(image.buffer);
    for (const { at, label, kind } of this.#fixups) {
      const target = this.#labels.get(label);
      if (target === undefined) throw new Error(`label ${label} is not defined`);
      if (kind === "abs16") view.setUint16(at, target, true);
      else if (kind === "abs32") view.setUint32(at, target, true);
      else if (kind === "rel16") view.setInt16(at, target - (at + 2), true);
      else {
        const distance = target - (at + 1);
        if (distance < -128 || distance > 127) throw new Error(`label ${label} is too far for a short jump`);
        view.setInt8(at, distance);
      }
    }
    return image;
  }
}
