/** Registers, bits and command codes of ATA/ATAPI-7 (T13 1532D) and MMC, with the standards' spelling. */

// Command block registers, by offset.
export const REG_DATA = 0;
export const REG_ERROR = 1; // FEATURE when written
export const REG_SECTOR_COUNT = 2; // INTERRUPT REASON with PACKET
export const REG_LBA_LOW = 3;
export const REG_LBA_MID = 4;
export const REG_LBA_HIGH = 5;
export const REG_DEVICE = 6;
export const REG_STATUS = 7; // COMMAND when written

export const STATUS_ERR = 0b0000_0001; // CHK with PACKET
export const STATUS_DRQ = 0b0000_1000;
export const STATUS_DSC = 0b0001_0000;
export const STATUS_DRDY = 0b0100_0000;
export const STATUS_BSY = 0b1000_0000;
export const STATUS_READY = STATUS_DRDY | STATUS_DSC;

export const ERROR_ABRT = 0b0000_0100;
export const ERROR_IDNF = 0b0001_0000;
export const ERROR_UNC = 0b0100_0000;
/** Diagnostic code: device 0 passed, device 1 passed or not present. */
export const DIAGNOSTIC_PASSED = 0x01;

export const DEVICE_HEAD = 0b0000_1111;
export const DEVICE_DEV = 0b0001_0000;
export const DEVICE_LBA = 0b0100_0000;
/** Bits 7 and 5, which read as ones since ATA-1. */
export const DEVICE_OBSOLETE = 0b1010_0000;

export const CONTROL_NIEN = 0b0000_0010;
export const CONTROL_SRST = 0b0000_0100;
export const CONTROL_HOB = 0b1000_0000;

// INTERRUPT REASON
export const REASON_CD = 0b01;
export const REASON_IO = 0b10;

export const CMD_NOP = 0x00;
export const CMD_DATA_SET_MANAGEMENT = 0x06;
export const CMD_DEVICE_RESET = 0x08;
export const CMD_RECALIBRATE = 0x10; // to 0x1f
export const CMD_READ_SECTORS = 0x20;
export const CMD_READ_SECTORS_NORETRY = 0x21;
export const CMD_READ_SECTORS_EXT = 0x24;
export const CMD_READ_DMA_EXT = 0x25;
export const CMD_READ_NATIVE_MAX_EXT = 0x27;
export const CMD_READ_MULTIPLE_EXT = 0x29;
export const CMD_WRITE_SECTORS = 0x30;
export const CMD_WRITE_SECTORS_NORETRY = 0x31;
export const CMD_WRITE_SECTORS_EXT = 0x34;
export const CMD_WRITE_DMA_EXT = 0x35;
export const CMD_WRITE_MULTIPLE_EXT = 0x39;
export const CMD_WRITE_DMA_FUA_EXT = 0x3d;
export const CMD_READ_VERIFY = 0x40;
export const CMD_READ_VERIFY_NORETRY = 0x41;
export const CMD_READ_VERIFY_EXT = 0x42;
export const CMD_SEEK = 0x70; // to 0x7f
export const CMD_EXECUTE_DEVICE_DIAGNOSTIC = 0x90;
export const CMD_INITIALIZE_DEVICE_PARAMETERS = 0x91;
export const CMD_PACKET = 0xa0;
export const CMD_IDENTIFY_PACKET_DEVICE = 0xa1;
export const CMD_SMART = 0xb0;
export const CMD_READ_MULTIPLE = 0xc4;
export const CMD_WRITE_MULTIPLE = 0xc5;
export const CMD_SET_MULTIPLE_MODE = 0xc6;
export const CMD_READ_DMA = 0xc8;
export const CMD_READ_DMA_NORETRY = 0xc9;
export const CMD_WRITE_DMA = 0xca;
export const CMD_WRITE_DMA_NORETRY = 0xcb;
export const CMD_WRITE_MULTIPLE_FUA_EXT = 0xce;
export const CMD_STANDBY_IMMEDIATE = 0xe0;
export const CMD_IDLE_IMMEDIATE = 0xe1;
export const CMD_STANDBY = 0xe2;
export const CMD_IDLE = 0xe3;
export const CMD_CHECK_POWER_MODE = 0xe5;
export const CMD_SLEEP = 0xe6;
export const CMD_FLUSH_CACHE = 0xe7;
export const CMD_FLUSH_CACHE_EXT = 0xea;
export const CMD_IDENTIFY_DEVICE = 0xec;
export const CMD_SET_FEATURES = 0xef;
export const CMD_READ_NATIVE_MAX = 0xf8;

/** The power commands' codes of ATA-1 to ATA-3: 94h to 99h without 9ah. */
export const OLD_POWER_COMMANDS: Readonly<Record<number, number>> = {
  148: CMD_STANDBY_IMMEDIATE,
  149: CMD_IDLE_IMMEDIATE,
  150: CMD_STANDBY,
  151: CMD_IDLE,
  152: CMD_CHECK_POWER_MODE,
  153: CMD_SLEEP,
};

// SET FEATURES
export const FEATURE_ENABLE_WRITE_CACHE = 0x02;
export const FEATURE_SET_TRANSFER_MODE = 0x03;
export const FEATURE_DISABLE_LOOK_AHEAD = 0x55;
export const FEATURE_DISABLE_REVERTING = 0x66;
export const FEATURE_DISABLE_WRITE_CACHE = 0x82;
export const FEATURE_ENABLE_LOOK_AHEAD = 0xaa;
export const FEATURE_ENABLE_REVERTING = 0xcc;

// Bus master registers ("Programming Interface for Bus Master IDE Controller", revision 1.0, section 2).
export const BM_COMMAND = 0;
export const BM_STATUS = 2;
export const BM_PRD_ADDRESS = 4;
export const BM_COMMAND_START = 0b0001;
export const BM_COMMAND_WRITE = 0b1000;
export const BM_STATUS_ACTIVE = 0b0000_0001;
export const BM_STATUS_ERROR = 0b0000_0010;
export const BM_STATUS_INTERRUPT = 0b0000_0100;
export const BM_STATUS_DRIVES = 0b0110_0000;
