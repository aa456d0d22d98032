/**
 * Runs the test files: each in a child process of its own, two at a time, with a time limit.
 *
 *     node test/run.ts [--filter text] [--jobs n] [--backend name] [--verbose] [file ...]
 *
 * A file is one or more uvu suites. The default limit is 60 seconds; a file that needs more says so in a comment of
 * its own, `// @timeout 300` (seconds). Files under test/guest start machines and run last, one at a time; those with a
 * comment `// @backends wasm js,jit-threshold=20 interp` run once with each of these back ends of the accelerator tcg.
 * Those with a comment `// @beside` wait most of the time; they run one after the other beside everything else.
 * The closing line is `N passed, N failed, N skipped`; the exit status is 1 when anything failed.
 */

import { spawn } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { relative, resolve } from "node:path";
import { parseArgs, stripVTControlCharacters } from "node:util";

const ROOT = resolve(import.meta.dirname, "..");
const DEFAULT_TIMEOUT = 60;

/** One run of a file. */
interface Job {
  readonly file: string;
  /** The back end of tcg that machines get, and more properties of tcg; empty for the default. */
  readonly backend: string;
}

interface FileResult {
  readonly file: string;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly seconds: number;
  /** Set when the file itself went wrong: it crashed, hung or ran no test. */
  readonly problem: string | undefined;
  readonly output: string;
}

function timeoutOf(file: string): number {
  const match = /^\/\/ @timeout (\d+)/m.exec(readFileSync(file, "utf8"));
  return match ? Number(match[1]) : DEFAULT_TIMEOUT;
}

function count(output: string, what: string): number {
  return [...output.matchAll(new RegExp(`^\\s*${what}:\\s+(\\d+)`, "gm"))].reduce((sum, m) => sum + Number(m[1]), 0);
}

/** The runs that a file asks for, or those among them with a certain back end. */
function jobsOf(file: string, only: string | undefined): Job[] {
  const match = /^\/\/ @backends (.+)/m.exec(readFileSync(file, "utf8"));
  const backends = match ? match[1].trim().split(/\s+/) : [""];
  return backends.filter((backend) => !only || backend.split(",")[0] === only).map((backend) => ({ file, backend }));
}

function runFile({ file, backend }: Job): Promise<FileResult> {
  const limit = timeoutOf(file);
  const started = performance.now();
  return new Promise((done) => {
    const child = spawn(process.execPath, [file], {
      cwd: ROOT,
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
      env: { ...process.env, NODE_NO_WARNINGS: "1", QEMU_NEXT_TEST_BACKEND: backend },
    });
    let raw = "";
    let timedOut = false;
    child.stdout.on("data", (data) => (raw += data));
    child.stderr.on("data", (data) => (raw += data));
    const killGroup = (): void => {
      try {
        process.kill(-child.pid!, "SIGKILL");
      } catch {
        // The group has ended by itself.
      }
    };
    const timer = setTimeout(() => {
      timedOut = true;
      killGroup();
    }, limit * 1000);
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      killGroup();
      const output = stripVTControlCharacters(raw);
      const total = count(output, "Total");
      const passed = count(output, "Passed");
      const failed = total - passed;
      const problem = timedOut
        ? `no end within ${limit} seconds`
        : signal
          ? `ended by ${signal}`
          : total === 0 && count(output, "Skipped") === 0
            ? `ran no test (exit status ${code})`
            : code !== 0 && failed === 0
              ? `exit status ${code}`
              : undefined;
      done({
        file: relative(ROOT, file) + (backend && ` with ${backend}`),
        passed,
        failed: failed + (problem ? 1 : 0),
        skipped: count(output, "Skipped"),
        seconds: (performance.now() - started) / 1000,
        problem,
        output: raw,
      });
    });
  });
}

function report(result: FileResult, verbose: boolean): void {
  const counts = `${result.passed}${result.failed ? `, ${result.failed} FAILED` : ""}`;
  console.log(`${result.failed ? "FAIL" : "ok  "} ${result.file} (${counts}, ${result.seconds.toFixed(1)} s)`);
  if (result.problem) console.log(`     ${result.problem}`);
  if (result.failed || verbose) console.log(result.output.trimEnd().replace(/^/gm, "     | "));
}

async function runAll(files: readonly Job[], jobs: number, verbose: boolean): Promise<FileResult[]> {
  const results: FileResult[] = [];
  const queue = [...files];
  const lane = async (): Promise<void> => {
    for (let file = queue.shift(); file; file = queue.shift()) {
      const result = await runFile(file);
      results.push(result);
      report(result, verbose);
    }
  };
  await Promise.all(Array.from({ length: jobs }, lane));
  return results;
}

const { values, positionals } = parseArgs({
  options: {
    filter: { type: "string" },
    jobs: { type: "string" },
    backend: { type: "string" },
    verbose: { type: "boolean", default: false },
  },
  allowPositionals: true,
});
const found = positionals.length
  ? positionals.map((file) => resolve(file))
  : globSync("test/**/*.test.ts", { cwd: ROOT }).map((file) => resolve(ROOT, file));
const files = found
  .filter((file) => !values.filter || relative(ROOT, file).includes(values.filter))
  .sort()
  .flatMap((file) => jobsOf(file, values.backend));
const isGuest = ({ file }: Job): boolean => relative(ROOT, file).startsWith("test/guest/");
const jobs = Math.max(1, Number(values.jobs ?? Math.min(2, availableParallelism())));

const isBeside = ({ file }: Job): boolean => /^\/\/ @beside$/m.test(readFileSync(file, "utf8"));

const { verbose } = values;
const beside = runAll(files.filter(isBeside), 1, verbose);
const others = files.filter((job) => !isBeside(job));
const units = await runAll(
  others.filter((job) => !isGuest(job)),
  jobs,
  verbose,
);
const guests = await runAll(others.filter(isGuest), 1, verbose);
const results = [...units, ...guests, ...(await beside)];
const sum = (pick: (result: FileResult) => number): number => results.reduce((total, r) => total + pick(r), 0);
const failed = sum((r) => r.failed);
const broken = results.filter((r) => r.failed > 0);
if (broken.length) console.log(`\nFailed: ${broken.map((r) => r.file).join(", ")}`);
console.log(`\n${sum((r) => r.passed)} passed, ${failed} failed, ${sum((r) => r.skipped)} skipped`);
process.exitCode = failed || results.length === 0 ? 1 : 0;
