/**
 * The part of the AssemblyScript compiler's interface that this project uses. Its own types declare globals of the
 * guest language (`console`, ...) over Node's; tsconfig.json points here instead.
 */

export interface CompilerResult {
  readonly error: Error | null;
  readonly stdout: { toString(): string };
  readonly stderr: { toString(): string };
}

/** Runs the compiler with command line arguments. */
export function main(args: readonly string[]): Promise<CompilerResult>;
