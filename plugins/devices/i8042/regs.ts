/** Registers and commands of the PC/AT keyboard controller (IBM PS/2 Hardware Interface Technical Reference). */

export const STATUS_OBF = 0b0000_0001;
export const STATUS_SYS = 0b0000_0100;
/** The last byte came to the command port. */
export const STATUS_CMD = 0b0000_1000;
/** The keyboard is not locked. */
export const STATUS_UNLOCKED = 0b0001_0000;
export const STATUS_AUX_OBF = 0b0010_0000;

/** Command byte. */
export const MODE_KBD_INT = 0b0000_0001;
export const MODE_AUX_INT = 0b0000_0010;
export const MODE_SYS = 0b0000_0100;
export const MODE_DISABLE_KBD = 0b0001_0000;
export const MODE_DISABLE_AUX = 0b0010_0000;
/** Translate set 2 to set 1. */
export const MODE_XLATE = 0b0100_0000;

/** Output port P2. */
export const OUT_NRESET = 0b0000_0001;
export const OUT_A20 = 0b0000_0010;
export const OUT_KBD_OBF = 0b0001_0000;
export const OUT_AUX_OBF = 0b0010_0000;
/** Clock and data lines of the keyboard, which idle high. */
export const OUT_IDLE = 0b1100_1100;

/** Input port P1: the keyboard is not locked. */
export const IN_UNLOCKED = 0b1000_0000;

export const READ_RAM = 0x20;
export const WRITE_RAM = 0x60;
export const RAM_COMMANDS = 0x20;
export const TEST_PASSWORD = 0xa4;
export const LOAD_PASSWORD = 0xa5;
export const DISABLE_AUX = 0xa7;
export const ENABLE_AUX = 0xa8;
export const TEST_AUX = 0xa9;
export const SELF_TEST = 0xaa;
export const TEST_KBD = 0xab;
export const DISABLE_KBD = 0xad;
export const ENABLE_KBD = 0xae;
export const READ_INPUT_PORT = 0xc0;
export const READ_OUTPUT_PORT = 0xd0;
export const WRITE_OUTPUT_PORT = 0xd1;
export const WRITE_KBD_BUFFER = 0xd2;
export const WRITE_AUX_BUFFER = 0xd3;
export const WRITE_AUX = 0xd4;
export const DISABLE_A20 = 0xdd;
export const ENABLE_A20 = 0xdf;
export const READ_TEST_INPUTS = 0xe0;
/** 0xf0 to 0xff pulse the output port bits that are 0; bit 0 resets the machine. */
export const PULSE_OUTPUT = 0xf0;

export const SELF_TEST_OK = 0x55;
export const PASSWORD_NONE = 0xf1;
export const INTERFACE_OK = 0x00;
