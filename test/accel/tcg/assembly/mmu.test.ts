import { test } from "uvu";
import * as assert from "uvu/assert";
import * as E from "../../../../accel/tcg/env.ts";
import { TestCpu } from "./cpu-harness.ts";

const cpu = new TestCpu();
const { state } = cpu;

const P = 1;
const W = 2;
const U = 4;
const A = 0x20;
const D = 0x40;
const PS = 0x80;
const G = 0x100;
const NX = 1n << 63n;
const PG = 0x80000001n;
const WP = 0x10000n;

const setMode = (fields: { cr0?: bigint; cr3?: bigint; cr4?: bigint; efer?: bigint; cpl?: number }): void => {
  Object.assign(state, { cr0: PG, cr3: 0x1000n, cr4: 0n, efer: 0n }, fields);
  state.hflags = fields.cpl ?? 0;
  cpu.call("updateHflags");
  cpu.call("flushTlb", 1);
};

test.before.each(() => cpu.reset());

const read = (address: number | bigint): number => Number(cpu.call("loadU32", BigInt(address)));
const write = (address: number | bigint, value: number): void => {
  cpu.call("storeU32", BigInt(address), BigInt(value));
};

test("without paging linear is physical, and wraps at 4 GiB", () => {
  write(0x1234, 0xcafebabe);
  assert.is(cpu.peek(0x1234), 0xcafebabe);
  assert.is(read(0x1234), 0xcafebabe);
  assert.is(read(0x1_0000_1234), 0xcafebabe);
});

test("accesses that cross pages are put together", () => {
  for (const address of [0xffe, 0xfff, 0xffd]) {
    write(address, 0x11223344);
    assert.is(cpu.peek(address), 0x11223344);
    assert.is(read(address), 0x11223344);
  }
  cpu.call("storeU64", 0x1ffbn, 0x1122334455667788n);
  assert.is(cpu.peek64(0x1ffb), 0x1122334455667788n);
  assert.is(BigInt.asUintN(64, cpu.call("loadU64", 0x1ffbn)), 0x1122334455667788n);
});

test("what is not memory goes to the host, in pieces of at most four bytes", () => {
  cpu.input = 0x12345678;
  assert.is(read(0xfee00020), 0x12345678);
  cpu.call("storeU64", 0xfee00030n, 0x1122334455667788n);
  assert.equal(cpu.log, [
    "mmioRead 0:fee00020 4",
    "mmioWrite 0:fee00030 4 55667788",
    "mmioWrite 0:fee00034 4 11223344",
  ]);
  assert.is(Number(cpu.call("loadU8", 0xfee00021n)), 0x78);
  assert.is(state.tlbMisses, 1n, "the page's entry serves later accesses");
});

test("ROM is read directly, and writes to it reach the host", () => {
  cpu.pageMap[3] &= ~2;
  cpu.poke(0x3000, 77);
  assert.is(read(0x3000), 77);
  write(0x3000, 5);
  assert.is(cpu.peek(0x3000), 77);
  assert.equal(cpu.log, ["mmioWrite 0:3000 4 5"]);
  cpu.pageMap[3] |= 2;
});

test("stores to code pages are told, whenever the page became one", () => {
  write(0x5000, 1);
  cpu.setCode(0x5000);
  cpu.call("tlbSetNotify", cpu.ram + 0x5000, 1);
  write(0x5004, 2);
  assert.equal(cpu.log, ["notify 5004 4"]);
  assert.is(cpu.peek(0x5004), 2);
  cpu.call("tlbSetNotify", cpu.ram + 0x5000, 0);
  write(0x5008, 3);
  assert.is(cpu.log.length, 1);
  cpu.call("flushTlb", 1);
  write(0x500c, 3);
  assert.is(cpu.log.length, 2);
  cpu.pageMap[5] &= ~4;
});

test("A20 masks the physical address", () => {
  cpu.poke(0x100000, 1);
  cpu.poke(0, 2);
  assert.is(read(0x100000), 1);
  cpu.call("setA20", 0);
  assert.is(read(0x100000), 2);
  cpu.call("setA20", 1);
  assert.is(read(0x100000), 1);
});

test("32-bit paging: walk, accessed and dirty bits, read before write", () => {
  cpu.poke(0x1000 + 4 * 4, 0x2000 | P | W | U);
  cpu.poke(0x2000 + 4 * 5, 0x6000 | P | W);
  setMode({});
  cpu.poke(0x6010, 42);
  assert.is(read(0x1005010), 42);
  assert.is(cpu.peek(0x2014), 0x6000 | P | W | A);
  assert.is(cpu.peek(0x1010), 0x2000 | P | W | U | A);
  write(0x1005010, 43);
  assert.is(cpu.peek(0x2014), 0x6000 | P | W | A | D);
  assert.is(cpu.peek(0x6010), 43);
});

test("page-fault error codes and CR2", () => {
  cpu.poke(0x1000, 0x2000 | P | W | U);
  cpu.poke(0x2000, 0x6000 | P | W); // supervisor, writable
  cpu.poke(0x2004, 0x7000 | P | U); // user, read-only
  setMode({ cr0: PG | WP });
  assert.is(
    cpu.fault(() => read(0x800000)),
    "14:0",
  );
  assert.is(state.cr2, 0x800000n);
  assert.is(
    cpu.fault(() => write(0x2ffe, 0)),
    "14:2",
  );
  assert.is(state.cr2, 0x2ffen);
  assert.is(
    cpu.fault(() => write(0x1000, 0)),
    "14:3",
    "write protection for the supervisor",
  );
  assert.is(cpu.peek(0x2004), 0x7000 | P | U, "a fault sets no accessed bit");
  setMode({ cr0: PG });
  assert.is(
    cpu.fault(() => write(0x1000, 0)),
    undefined,
  );
  setMode({ cpl: 3 });
  assert.is(
    cpu.fault(() => read(0x10)),
    "14:5",
  );
  assert.is(
    cpu.fault(() => write(0x10, 1)),
    "14:7",
  );
  assert.is(
    cpu.fault(() => write(0x1010, 1)),
    "14:7",
  );
  assert.is(
    cpu.fault(() => read(0x3000)),
    "14:4",
  );
  assert.is(
    cpu.fault(() => read(0x1ffe)),
    "14:4",
  );
  assert.is(state.cr2, 0x2000n, "the second page's start when that one is missing");
  assert.is(Number(cpu.call("loadU32K", 0x10n)), 0, "helpers reach supervisor pages");
  assert.is(state.pageFaults, 8n);
});

test("a faulting store across pages leaves the first page alone", () => {
  cpu.poke(0x1000, 0x2000 | P | W | U);
  cpu.poke(0x2000, 0x6000 | P | W);
  setMode({});
  assert.is(
    cpu.fault(() => write(0xffe, 0xffffffff)),
    "14:2",
  );
  assert.is(cpu.peek(0x6ffc), 0);
});

test("4 MiB pages, PSE-36 and reserved bits", () => {
  cpu.poke(0x1000, 0x400000 | P | W | PS);
  cpu.poke(0x1004, 0x000000 | P | W | PS | 0x2000); // address bit 32
  cpu.poke(0x1008, 0x200000 | P | W | PS); // bit 21 is reserved
  cpu.pageMap[0x400] = cpu.pageMap[0];
  state.features[0] = 1 << 17;
  setMode({ cr4: 0x10n });
  cpu.poke(0x24, 9);
  assert.is(read(0x24), 9);
  assert.is(cpu.peek(0x1000), 0x400000 | P | W | PS | A);
  write(0x24, 10);
  assert.is(cpu.peek(0x1000), 0x400000 | P | W | PS | A | D);
  read(0x400024);
  assert.equal(cpu.log, ["mmioRead 1:24 4"]);
  assert.is(
    cpu.fault(() => read(0x800000)),
    "14:9",
  );
  cpu.pageMap[0x400] = 0;
});

test("PAE: entries from env, 2 MiB pages, NX, reserved bits", () => {
  state.pdptes[0] = 0x2001n;
  cpu.poke64(0x2000, 0x3007n);
  cpu.poke64(0x2008, 0x200000n | 0x87n); // 2 MiB page
  cpu.poke64(0x2010, 0x202000n | 0x87n); // reserved bit 13
  cpu.poke64(0x3000, 0x6007n | NX);
  cpu.poke64(0x3008, 0x6007n | (1n << 41n));
  cpu.poke64(0x3010, 0x6007n | (1n << 52n));
  cpu.poke64(0x3018, 0x6005n);
  setMode({ cr4: 0x20n });
  assert.is(
    cpu.fault(() => read(0)),
    "14:9",
    "XD is reserved without NXE",
  );
  setMode({ cr4: 0x20n, efer: 0x800n });
  cpu.poke(0x6000, 11);
  assert.is(read(0), 11);
  assert.is(
    cpu.fault(() => read(0x1000)),
    "14:9",
  );
  assert.is(
    cpu.fault(() => read(0x2000)),
    "14:9",
  );
  assert.is(
    cpu.fault(() => read(0x40000000)),
    "14:0",
  );
  assert.is(
    cpu.fault(() => read(0x400000)),
    "14:9",
  );
  cpu.poke(0x212344, 12);
  assert.is(read(0x212344), 12);
  assert.ok(BigInt.asUintN(64, cpu.call("fetchPage", 0x0n)) >> 63n, "NX");
  assert.is(state.excError, 0x11);
  assert.is(cpu.call("fetchPage", 0x3004n), BigInt(cpu.ram + 0x6004));
});

const map4 = (linear: bigint, entry: bigint): void => {
  cpu.poke64(0x1000 + Number((linear >> 39n) & 511n) * 8, 0x2007n);
  cpu.poke64(0x2000 + Number((linear >> 30n) & 511n) * 8, 0x3007n);
  cpu.poke64(0x3000 + Number((linear >> 21n) & 511n) * 8, 0x4007n);
  cpu.poke64(0x4000 + Number((linear >> 12n) & 511n) * 8, entry);
};
const LONG = { cr4: 0x20n, efer: 0xd00n };

test("four levels, canonical addresses, accessed bits on every level", () => {
  map4(0xffff_8000_0000_5000n, 0x6003n);
  setMode(LONG);
  write(0xffff_8000_0000_5004n, 99);
  assert.is(cpu.peek(0x6004), 99);
  assert.equal(
    [cpu.peek64(0x1800), cpu.peek64(0x2000), cpu.peek64(0x3000), cpu.peek64(0x4028)],
    [0x2027n, 0x3027n, 0x4027n, 0x6063n],
  );
  assert.is(
    cpu.fault(() => read(0x8000_0000_0000n)),
    "258:0",
  );
  assert.is(
    cpu.fault(() => read(0xffff_7fff_ffff_fffen)),
    "258:0",
  );
  assert.is(
    cpu.fault(() => read(0x1_0000_0000n)),
    "14:0",
    "no wrap in long mode",
  );
});

test("1 GiB pages need the feature; PS in the top level is reserved", () => {
  cpu.poke64(0x1000, 0x2007n);
  cpu.poke64(0x2000, 0x87n);
  setMode(LONG);
  assert.is(
    cpu.fault(() => read(0x6000)),
    "14:9",
  );
  state.features[5] = 1 << 26;
  cpu.poke(0x6000, 3);
  assert.is(read(0x6000), 3);
  cpu.poke64(0x1000, 0x2087n);
  cpu.call("flushTlb", 1);
  assert.is(
    cpu.fault(() => read(0x6000)),
    "14:9",
  );
});

test("SMEP and SMAP", () => {
  map4(0x5000n, 0x6007n);
  setMode({ ...LONG, cr4: 0x300020n });
  assert.is(
    cpu.fault(() => read(0x5000)),
    "14:1",
  );
  cpu.call("fetchPage", 0x5000n);
  assert.is(state.excVector, 14);
  assert.is(state.excError, 0x11);
  cpu.call("setEflags", 0x40000n, 0x40000n);
  assert.is(
    cpu.fault(() => read(0x5000)),
    undefined,
    "EFLAGS.AC suspends SMAP",
  );
  assert.is(
    cpu.fault(() => cpu.call("loadU32K", 0x5000n)),
    "14:1",
    "but not for implicit accesses",
  );
  setMode({ ...LONG, cr4: 0x300020n, cpl: 3 });
  assert.is(
    cpu.fault(() => read(0x5000)),
    undefined,
  );
});

test("the write tag appears with the dirty bit only", () => {
  map4(0x5000n, 0x6003n);
  setMode(LONG);
  const tlb = state.tlb + 5 * E.TLB_ENTRY_SIZE;
  read(0x5000);
  assert.is(cpu.memory.view.getBigUint64(tlb, true), 0x5000n);
  assert.is(cpu.memory.view.getBigUint64(tlb + 8, true), 0x5000n | BigInt(E.TLB_INVALID));
  write(0x5000, 1);
  assert.is(cpu.memory.view.getBigUint64(tlb + 8, true), 0x5000n);
});

test("global pages survive a flush of CR3; INVLPG drops them, and large pages as a whole", () => {
  map4(0x5000n, BigInt(0x6003 | G));
  map4(0x7000n, 0x8003n);
  setMode({ ...LONG, cr4: 0xa0n });
  read(0x5000);
  read(0x7000);
  cpu.poke64(0x4028, 0n);
  cpu.poke64(0x4038, 0n);
  cpu.call("flushTlb", 0);
  assert.is(
    cpu.fault(() => read(0x5000)),
    undefined,
  );
  assert.is(
    cpu.fault(() => read(0x7000)),
    "14:0",
  );
  cpu.call("flushPage", 0x5123n);
  assert.is(
    cpu.fault(() => read(0x5000)),
    "14:0",
  );
  cpu.poke64(0x3008, 0x200083n);
  read(0x201000);
  read(0x203000);
  cpu.poke64(0x3008, 0n);
  cpu.call("flushPage", 0x3ff000n);
  assert.is(
    cpu.fault(() => read(0x201000)),
    "14:0",
  );
  assert.is(
    cpu.fault(() => read(0x203000)),
    "14:0",
  );
});

test("alignment checks in ring 3", () => {
  setMode({ cr0: 0x40001n, cpl: 3 });
  cpu.call("setEflags", 0x40000n, 0x40000n);
  assert.is(
    cpu.fault(() => read(0x1002)),
    "17:0",
  );
  assert.is(
    cpu.fault(() => read(0x1004)),
    undefined,
  );
  assert.is(
    cpu.fault(() => cpu.call("loadU32K", 0x1002n)),
    undefined,
  );
  cpu.call("setEflags", 0n, 0x40000n);
  assert.is(
    cpu.fault(() => read(0x1002)),
    undefined,
  );
});

test("slow accesses leave a fault in env instead of throwing", () => {
  setMode({ cr3: 0x1000n });
  assert.is(cpu.call("slowLoad", 0x5000n, 4), 0n);
  assert.is(state.excVector, 14);
  cpu.call("slowStore", 0x5000n, 4, 1n);
  assert.is(state.excError, 2);
  cpu.call("slowStore128", 0x5ff8n, E.ENV.xmm);
  assert.is(state.cr2, 0x5ff8n);
});

test("data breakpoints are noted, overlapping in any way", () => {
  state.dr[0] = 0x5004n;
  state.dr[7] = 0xd0401n; // L0, write, four bytes
  cpu.call("updateHflags");
  write(0x5000, 1);
  read(0x5004);
  assert.is(state.pendingDebug, 0);
  cpu.call("storeU8", 0x5007n, 1n);
  assert.is(state.pendingDebug, 1);
  state.pendingDebug = 0;
  write(0x5002, 1);
  assert.is(state.pendingDebug, 1);
});

test("the monitor's translation leaves no trace", () => {
  map4(0x5000n, 0x6003n);
  setMode(LONG);
  assert.is(cpu.call("debugTranslate", 0x5123n), 0x6123n);
  assert.is(BigInt.asUintN(64, cpu.call("debugTranslate", 0x9123n)), (1n << 64n) - 1n);
  assert.is(state.excVector, -1);
  assert.is(cpu.peek64(0x4028), 0x6003n);
});

test.run();
