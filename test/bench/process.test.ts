import { test } from "uvu";
import * as assert from "uvu/assert";
import { cpuSeconds, memoryAbove, memoryOf, parseMappings } from "./process.ts";

const SMAPS = `7f0000000000-7f0010000000 rw-p 00000000 00:00 0
Size:             262144 kB
KernelPageSize:        4 kB
Rss:              102400 kB
Pss:              102400 kB
7f0020000000-7f0020100000 rw-p 00000000 00:00 0
Size:              20480 kB
KernelPageSize:        4 kB
Rss:               10240 kB
`;

test("mappings of smaps", () => {
  assert.equal(parseMappings(SMAPS), [
    { sizeKib: 262144, residentKib: 102400 },
    { sizeKib: 20480, residentKib: 10240 },
  ]);
});

test("guest RAM is the mapping that can hold it; touched pages alone count", () => {
  assert.is(memoryAbove(parseMappings(SMAPS), 256), 10);
  // 50 MiB of the 100 in that mapping are not RAM.
  assert.is(memoryAbove(parseMappings(SMAPS), 50), 60);
  // No mapping is large enough.
  assert.is(memoryAbove(parseMappings(SMAPS), 1024), 110);
});

test("this process has memory and CPU time", () => {
  assert.ok(memoryOf(process.pid, 2 ** 30) > 10);
  assert.ok(cpuSeconds(process.pid) > 0);
});

test.run();
