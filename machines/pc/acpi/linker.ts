/**
 * Tables that point at each other, before anybody knows where they will lie. A `LinkedBlobs` records which words are
 * pointers and which bytes are checksums; the same record is turned into the script that firmware executes
 * ("etc/table-loader": 128-byte commands, as QEMU's docs/specs/acpi_... linker interface defines them), or is carried
 * out here when a machine starts without firmware.
 */

export interface Blob {
  /** The fw_cfg file's name, e.g. "etc/acpi/tables". */
  readonly file: string;
  readonly data: Uint8Array;
  readonly align: number;
  /** Where firmware puts it: anywhere, or in the first megabyte where RSDP is searched. */
  readonly zone: "high" | "fseg";
}

/** A 4-byte pointer in `file` at `offset`; it holds the offset within `target` to which the address of that is added. */
interface Pointer {
  readonly kind: "pointer";
  readonly file: string;
  readonly offset: number;
  readonly target: string;
}

/** A byte at `offset` that makes the sum of `length` bytes from `start` zero. */
interface Checksum {
  readonly kind: "checksum";
  readonly file: string;
  readonly offset: number;
  readonly start: number;
  readonly length: number;
}

export interface LinkedBlobs {
  readonly blobs: readonly Blob[];
  /** In the order in which they must be carried out: a checksum comes after the pointers it covers. */
  readonly fixups: readonly (Pointer | Checksum)[];
}

const COMMAND_SIZE = 128;
const FILE_NAME_SIZE = 56;
const COMMAND_ALLOCATE = 1;
const COMMAND_ADD_POINTER = 2;
const COMMAND_ADD_CHECKSUM = 3;
const ZONES = { high: 1, fseg: 2 } as const;

class Command {
  readonly bytes = new Uint8Array(COMMAND_SIZE);
  readonly #view = new DataView(this.bytes.buffer);
  #at = 0;

  u8(value: number): this {
    this.bytes[this.#at++] = value;
    return this;
  }

  u32(value: number): this {
    this.#view.setUint32(this.#at, value, true);
    this.#at += 4;
    return this;
  }

  file(name: string): this {
    this.bytes.set(new TextEncoder().encode(name).subarray(0, FILE_NAME_SIZE - 1), this.#at);
    this.#at += FILE_NAME_SIZE;
    return this;
  }
}

/** The contents of "etc/table-loader". */
export function loaderScript({ blobs, fixups }: LinkedBlobs): Uint8Array {
  const commands = [
    ...blobs.map(({ file, align, zone }) => new Command().u32(COMMAND_ALLOCATE).file(file).u32(align).u8(ZONES[zone])),
    ...fixups.map((fixup) =>
      fixup.kind === "pointer"
        ? new Command().u32(COMMAND_ADD_POINTER).file(fixup.file).file(fixup.target).u32(fixup.offset).u8(4)
        : new Command().u32(COMMAND_ADD_CHECKSUM).file(fixup.file).u32(fixup.offset).u32(fixup.start).u32(fixup.length),
    ),
  ];
  const script = new Uint8Array(commands.length * COMMAND_SIZE);
  for (const [i, { bytes }] of commands.entries()) script.set(bytes, i * COMMAND_SIZE);
  return script;
}

/** The byte that makes the sum of `bytes` zero, modulo 256. */
export function checksum(bytes: Uint8Array): number {
  return -bytes.reduce((sum, byte) => sum + byte, 0) & 0xff;
}

/**
 * Carries out the fixups for blobs that lie at the given addresses: returns their final bytes by file name.
 * `addresses` must name every blob.
 */
export function placeBlobs(
  { blobs, fixups }: LinkedBlobs,
  addresses: Readonly<Record<string, number>>,
): Map<string, { readonly address: number; readonly data: Uint8Array }> {
  const placed = new Map(
    blobs.map(({ file, data }) => [file, { address: addresses[file], data: Uint8Array.from(data) }] as const),
  );
  for (const fixup of fixups) {
    const { data } = placed.get(fixup.file)!;
    if (fixup.kind === "pointer") {
      const view = new DataView(data.buffer);
      view.setUint32(fixup.offset, view.getUint32(fixup.offset, true) + placed.get(fixup.target)!.address, true);
    } else {
      data[fixup.offset] = 0;
      data[fixup.offset] = checksum(data.subarray(fixup.start, fixup.start + fixup.length));
    }
  }
  return placed;
}
