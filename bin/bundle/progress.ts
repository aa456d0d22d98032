/** Progress of a command with few steps, on standard error: a bar on a terminal, nothing elsewhere. */

const WIDTH = 24;

export interface Progress {
  /** A step begins. */
  step(text: string): void;
  /** Removes the bar. */
  end(): void;
}

export function progressBar(steps: number, stream: NodeJS.WriteStream = process.stderr): Progress {
  if (!stream.isTTY) return { step() {}, end() {} };
  let done = 0;
  return {
    step(text) {
      const filled = Math.round((WIDTH * Math.min(done++, steps)) / steps);
      const line = `[${"=".repeat(filled).padEnd(WIDTH)}] ${text}`;
      stream.write(`\r\x1b[K${line.slice(0, (stream.columns || 80) - 1)}`);
    },
    end: () => void stream.write("\r\x1b[K"),
  };
}
