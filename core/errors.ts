/**
 * The one error class of the program: a stable code, the context the user needs, the cause, and what to do next.
 * The user sees `message` and `hint`; the stack only with --trace.
 */

const BRAND = Symbol.for("qemu-next.Error");

export interface ErrorContext {
  /** The option, file, plugin or device the error is about, e.g. `-drive file=x`. */
  readonly [key: string]: string | number | undefined;
}

export class QemuError extends Error {
  readonly code: string;
  readonly context: ErrorContext;
  readonly hint: string | undefined;
  readonly [BRAND] = true;

  constructor(code: string, message: string, details: { context?: ErrorContext; cause?: unknown; hint?: string } = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = "QemuError";
    this.code = code;
    this.context = details.context ?? {};
    this.hint = details.hint;
  }

  /** Holds for instances made by a second copy of this package, too. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === "object" && value !== null && (value as Record<symbol, unknown>)[BRAND] === true;
  }
}

/** The message of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
