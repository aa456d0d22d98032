/**
 * Functions of the C library, by their C prototypes. The only file that knows which foreign function interface there is;
 * it is loaded when the first function is asked for.
 */

import { KOFFI_ADDON, loadAddon, PLACE } from "./assets.ts";
import { messageOf, QemuError } from "./errors.ts";

/** A C function of integers and pointers; a typed array is passed as the address of its bytes. */
export type CFunction = (...args: readonly (number | bigint | ArrayBufferView | null)[]) => number;

export interface CLibrary {
  /** @throws QemuError when the library has no such function. */
  function(prototype: string): CFunction;
  /**
   * The bytes at an address, once for each address.
   *
   * SAFETY: they have to stay where they are as long as the buffer is used.
   */
  view(address: number, size: number): ArrayBuffer;
  /** errno of the last call in this thread, as its name ("ENXIO"). */
  errorName(): string;
}

/** koffi from its package, or its addon alone, which has the whole interface: see bin/bundle/code.ts. */
async function loadKoffi(): Promise<typeof import("koffi").default> {
  if (PLACE === "source") return (await import("koffi")).default;
  return loadAddon(KOFFI_ADDON) as typeof import("koffi").default;
}

/** The C library of this process. */
export async function loadCLibrary(): Promise<CLibrary> {
  try {
    const koffi = await loadKoffi();
    const library = koffi.load(null);
    // Of several names of one number the first one counts (EAGAIN).
    const names = new Map(
      Object.entries(koffi.os.errno)
        .reverse()
        .map(([name, number]) => [number, name]),
    );
    return {
      function: (prototype) => library.func(prototype) as unknown as CFunction,
      view: (address, size) => koffi.view(BigInt(address), size),
      errorName() {
        const number = koffi.errno();
        return names.get(number) ?? `error ${number}`;
      },
    };
  } catch (cause) {
    throw new QemuError("ffi", `the C library cannot be called here: ${messageOf(cause)}`, { cause });
  }
}
