/**
 * The `file` protocol: regular files and block devices of the host, by positioned vectored reads and writes.
 * Reads past the end of the file give zeros, so a file that shrinks under us is harmless.
 */

import { readFileSync } from "node:fs";
import { constants, type FileHandle, open } from "node:fs/promises";
import type { BlockProtocol } from "../../../core/block/driver.ts";
import { readFully, type VectorFile, vectorFile, writeFully } from "../../../core/block/file-io.ts";
import { BLOCK_OPEN, type BlockNode, blockFailure, checkRequest, vectorLength } from "../../../core/block/node.ts";
import { QemuError } from "../../../core/errors.ts";

/** What a node does with an open file. */
export type NodeFile = VectorFile & Pick<FileHandle, "datasync" | "truncate" | "close">;

function nodeFile(handle: FileHandle): NodeFile {
  return {
    ...vectorFile(handle.fd),
    datasync: () => handle.datasync(),
    truncate: (length) => handle.truncate(length),
    close: () => handle.close(),
  };
}

export class FileNode implements BlockNode {
  readonly name: string;
  readonly readOnly: boolean;
  readonly #file: NodeFile;
  #length: number;

  constructor(path: string, file: NodeFile, length: number, readOnly: boolean) {
    this.name = `file:${path}`;
    this.#file = file;
    this.#length = length;
    this.readOnly = readOnly;
  }

  get length(): number {
    return this.#length;
  }

  async read(offset: number, into: readonly Uint8Array[]): Promise<void> {
    checkRequest(this, offset, vectorLength(into));
    await this.#try("read", offset, () => readFully(this.#file, offset, into));
  }

  async write(offset: number, from: readonly Uint8Array[]): Promise<void> {
    checkRequest(this, offset, vectorLength(from), true);
    await this.#try("write", offset, () => writeFully(this.#file, offset, from));
  }

  async flush(): Promise<void> {
    if (!this.readOnly) await this.#try("flush", 0, () => this.#file.datasync());
  }

  async discard(offset: number, length: number): Promise<void> {
    checkRequest(this, offset, length, true);
  }

  async truncate(length: number): Promise<void> {
    checkRequest(this, 0, 0, true);
    await this.#try("truncate", length, () => this.#file.truncate(length));
    this.#length = length;
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  async #try(operation: string, offset: number, act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (cause) {
      throw blockFailure(this.name, operation, offset, cause);
    }
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "No such file or directory",
  EACCES: "Permission denied",
  EPERM: "Operation not permitted",
  EISDIR: "Is a directory",
  EROFS: "Read-only file system",
  ETXTBSY: "Text file busy",
  ENXIO: "No such device or address",
  ENOMEDIUM: "No medium found",
};

export const FILE_PROTOCOL: BlockProtocol = {
  name: "file",

  /** Opens `path` for reading, and for writing unless `readOnly`. */
  async open(path, { readOnly }) {
    const file = await tryOpen(path, readOnly);
    try {
      const stat = await file.stat();
      if (stat.isFile()) return new FileNode(path, nodeFile(file), stat.size, readOnly);
      if (stat.isBlockDevice()) return new FileNode(path, nodeFile(file), blockDeviceSize(path, stat.rdev), readOnly);
      throw cannotOpen(path, stat.isDirectory() ? REASONS["EISDIR"] : "Not a regular file or block device");
    } catch (error) {
      await file.close();
      throw error;
    }
  },
};

async function tryOpen(path: string, readOnly: boolean): Promise<FileHandle> {
  try {
    // Without O_NONBLOCK, opening a named pipe would wait for its other end.
    return await open(path, (readOnly ? constants.O_RDONLY : constants.O_RDWR) | constants.O_NONBLOCK);
  } catch (cause) {
    const errno = (cause as { code?: string }).code ?? "";
    const hint =
      !readOnly && (errno === "EACCES" || errno === "EROFS" || errno === "EPERM")
        ? "an image that may only be read is opened with readonly=on or snapshot=on"
        : undefined;
    throw cannotOpen(path, REASONS[errno] ?? errno, cause, hint);
  }
}

function cannotOpen(path: string, reason: string, cause?: unknown, hint?: string): QemuError {
  return new QemuError(BLOCK_OPEN, `Could not open '${path}': ${reason}`, {
    context: { path },
    ...(cause === undefined ? {} : { cause }),
    ...(hint === undefined ? {} : { hint }),
  });
}

/** Bytes of a block device, which stat does not tell. The kernel counts in sectors of 512 bytes. */
function blockDeviceSize(path: string, rdev: number): number {
  const major = Math.floor(rdev / 256) & 0xfff;
  const minor = (rdev & 0xff) | (Math.floor(rdev / 2 ** 20) << 8);
  try {
    return Number(readFileSync(`/sys/dev/block/${major}:${minor}/size`, "utf8")) * 512;
  } catch (cause) {
    throw cannotOpen(path, "the size of the block device is unknown", cause);
  }
}
