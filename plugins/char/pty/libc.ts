/** Pseudo-terminals by the C library (POSIX.1-2008: posix_openpt and its kin, termios, poll; glibc's ptsname_r). */

import { closeSync, constants, openSync } from "node:fs";
import { QemuError } from "../../../core/errors.ts";
import { loadCLibrary } from "../../../core/ffi.ts";

const O_CLOEXEC = 0o2000000;
const NAME_SIZE = 128;
/** Larger than any system's struct termios. */
const TERMIOS_SIZE = 256;
const TCSAFLUSH = 2;
const POLLIN = 0x01;
const POLLHUP = 0x10;
/** struct pollfd: descriptor, wanted events, events. */
const POLLFD_SIZE = 8;
const POLLFD_EVENTS = 4;
const POLLFD_REVENTS = 6;

export interface PseudoTerminal {
  /** The terminal that other programs open. */
  readonly path: string;
  /** Somebody has it open. */
  isOpen(): boolean;
  /** Another descriptor of our end; the caller closes it. */
  duplicate(): number;
  close(): void;
}

/** A new pseudo-terminal in raw mode, which nobody has open. */
export async function openPseudoTerminal(): Promise<PseudoTerminal> {
  const c = await loadCLibrary();
  const check = (what: string, result: number): number => {
    if (result >= 0) return result;
    throw new QemuError("chardev-pty", `chardev: pty: ${what} failed: ${c.errorName()}`);
  };
  const openMaster = c.function("int posix_openpt(int flags)");
  const grant = c.function("int grantpt(int fd)");
  const unlock = c.function("int unlockpt(int fd)");
  const nameOf = c.function("int ptsname_r(int fd, uint8_t *name, size_t size)");
  const getMode = c.function("int tcgetattr(int fd, uint8_t *termios)");
  const makeRaw = c.function("void cfmakeraw(uint8_t *termios)");
  const setMode = c.function("int tcsetattr(int fd, int when, uint8_t *termios)");
  const poll = c.function("int poll(uint8_t *descriptors, unsigned long count, int timeout)");
  const duplicate = c.function("int dup(int fd)");

  const master = check("posix_openpt", openMaster(constants.O_RDWR | constants.O_NOCTTY | O_CLOEXEC));
  try {
    check("grantpt", grant(master));
    check("unlockpt", unlock(master));
    // SAFETY: every buffer outlives the call it is passed to, and is as large as the size passed or needed.
    const name = new Uint8Array(NAME_SIZE);
    if (nameOf(master, name, name.length) !== 0) check("ptsname_r", -1);
    const path = Buffer.from(name.subarray(0, name.indexOf(0))).toString();
    const slave = openSync(path, constants.O_RDWR | constants.O_NOCTTY);
    try {
      const termios = new Uint8Array(TERMIOS_SIZE);
      check("tcgetattr", getMode(slave, termios));
      makeRaw(termios);
      check("tcsetattr", setMode(slave, TCSAFLUSH, termios));
    } finally {
      closeSync(slave);
    }
    const descriptor = new DataView(new ArrayBuffer(POLLFD_SIZE));
    return {
      path,
      isOpen() {
        descriptor.setInt32(0, master, true);
        descriptor.setInt16(POLLFD_EVENTS, POLLIN, true);
        descriptor.setInt16(POLLFD_REVENTS, 0, true);
        poll(descriptor, 1, 0);
        return (descriptor.getInt16(POLLFD_REVENTS, true) & POLLHUP) === 0;
      },
      duplicate: () => check("dup", duplicate(master)),
      close: () => closeSync(master),
    };
  } catch (error) {
    closeSync(master);
    throw error;
  }
}
