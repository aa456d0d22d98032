/**
 * Sector addresses in the task file: cylinder, head and sector, 28-bit and 48-bit logical block addresses (ATA/ATAPI-7
 * volume 1, sections 4.2 and 6.2). The three address registers hold 24 bits; their previous contents hold 24 more.
 */

import type { TaskFile } from "./channel.ts";
import * as R from "./regs.ts";

/** How a command addresses sectors. */
export const ADDRESS_CHS = 0;
export const ADDRESS_LBA28 = 1;
export const ADDRESS_LBA48 = 2;

const LOW_24 = 2 ** 24;

/** What a command is about, and the translation that CHS addresses go through. */
export interface AddressState {
  addressing: number;
  lba: number;
  count: number;
  readonly heads: number;
  readonly sectors: number;
}

const low24 = (tf: TaskFile): number => tf.lbaLow | (tf.lbaMid << 8) | (tf.lbaHigh << 16);
const previous24 = (tf: TaskFile): number => tf.lbaLowHob | (tf.lbaMidHob << 8) | (tf.lbaHighHob << 16);

/** Reads address and count from the registers. Returns the bits of the error register that the command ends with, or 0. */
export function takeAddress(tf: TaskFile, s: AddressState, lba48: boolean): number {
  const lba = (tf.device & R.DEVICE_LBA) !== 0;
  s.count = tf.sectorCount || 256;
  if (lba48) {
    s.addressing = ADDRESS_LBA48;
    s.count = (tf.sectorCountHob << 8) | tf.sectorCount || 65536;
    s.lba = previous24(tf) * LOW_24 + low24(tf);
    return lba ? 0 : R.ERROR_ABRT;
  }
  if (lba) {
    s.addressing = ADDRESS_LBA28;
    s.lba = (tf.device & R.DEVICE_HEAD) * LOW_24 + low24(tf);
    return 0;
  }
  s.addressing = ADDRESS_CHS;
  const cylinder = tf.lbaMid | (tf.lbaHigh << 8);
  const head = tf.device & R.DEVICE_HEAD;
  s.lba = (cylinder * s.heads + head) * s.sectors + tf.lbaLow - 1;
  return head < s.heads && tf.lbaLow >= 1 && tf.lbaLow <= s.sectors ? 0 : R.ERROR_IDNF;
}

/** Puts a sector's address into the registers, in the command's way of addressing. */
export function putAddress(tf: TaskFile, { addressing, heads, sectors }: AddressState, lba: number): void {
  let low = lba % LOW_24;
  let high = Math.floor(lba / LOW_24);
  if (addressing === ADDRESS_CHS) {
    const track = Math.floor(lba / sectors);
    low = (lba % sectors) + 1 + (Math.floor(track / heads) % 65536) * 256;
    high = track % heads;
  }
  tf.lbaLow = low;
  tf.lbaMid = low >>> 8;
  tf.lbaHigh = low >>> 16;
  if (addressing === ADDRESS_LBA48) {
    tf.lbaLowHob = high;
    tf.lbaMidHob = high >>> 8;
    tf.lbaHighHob = high >>> 16;
  } else {
    tf.device = (tf.device & ~R.DEVICE_HEAD) | (high & R.DEVICE_HEAD);
  }
}
