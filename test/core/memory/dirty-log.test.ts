import { test } from "uvu";
import * as assert from "uvu/assert";
import { AddressSpace, PAGE_CODE, PAGE_LOG } from "../../../core/memory/address-space.ts";
import type { DirtyLog } from "../../../core/memory/dirty-log.ts";
import { type GuestBlock, GuestMemory } from "../../../core/memory/guest-memory.ts";

const PAGE = 4096;
const PAGES = 16;
/** Where the block is mapped. */
const BASE = 0x10_0000;

class Bench {
  readonly space: AddressSpace;
  readonly block: GuestBlock;
  readonly log: DirtyLog;
  /** Pages whose watch changed, "+3" and "-3". */
  readonly watched: string[] = [];

  constructor({ translator = true } = {}) {
    const memory = GuestMemory.create({ reserved: 8 << 20, ram: PAGES * PAGE });
    this.space = new AddressSpace(memory);
    this.block = memory.allocateBlock("video", PAGES * PAGE);
    this.space.map("video", BASE, PAGES * PAGE, { kind: "ram", block: this.block });
    const page = (address: number): number => (address - this.block.address) / PAGE;
    if (translator) this.space.onWatch((at, on) => void this.watched.push(`${on ? "+" : "-"}${page(at)}`));
    this.log = this.space.logWrites(this.block);
  }

  take(first = 0, pages = PAGES): string {
    const ranges = this.log.take(first * PAGE, pages * PAGE);
    return ranges.map(({ start, end }) => `${start / PAGE}-${end / PAGE}`).join(" ");
  }

  flags(page: number): number {
    return this.space.pageMap[BASE / PAGE + page] & (PAGE_LOG | PAGE_CODE);
  }
}

test("everything is dirty at first, and clean once taken", () => {
  const bench = new Bench();
  assert.is(bench.take(2, 3), "2-5");
  assert.is(bench.take(), "0-2 5-16");
  assert.is(bench.take(), "");
  bench.log.markAll();
  assert.is(bench.take(), "0-16");
});

test("a range takes the pages that it touches, and no others", () => {
  const bench = new Bench();
  bench.take();
  bench.log.mark(3 * PAGE - 1, 2);
  bench.log.mark(9 * PAGE, 1);
  bench.log.mark(PAGES * PAGE - 1, 100);
  bench.log.mark(0, 0);
  assert.equal(bench.log.take(2 * PAGE + 5, 1), [{ start: 2 * PAGE, end: 3 * PAGE }]);
  assert.equal(bench.log.take(0, 0), []);
  assert.is(bench.take(), "3-4 9-10 15-16");
});

test("the first write to a clean page is told, by whatever way it comes", () => {
  const bench = new Bench();
  bench.take(0, 8);
  const seven = ["+0", "+1", "+2", "+3", "+4", "+5", "+6", "+7"];
  assert.equal(bench.watched.splice(0), seven);
  assert.is(bench.flags(4), PAGE_LOG);
  assert.is(bench.flags(8), 0);
  bench.space.write(BASE + 4 * PAGE + 8, 1, 1);
  bench.space.write(BASE + 4 * PAGE + 9, 1, 1);
  bench.space.dma.write(BASE + 6 * PAGE - 1, new Uint8Array(2));
  bench.space.dma.write(BASE - PAGE, new Uint8Array(PAGE + 1));
  bench.space.notifyWrite(bench.block.address - 1, 1);
  assert.equal(bench.watched, ["-4", "-5", "-6", "-0"]);
  assert.is(bench.flags(4), 0);
  assert.is(bench.take(0, 8), "0-1 4-7");
});

test("a page that also holds code goes on being watched", () => {
  const bench = new Bench();
  const address = bench.block.address + 2 * PAGE;
  bench.space.setPageFlag(address, PAGE_CODE, true);
  bench.take(2, 1);
  assert.is(bench.flags(2), PAGE_CODE | PAGE_LOG);
  bench.space.write(BASE + 2 * PAGE, 1, 4);
  assert.is(bench.flags(2), PAGE_CODE);
  bench.space.setPageFlag(address, PAGE_CODE, false);
  assert.equal(bench.watched, ["+2", "-2"]);
});

test("a page is watched wherever the block is mapped", () => {
  const bench = new Bench();
  bench.take();
  const alias = bench.space.map("alias", 2 * BASE, PAGE, { kind: "ram", block: bench.block, offset: 5 * PAGE });
  assert.ok(bench.space.pageMap[(2 * BASE) / PAGE] & PAGE_LOG);
  bench.space.write(2 * BASE + 4, 1, 2);
  assert.is(bench.flags(5), 0);
  alias.remove();
  assert.is(bench.take(), "5-6");
});

test("without a translator nothing is flagged, and sources are asked", () => {
  const bench = new Bench({ translator: false });
  bench.space.onDirtyCollect((log) => log.mark(3 * PAGE, 1));
  assert.is(bench.take(0, 4), "0-4");
  assert.is(bench.flags(0), 0);
  assert.is(bench.take(0, 4), "3-4");
  assert.is(bench.space.logWrites(bench.block), bench.log);
  assert.is(bench.space.dirtyLog(bench.block), bench.log);
});

test.run();
