/**
 * A writer of cpio archives in the "newc" format (070701), as Linux's initramfs takes them
 * (Documentation/driver-api/early-userspace/buffer-format.rst): a 110-byte header of hexadecimal fields, the name, the
 * data, each padded to 4 bytes. All times are zero, so that equal contents make equal archives.
 */

export interface CpioEntry {
  readonly path: string;
  readonly kind: "file" | "directory" | "symlink" | "character";
  /** Permission bits; by default 0755 for directories, 0777 for links, 0644 for the rest. */
  readonly mode?: number;
  /** A file's bytes, or a link's target. */
  readonly data?: Uint8Array | string;
  /** A device node's numbers. */
  readonly device?: { readonly major: number; readonly minor: number };
}

const TYPES = { file: 0o100000, directory: 0o040000, symlink: 0o120000, character: 0o020000 } as const;
const DEFAULT_MODES = { file: 0o644, directory: 0o755, symlink: 0o777, character: 0o600 } as const;
const TRAILER: CpioEntry = { path: "TRAILER!!!", kind: "file", mode: 0 };

const hex = (value: number): string => (value >>> 0).toString(16).padStart(8, "0");

function member(entry: CpioEntry, inode: number): Uint8Array[] {
  const data = typeof entry.data === "string" ? Buffer.from(entry.data) : (entry.data ?? new Uint8Array(0));
  const name = Buffer.from(`${entry.path}\0`);
  const isTrailer = entry === TRAILER;
  const mode = isTrailer ? 0 : TYPES[entry.kind] | (entry.mode ?? DEFAULT_MODES[entry.kind]);
  const links = entry.kind === "directory" ? 2 : 1;
  const { major = 0, minor = 0 } = entry.device ?? {};
  // ino, mode, uid, gid, nlink, mtime, filesize, devmajor, devminor, rdevmajor, rdevminor, namesize, check
  const fields = [isTrailer ? 0 : inode, mode, 0, 0, links, 0, data.length, 0, 0, major, minor, name.length, 0];
  const header = Buffer.from(`070701${fields.map(hex).join("")}`);
  const pad = (length: number): Uint8Array => new Uint8Array(-length & 3);
  return [header, name, pad(header.length + name.length), data, pad(data.length)];
}

/** Makes an archive. Missing parent folders are added. */
export function writeCpio(entries: readonly CpioEntry[]): Uint8Array {
  const all: CpioEntry[] = [];
  const seen = new Set<string>();
  const add = (entry: CpioEntry): void => {
    if (seen.has(entry.path)) return;
    const slash = entry.path.lastIndexOf("/");
    if (slash > 0) add({ path: entry.path.slice(0, slash), kind: "directory" });
    seen.add(entry.path);
    all.push(entry);
  };
  for (const entry of entries) add(entry);
  const parts = [...all, TRAILER].flatMap((entry, i) => member(entry, i + 1));
  const size = parts.reduce((sum, part) => sum + part.length, 0);
  return new Uint8Array(Buffer.concat([...parts, new Uint8Array(-size & 511)]));
}
