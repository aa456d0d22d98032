/**
 * Guests (a) to (d): Debian's kernel with busybox in an initramfs. A script prints marks around each piece of work.
 */

import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cachePath } from "../tools/cache.ts";
import type { Architecture } from "../tools/debian.ts";
import { buildInitramfs } from "../tools/initramfs.ts";
import { linuxFiles } from "../tools/packages.ts";
import { compile } from "./emulators.ts";
import { type Context, type Guest, type Measured, timed, timesOf, totalOf } from "./guest.ts";
import { cpuSeconds, memoryOf } from "./process.ts";
import { watch } from "./watch.ts";

const RAM_MIB = 256;

interface LinuxOptions {
  readonly architecture?: Architecture;
  readonly script: string;
  readonly files?: Readonly<Record<string, Uint8Array>>;
  readonly cpu?: string;
  /** Kernel messages on the console too, as at an ordinary boot. */
  readonly verbose?: boolean;
}

/** QEMU's options for a machine that boots the kernel, runs a script and powers off. */
async function linux(context: Context, name: string, options: LinuxOptions): Promise<string[]> {
  const { architecture = "amd64", script, files, cpu, verbose = false } = options;
  const { kernel, busybox } = await linuxFiles(architecture);
  const initramfs = context.path(`${name}.cpio`);
  writeFileSync(initramfs, buildInitramfs({ busybox, script, files }));
  const append = `console=ttyS0 panic=-1${verbose ? "" : " loglevel=1"}`;
  return [
    ...["-m", String(RAM_MIB), "-display", "none", "-serial", "stdio", "-monitor", "none", "-nic", "none"],
    "-no-reboot",
    ...(cpu ? ["-cpu", cpu] : []),
    ...["-kernel", kernel, "-initrd", initramfs, "-append", append],
  ];
}

export const boot: Guest = {
  id: "a",
  title: "Debian's amd64 cloud kernel to /init, and power off",
  onV86: false,
  async prepare(context) {
    const options = await linux(context, "boot", { script: "echo; echo @@ at init", verbose: true });
    return async (emulator) => {
      const watched = await watch(emulator.command(options), { seconds: 180 });
      return [...timesOf(watched, ["init"]), totalOf(watched, "power-off", 0)];
    };
  },
};

const LOOPS = 100_000;
const FORKS = 300;
const WORK = ["shell-loop", "md5sum", "gzip", "sha256sum", "fork-exec"];
const IDLE_SECONDS = 10;

/**
 * What gzip gets is busybox itself, which is like any program, and zeros. Making the files is not measured. At the end
 * the guest touches almost all its RAM, so that RAM can be told from what the emulator keeps for itself.
 */
const WORK_SCRIPT = `
dd if=/dev/zero of=/zeros bs=1M count=32 2>/dev/null
(cat /bin/busybox; cat /zeros) | head -c 16777216 >/mixed
echo @@ begin shell-loop
i=0; while [ $i -lt ${LOOPS} ]; do i=$((i + 1)); done
echo @@ end shell-loop $i
echo @@ begin md5sum
set -- $(md5sum /zeros)
echo @@ end md5sum $1
echo @@ begin gzip
set -- $(gzip -9 -c /mixed | wc -c)
echo @@ end gzip $1
echo @@ begin sha256sum
set -- $(sha256sum /mixed)
echo @@ end sha256sum $1
echo @@ begin fork-exec
i=0; while [ $i -lt ${FORKS} ]; do /bin/true; i=$((i + 1)); done
echo @@ end fork-exec $i
free=$(awk '/MemAvailable/ { print int($2 / 1024) - 16 }' /proc/meminfo)
dd if=/dev/zero of=/fill bs=1M count=$free 2>/dev/null
rm /fill
sleep 2
echo @@ at idle
sleep ${IDLE_SECONDS}
echo @@ at awake
`;

/** The work of (b) and (d), then a sleep in which the host looks at the emulator. */
function work(id: string, architecture: Architecture, title: string, onV86: boolean): Guest {
  return {
    id,
    title,
    onV86,
    async prepare(context) {
      const options = await linux(context, `work-${architecture}`, { architecture, script: WORK_SCRIPT });
      return async (emulator) => {
        const beside: Measured[] = [];
        let idle = { cpu: 0, started: 0 };
        const watched = await watch(emulator.command(options), {
          seconds: 400,
          onMark({ name }, pid) {
            if (name === "idle") {
              idle = { cpu: cpuSeconds(pid), started: performance.now() };
              beside.push({ row: "memory above guest RAM", unit: "MiB", value: memoryOf(pid, RAM_MIB) });
            } else if (name === "awake") {
              const seconds = (performance.now() - idle.started) / 1000;
              beside.push({
                row: "CPU of the idle guest",
                unit: "%",
                value: ((cpuSeconds(pid) - idle.cpu) / seconds) * 100,
              });
            }
          },
        });
        return [...timesOf(watched, WORK), ...beside];
      };
    },
  };
}

export const workAmd64 = work("b", "amd64", "busybox at work on the amd64 kernel", false);
export const workI386 = work("d", "i386", "busybox at work on the 686 kernel", true);

const PROGRAMS = [
  ...["sieve", "fib", "xorshift-multiply", "double-arithmetic", "pointer-chase", "qsort", "memmove", "CRC"],
  ...["bytecode-interpreter", "matrix-double", "matrix-float", "SHA-256", "string-functions", "AES"],
];

export const compute: Guest = {
  id: "c",
  title: "static C programs on the amd64 kernel",
  onV86: false,
  async prepare(context) {
    const source = join(import.meta.dirname, "compute.c");
    const hash = createHash("sha256").update(readFileSync(source)).digest("hex").slice(0, 16);
    const program = cachePath("bench", `compute-${hash}`);
    await compile(source, program, context.progress);
    const options = await linux(context, "compute", {
      script: `/compute ${PROGRAMS.join(" ")}`,
      files: { compute: readFileSync(program) },
      cpu: "qemu64,+aes",
    });
    return (emulator) => timed(emulator.command(options), PROGRAMS, { seconds: 400 });
  },
};
