#!/usr/bin/env node
/*
 * Starts qemu-next. This file runs on any Node from 12 on: when the Node that runs it is older than the program needs,
 * it hands over to the one in the package's node_modules, or says what to do.
 */

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import * as module from "node:module";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const NEEDED = 24;
const here = dirname(fileURLToPath(import.meta.url));

/** A Node installed beside the package or in one of the folders above it. */
function findNode() {
  for (let folder = here; ; folder = dirname(folder)) {
    const candidate = join(folder, "node_modules", "node", "bin", "node");
    if (existsSync(candidate)) return candidate;
    if (folder === dirname(folder)) return undefined;
  }
}

/** Runs this program on another Node; its end is ours. */
function handOver(node) {
  const child = spawn(node, [fileURLToPath(import.meta.url)].concat(process.argv.slice(2)), { stdio: "inherit" });
  ["SIGINT", "SIGTERM", "SIGHUP"].forEach((signal) => {
    process.on(signal, () => child.kill(signal));
  });
  child.on("exit", (status) => process.exit(status === null ? 1 : status));
}

/** Keeps compiled code between runs: saves most of the start-up time, in the machine's thread too. */
function keepCompiledCode() {
  try {
    if (!process.env.NODE_COMPILE_CACHE) {
      const cache = process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
      process.env.NODE_COMPILE_CACHE = join(cache, "qemu-next", "code");
    }
    module.enableCompileCache(process.env.NODE_COMPILE_CACHE);
  } catch {
    // Not every user has a home folder.
  }
}

if (Number(process.versions.node.split(".")[0]) >= NEEDED) {
  keepCompiledCode();
  import("./qemu-next.ts");
} else {
  const node = findNode();
  if (node) {
    handOver(node);
  } else {
    console.error("qemu-next: Node.js " + NEEDED + " or newer is needed; this is " + process.version + ".");
    console.error("Install a newer Node.js, or run 'npm install node' beside this package.");
    process.exit(1);
  }
}
