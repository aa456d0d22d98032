// @timeout 60
/** The machine's thread and those of vCPUs: accesses, standing and going on. */

import { Worker } from "node:worker_threads";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Doorbell } from "../../../core/thread/doorbell.ts";
import { VCPU_LINK_SIZE, VcpuLink } from "../../../core/vm/vcpu-link.ts";
import { VcpuThreads } from "../../../core/vm/vcpu-threads.ts";

const VCPUS = 3;

class Bench {
  readonly buffer = new SharedArrayBuffer(VCPUS * VCPU_LINK_SIZE);
  readonly bell = new Doorbell(this.buffer, 0);
  readonly counts = new Int32Array(this.buffer, 16, 8);
  readonly links = Array.from({ length: VCPUS }, (_, i) => new VcpuLink(this.buffer, i * VCPU_LINK_SIZE, () => {}));
  readonly writes: [port: number, value: number][] = [];
  readonly posts: [index: number, post: unknown][] = [];
  caughtUp = 0;
  /** Whether writes that were kept back have been done since the last access. */
  settled = false;
  unsettled = 0;
  onWrite = (): void => {};
  readonly threads = new VcpuThreads({
    links: this.links,
    bell: this.bell,
    ports: {
      read: () => 0,
      write: (port, value) => {
        this.writes.push([port, value]);
        if (!this.settled) this.unsettled++;
        this.settled = false;
        this.onWrite();
      },
    },
    memory: { read: (address) => (address - 2 ** 40) & 0xffff, write() {} },
    catchUp: () => void this.caughtUp++,
    settle: () => {
      this.settled = true;
    },
    wake: (index) => this.links[index].bell.ring(),
    onPost: (index, post) => this.posts.push([index, post]),
  });
  readonly workers: Worker[] = [];

  start(): void {
    for (let index = 1; index < VCPUS; index++) {
      const workerData = { buffer: this.buffer, index };
      this.workers.push(new Worker(new URL("./vcpu-link.worker.ts", import.meta.url), { workerData }));
    }
    while (!this.links.slice(1).every(({ stands }) => stands)) this.bell.wait(10);
  }

  /** Serves for as long as `more` says. */
  serveWhile(more: () => boolean): void {
    while (more()) {
      this.bell.wait(10);
      this.threads.serve();
    }
  }

  async end(): Promise<void> {
    this.threads.end();
    await Promise.all(this.workers.map((worker) => worker.terminate()));
  }
}

test("accesses and messages reach the machine's thread, each once and whole", async () => {
  const bench = new Bench();
  bench.start();
  assert.equal([...bench.counts.slice(1, VCPUS)], [0, 0]);
  bench.threads.go();
  bench.serveWhile(() => bench.posts.length < 2);
  for (let index = 1; index < VCPUS; index++) {
    const values = bench.writes.filter(([port]) => port === 0x80 + index).map(([, value]) => value);
    assert.equal(
      values,
      values.map((_, i) => i * 100 + 7),
    );
    assert.ok(values.length >= 50);
  }
  assert.is(bench.caughtUp, bench.writes.length);
  assert.is(bench.unsettled, 0);
  assert.equal(bench.posts.map(([index]) => index).sort(), [1, 2]);
  assert.equal(bench.posts[0][1], { kind: "exit", exit: "triple-fault" });
  assert.not(bench.threads.failed);
  // Both stand where they could not go on, until the machine has been reset.
  const stand = (): boolean => bench.links.slice(1).every(({ stands }) => stands);
  while (!stand()) bench.bell.wait(10);
  bench.threads.exclusively(() => {});
  bench.threads.stop();
  bench.threads.go();
  assert.ok(stand());
  bench.threads.stop();
  bench.threads.revive();
  bench.threads.go();
  const [, before] = bench.counts;
  bench.serveWhile(() => bench.counts[1] < before + 1000);
  await bench.end();
});

test("while they are stopped nothing moves, thousands of times", async () => {
  const bench = new Bench();
  bench.start();
  let moved = 0;
  for (let i = 0; i < 3000; i++) {
    bench.threads.go();
    bench.threads.serve();
    bench.settled = false;
    bench.threads.stop();
    assert.ok(bench.settled);
    const at = [...bench.counts];
    if (i % 100 === 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    if (at.some((count, index) => count !== bench.counts[index])) moved++;
    assert.ok(bench.links.slice(1).every(({ stands, call }) => stands && call === undefined));
  }
  assert.is(moved, 0);
  await bench.end();
});

test("in the middle of an access, those that wait for one go on waiting", async () => {
  const bench = new Bench();
  bench.start();
  let changes = 0;
  bench.onWrite = () => {
    const seen = bench.writes.length;
    bench.threads.exclusively(() => {
      const at = [...bench.counts];
      changes++;
      assert.equal(at, [...bench.counts]);
    });
    assert.is(bench.writes.length, seen);
  };
  bench.threads.go();
  bench.serveWhile(() => bench.writes.length < 40);
  assert.ok(changes >= 40);
  await bench.end();
});

test("memory changes while others are being stopped: not before they are out of the guest", async () => {
  const bench = new Bench();
  bench.start();
  let early = 0;
  bench.onWrite = () => {
    bench.threads.exclusively(() => {
      if (!bench.links.slice(1).every(({ stands, calls }) => stands || calls)) early++;
    });
  };
  for (let i = 0; bench.writes.length < 100; i++) {
    bench.threads.go();
    if (i % 3 === 0) bench.threads.serve();
    bench.threads.stop();
  }
  assert.is(early, 0);
  await bench.end();
});

test.run();
