/** The data structures of SMART: ATA/ATAPI-7 section 6.54, and the attributes that tools expect. */

export const SMART_READ_DATA = 0xd0;
export const SMART_READ_THRESHOLDS = 0xd1;
export const SMART_ATTRIBUTE_AUTOSAVE = 0xd2;
export const SMART_EXECUTE_OFFLINE = 0xd4;
export const SMART_READ_LOG = 0xd5;
export const SMART_ENABLE = 0xd8;
export const SMART_DISABLE = 0xd9;
export const SMART_RETURN_STATUS = 0xda;

/** id, flags, value, raw value, threshold */
const ATTRIBUTES: readonly (readonly [number, number, number, number, number])[] = [
  [1, 0x0003, 100, 0, 6], // raw read error rate
  [3, 0x0003, 100, 16, 0], // spin-up time
  [4, 0x0002, 100, 100, 20], // start/stop count
  [5, 0x0003, 100, 0, 36], // reallocated sectors
  [9, 0x0003, 100, 1, 0], // power-on hours
  [12, 0x0003, 100, 0, 0], // power cycle count
  [190, 0x0003, 69, 31, 50], // temperature
];

const EXECUTE_OFFLINE_SUPPORTED = 0x01;
const SELF_TEST_SUPPORTED = 0x10;
const ERROR_LOG_SUPPORTED = 0x01;

function seal(data: Uint8Array): void {
  data[511] = 0;
  data[511] = -data.subarray(0, 511).reduce((sum, byte) => sum + byte, 0);
}

/** SMART READ DATA. */
export function smartData(data: Uint8Array): void {
  data.fill(0, 0, 512);
  data[0] = 0x10; // structure revision
  ATTRIBUTES.forEach(([id, flags, value, raw], i) => {
    data.set([id, flags & 0xff, flags >> 8, value, value, raw & 0xff, raw >> 8], 2 + i * 12);
  });
  data[364] = 0x20; // off-line collection time in seconds
  data[367] = EXECUTE_OFFLINE_SUPPORTED | SELF_TEST_SUPPORTED;
  data[368] = 0x03; // saves attributes
  data[370] = ERROR_LOG_SUPPORTED;
  data[372] = 2; // minutes of a short self-test
  data[373] = 54; // of an extended one
  seal(data);
}

export function smartThresholds(data: Uint8Array): void {
  data.fill(0, 0, 512);
  data[0] = 0x10;
  ATTRIBUTES.forEach(([id, , , , threshold], i) => {
    data.set([id, threshold], 2 + i * 12);
  });
  seal(data);
}

/** A log without entries; false when there is no log of that address. */
export function smartLog(address: number, data: Uint8Array): boolean {
  data.fill(0, 0, 512);
  switch (address) {
    case 0x00: // directory
      data[0] = 1;
      data[1 * 2] = 1;
      data[6 * 2] = 1;
      return true;
    case 0x01: // summary error log
    case 0x06: // self-test log
      data[0] = 1;
      seal(data);
      return true;
    default:
      return false;
  }
}
