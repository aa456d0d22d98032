/** Everything the guest can set in a VGA, but for video memory. */

import { array, bool, defineState, type State, u8, u16, u32 } from "../../../core/state/state.ts";
import { ATTR_COUNT, CRTC_COUNT, VBE_COUNT } from "./regs.ts";

export const VGA_STATE = defineState("vga", 1, {
  sequencerIndex: u8,
  sequencer: array(u8, 5),
  graphicsIndex: u8,
  graphics: array(u8, 9),
  crtcIndex: u8,
  crtc: array(u8, CRTC_COUNT),
  /** The attribute controller's index, with the palette address source in bit 5. */
  attributeIndex: u8,
  /** The next write of port 3C0h is data. */
  attributeData: bool,
  attribute: array(u8, ATTR_COUNT),
  miscellaneous: u8,
  featureControl: u8,
  /** The four bytes that the last memory read left, plane 0 lowest. */
  latch: u32,
  pelMask: u8,
  dacReadIndex: u8,
  dacWriteIndex: u8,
  /** Which of red, green and blue comes next. */
  dacComponent: u8,
  /** 3 after a read address was set, 0 after a write address. */
  dacState: u8,
  /** Red and green that wait for blue. */
  dacPending: array(u8, 3),
  palette: array(u8, 768),
  vbeIndex: u16,
  vbe: array(u16, VBE_COUNT),
  bigEndian: bool,
});

export type VgaState = State<typeof VGA_STATE>;
