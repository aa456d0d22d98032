/** Character devices without another end: output vanishes, no input comes. */

import type { Chardev, ChardevType } from "../../../core/char/chardev.ts";
import { NULL_CHAR } from "../../../core/char/port.ts";

const nowhere = (description: string): Chardev => ({ ...NULL_CHAR, description, close: async () => {} });

export const NULL: ChardevType = {
  name: "null",
  description: "no other end",
  options: {},
  open: async () => nowhere("null"),
};

/** A text console of a graphical display; there is none, so nobody sees it. */
export const VC: ChardevType = {
  name: "vc",
  description: "virtual console",
  options: {
    width: { type: "uint32" },
    height: { type: "uint32" },
    cols: { type: "uint32" },
    rows: { type: "uint32" },
  },
  open: async () => nowhere("vc"),
};
