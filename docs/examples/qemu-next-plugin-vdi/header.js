/**
 * The header of a VDI file, version 1.1, little-endian. Offsets in bytes:
 *
 *     0x040  signature           0x154  offset of the block map     0x170  size of the disk, 64 bits
 *     0x044  version             0x158  offset of the first block   0x178  size of a block
 *     0x04c  type of the image   0x168  size of a sector            0x17c  extra bytes before each block
 *                                                                   0x180  blocks of the disk
 *                                                                   0x184  blocks in the file
 *                                                                   0x1b8  UUID of the parent image
 *
 * Only what reading and writing need is kept.
 */

import { BLOCK_OPEN, QemuError } from "qemu-next";

export const HEADER_SIZE = 512;
export const BLOCKS_IN_FILE = 0x184;
export const SIGNATURE = 0xbeda107f;
export const VERSION = 0x00010001;

export const TYPE_DYNAMIC = 1;
export const TYPE_FIXED = 2;

/** Entries of the block map that are no number of a block. Both read as zeros. */
export const UNALLOCATED = 0xffffffff;
export const ZERO = 0xfffffffe;

export const SECTOR = 512;
const MAX_BLOCK_SIZE = 64 << 20;
/** 64 MiB of block map: 16 TiB with the usual block of 1 MiB. */
const MAX_BLOCKS = 16 << 20;

/**
 * @typedef {object} Header
 * @property {number} mapOffset
 * @property {number} dataOffset
 * @property {number} diskSize
 * @property {number} blockSize
 * @property {number} blocks
 */

/**
 * @param {Uint8Array} bytes the first HEADER_SIZE bytes of the file
 * @param {string} name of the file, for messages
 * @returns {Header}
 */
export function readHeader(bytes, name) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const u32 = (offset) => view.getUint32(offset, true);
  const refuse = (what) => {
    throw new QemuError(BLOCK_OPEN, `${name}: ${what}`);
  };
  if (u32(0x40) !== SIGNATURE) refuse("not a VDI image (wrong signature)");
  if (u32(0x44) !== VERSION) refuse(`VDI version ${u32(0x44) >>> 16}.${u32(0x44) & 0xffff} is not supported`);
  const type = u32(0x4c);
  if (type !== TYPE_DYNAMIC && type !== TYPE_FIXED) refuse(`VDI images of type ${type} are not supported`);
  if (bytes.subarray(0x1b8, 0x1c8).some((byte) => byte !== 0)) refuse("VDI images with a parent are not supported");
  const header = {
    mapOffset: u32(0x154),
    dataOffset: u32(0x158),
    diskSize: Number(view.getBigUint64(0x170, true)),
    blockSize: u32(0x178),
    blocks: u32(0x180),
  };
  const { mapOffset, dataOffset, diskSize, blockSize, blocks } = header;
  if (u32(0x168) !== SECTOR) refuse(`a sector size of ${u32(0x168)} is not supported`);
  if (u32(0x17c) !== 0) refuse("extra data before blocks is not supported");
  if (blockSize === 0 || blockSize % SECTOR !== 0 || blockSize > MAX_BLOCK_SIZE) refuse(`bad block size ${blockSize}`);
  if (blocks > MAX_BLOCKS) refuse(`too many blocks (${blocks})`);
  if (diskSize % SECTOR !== 0 || diskSize > blocks * blockSize) refuse(`bad disk size ${diskSize}`);
  if (mapOffset < HEADER_SIZE || mapOffset % SECTOR !== 0) refuse(`bad offset of the block map (${mapOffset})`);
  if (dataOffset < mapOffset + blocks * 4 || dataOffset % SECTOR !== 0)
    refuse(`bad offset of the data (${dataOffset})`);
  return header;
}
