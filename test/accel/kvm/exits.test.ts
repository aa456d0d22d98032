/** What is said when the kernel cannot go on; CPUID entries of models against a host's. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { EXIT, RUN } from "../../../accel/kvm/abi.ts";
import { type CpuidEntry, encodeCpuid, vcpuCpuid } from "../../../accel/kvm/cpuid.ts";
import { explainExit, showCode } from "../../../accel/kvm/exits.ts";

const runArea = (): DataView => new DataView(new ArrayBuffer(4096));

test("an emulation failure, with what the kernel adds", () => {
  const run = runArea();
  run.setUint32(RUN.internal_suberror, 1, true);
  run.setUint32(RUN.internal_ndata, 2, true);
  run.setBigUint64(RUN.internal_data + 8, 0xcf0fn, true);
  const text = explainExit(EXIT.INTERNAL_ERROR, run);
  const data = "extra data[0]: 0x0000000000000000\nextra data[1]: 0x000000000000cf0f\n";
  assert.is(text, `KVM internal error. Suberror: 1\n${data}emulation failure\n`);
  run.setUint32(RUN.internal_ndata, 0xffffffff, true);
  assert.is(explainExit(EXIT.INTERNAL_ERROR, run).split("\n").length, 1 + 16 + 2);
});

test("entries that fail, and exits nobody knows", () => {
  const run = runArea();
  run.setBigUint64(RUN.hardware_reason, 0x80000021n, true);
  assert.is(explainExit(EXIT.FAIL_ENTRY, run), "KVM: entry failed, hardware error 0x80000021\n");
  assert.is(explainExit(99, run), "KVM: unknown exit reason 99\n");
});

test("code is shown around its instruction, also at the start of a segment", () => {
  const read = (address: bigint): number | undefined => (address < 0x1010n ? Number(address & 0xffn) : undefined);
  const text = showCode(0x1002n, 2n, read);
  assert.match(text, /^Code=00 01 <02> 03 .* 0f \?\? .*\?\?\n$/);
  assert.is(text.trim().split(" ").length, 50);
});

const SIGNATURE = 0x000506e3;
const HOST: readonly CpuidEntry[] = [
  { leaf: 0, subleaf: 0, indexed: false, registers: [0xd, 0x756e6547, 0x6c65746e, 0x49656e69] },
  // fpu, tsc, msr, pae, apic; cx16, x2apic, tsc-deadline; a cache line of 64 bytes and 16 CPUs.
  { leaf: 1, subleaf: 0, indexed: false, registers: [SIGNATURE, 0x05100800, (1 << 13) | (1 << 21) | (1 << 24), 0x271] },
  { leaf: 7, subleaf: 0, indexed: true, registers: [0, 1, 0, 1 << 26] },
  { leaf: 0xb, subleaf: 1, indexed: true, registers: [4, 16, 0x201, 5] },
  { leaf: 0x40000001, subleaf: 0, indexed: false, registers: [0x0100ffff | 0, 0, 0, 0] },
  { leaf: 0x80000000, subleaf: 0, indexed: false, registers: [0x80000008 | 0, 0, 0, 0] },
];
const NO_APIC = { kernelApic: false, tscDeadline: true };
const find = (entries: readonly CpuidEntry[], leaf: number, subleaf = 0): readonly number[] | undefined =>
  entries.find((entry) => entry.leaf === leaf && entry.subleaf === subleaf)?.registers;

test("-cpu host shows the host as one CPU, without what a kernel's APIC would need", () => {
  const { entries, signature, warnings } = vcpuCpuid("host,-cx16", HOST, NO_APIC);
  assert.is(signature, SIGNATURE);
  assert.equal(warnings, []);
  const leaf1 = find(entries, 1)!;
  assert.equal([leaf1[0], leaf1[1], leaf1[2] >>> 0, leaf1[3]], [SIGNATURE, 0x800, 0x80000000, 0x271]);
  assert.is(find(entries, 7)![3], 1 << 26, "bits without a name");
  assert.equal(find(entries, 0xb, 1), [0, 1, 0x201, 0]);
  assert.equal(find(entries, 0x40000000)!.slice(1), [0x4b4d564b, 0x564b4d56, 0x4d]);
  assert.is(find(entries, 0x40000001)![0], (1 << 3) | (1 << 24));
});

test("the second of four CPUs has its place, whatever the host's is", () => {
  for (const model of ["host", "kvm64"]) {
    const { entries } = vcpuCpuid(model, HOST, NO_APIC, { sockets: 1, dies: 1, cores: 2, threads: 2 }, 2);
    assert.is(find(entries, 1)![1], 0x02040800);
    assert.is((find(entries, 1)![3] >>> 28) & 1, 1);
    assert.equal(
      [find(entries, 0xb, 0), find(entries, 0xb, 1)],
      [
        [1, 2, 0x100, 2],
        [2, 4, 0x201, 2],
      ],
    );
  }
});

test("a model has no more than the host, and says what is missing", () => {
  const { entries, warnings } = vcpuCpuid("qemu64", HOST, NO_APIC);
  assert.is(find(entries, 1)![3] & ~0x271, 0);
  assert.ok(warnings.includes("host doesn't support requested feature: CPUID.01H:ECX.pni [bit 0]"));
  assert.not.ok(warnings.some((warning) => /x2apic/.test(warning)));
  assert.throws(() => vcpuCpuid("qemu64,+avx2", HOST, NO_APIC), /host doesn't support requested feature: avx2/);
  assert.throws(() => vcpuCpuid("nope", HOST, NO_APIC), /unable to find CPU model 'nope'/);
});

test("struct kvm_cpuid2", () => {
  const view = encodeCpuid([{ leaf: 7, subleaf: 0, indexed: true, registers: [1, -1, 3, 4] }]);
  const words = Array.from({ length: view.byteLength / 4 }, (_, i) => view.getUint32(i * 4, true));
  assert.equal(words, [1, 0, 7, 0, 1, 1, 0xffffffff, 3, 4, 0, 0, 0]);
});

test.run();
