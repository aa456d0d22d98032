/**
 * VGA registers and bits, named as in the IBM VGA technical reference (and FreeVGA); Bochs display interface registers as
 * in the Bochs VBE specification.
 */

// Sequencer (ports 3C4h, 3C5h).
export const SEQ_CLOCKING_MODE = 1;
export const SEQ_MAP_MASK = 2;
export const SEQ_CHARACTER_MAP_SELECT = 3;
export const SEQ_MEMORY_MODE = 4;
export const SEQ_WRITABLE = [0x03, 0x3d, 0x0f, 0x3f, 0x0e];
/** SEQ_CLOCKING_MODE: characters are 8 dots wide, not 9. */
export const CLOCKING_8_DOTS = 0x01;
/** The dot clock is halved. */
export const CLOCKING_HALF = 0x08;
export const CLOCKING_SCREEN_OFF = 0x20;
/** SEQ_MEMORY_MODE: 0 maps even addresses to planes 0 and 2, odd ones to 1 and 3. */
export const MEMORY_SEQUENTIAL = 0x04;
export const MEMORY_CHAIN_4 = 0x08;

// Graphics controller (ports 3CEh, 3CFh).
export const GC_SET_RESET = 0;
export const GC_ENABLE_SET_RESET = 1;
export const GC_COLOR_COMPARE = 2;
export const GC_DATA_ROTATE = 3;
export const GC_READ_MAP_SELECT = 4;
export const GC_MODE = 5;
export const GC_MISCELLANEOUS = 6;
export const GC_COLOR_DONT_CARE = 7;
export const GC_BIT_MASK = 8;
export const GC_WRITABLE = [0x0f, 0x0f, 0x0f, 0x1f, 0x03, 0x7b, 0x0f, 0x0f, 0xff];
/** GC_MODE. */
export const MODE_READ_COMPARE = 0x08;
export const MODE_HOST_ODD_EVEN = 0x10;
export const MODE_SHIFT_INTERLEAVE = 0x20;
export const MODE_SHIFT_256 = 0x40;
/** GC_MISCELLANEOUS. */
export const MISC_GRAPHICS = 0x01;
export const MISC_CHAIN_ODD_EVEN = 0x02;

// CRT controller (ports 3D4h, 3D5h or 3B4h, 3B5h).
export const CRTC_HORIZONTAL_TOTAL = 0x00;
export const CRTC_HORIZONTAL_DISPLAY_END = 0x01;
export const CRTC_VERTICAL_TOTAL = 0x06;
export const CRTC_OVERFLOW = 0x07;
export const CRTC_PRESET_ROW_SCAN = 0x08;
export const CRTC_MAXIMUM_SCAN_LINE = 0x09;
export const CRTC_CURSOR_START = 0x0a;
export const CRTC_CURSOR_END = 0x0b;
export const CRTC_START_ADDRESS_HIGH = 0x0c;
export const CRTC_CURSOR_LOCATION_HIGH = 0x0e;
export const CRTC_VERTICAL_RETRACE_START = 0x10;
export const CRTC_VERTICAL_RETRACE_END = 0x11;
export const CRTC_VERTICAL_DISPLAY_END = 0x12;
export const CRTC_OFFSET = 0x13;
export const CRTC_UNDERLINE_LOCATION = 0x14;
export const CRTC_MODE_CONTROL = 0x17;
export const CRTC_LINE_COMPARE = 0x18;
export const CRTC_COUNT = 0x19;
/** CRTC_MODE_CONTROL: 0 puts row scan bit 0 on address bit 13, row scan bit 1 on address bit 14. */
export const MODE_MA13 = 0x01;
export const MODE_MA14 = 0x02;
export const MODE_COUNT_BY_2 = 0x08;
/** Word addresses wrap at bit 15, not 13. */
export const MODE_ADDRESS_WRAP = 0x20;
export const MODE_BYTE_ADDRESSES = 0x40;

// Attribute controller (ports 3C0h, 3C1h).
export const ATTR_MODE_CONTROL = 0x10;
export const ATTR_OVERSCAN = 0x11;
export const ATTR_COLOR_PLANE_ENABLE = 0x12;
export const ATTR_HORIZONTAL_PANNING = 0x13;
export const ATTR_COLOR_SELECT = 0x14;
export const ATTR_COUNT = 0x15;
/** In the index: the screen shows video memory, not overscan. */
export const ATTR_PAS = 0x20;
/** ATTR_MODE_CONTROL. */
export const ATTR_MONOCHROME = 0x02;
export const ATTR_LINE_GRAPHICS = 0x04;
export const ATTR_BLINK = 0x08;
export const ATTR_PANNING_COMPATIBLE = 0x20;
export const ATTR_8_BIT_COLOR = 0x40;
export const ATTR_P54_SELECT = 0x80;

// Miscellaneous output (port 3C2h).
export const MISC_COLOR_ADDRESSES = 0x01;
export const MISC_RAM_ENABLE = 0x02;

// Input status 1 (port 3DAh).
export const STATUS_DISPLAY_DISABLED = 0x01;
export const STATUS_VERTICAL_RETRACE = 0x08;

// Bochs display interface.
export const VBE_ID = 0x0;
export const VBE_XRES = 0x1;
export const VBE_YRES = 0x2;
export const VBE_BPP = 0x3;
export const VBE_ENABLE = 0x4;
export const VBE_BANK = 0x5;
export const VBE_VIRT_WIDTH = 0x6;
export const VBE_VIRT_HEIGHT = 0x7;
export const VBE_X_OFFSET = 0x8;
export const VBE_Y_OFFSET = 0x9;
export const VBE_VIDEO_MEMORY_64K = 0xa;
export const VBE_COUNT = 0xa;

export const VBE_ID0 = 0xb0c0;
export const VBE_ID5 = 0xb0c5;
export const VBE_MAX_XRES = 16000;
export const VBE_MAX_YRES = 12000;
export const VBE_MAX_BPP = 32;

export const VBE_ENABLED = 0x01;
export const VBE_GETCAPS = 0x02;
export const VBE_8BIT_DAC = 0x20;
export const VBE_NOCLEARMEM = 0x80;
