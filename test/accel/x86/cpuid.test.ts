/** The leaves about sockets, cores and threads, as QEMU 7.2's CPUs have them. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { parseModel } from "../../../accel/tcg/x86/cpu-model.ts";
import { apicIdOf, type CpuTopology, ONE_CPU } from "../../../core/cpu-topology.ts";

const FOUR: CpuTopology = { ...ONE_CPU, cores: 4 };
const THREADS: CpuTopology = { sockets: 2, dies: 1, cores: 3, threads: 2 };
const DIES: CpuTopology = { sockets: 1, dies: 2, cores: 3, threads: 1 };

function leaves(model: string, topology: CpuTopology, index: number, leaf: number, subleaves = 1): string[] {
  const cpu = parseModel(model, topology);
  const state = { apicId: apicIdOf(topology, index), osxsave: false, apic: true };
  return Array.from({ length: subleaves }, (_, subleaf) =>
    cpu
      .leaf(leaf, subleaf, state)
      .map((value) => (value >>> 0).toString(16))
      .join(" "),
  );
}
const ebx1 = (topology: CpuTopology, index: number): string => leaves("qemu64", topology, index, 1)[0].split(" ")[1];
const htt = (topology: CpuTopology): boolean =>
  ((Number.parseInt(leaves("qemu64", topology, 0, 1)[0].split(" ")[3], 16) >>> 28) & 1) === 1;

test("leaf 1: logical CPUs and initial APIC ID", () => {
  assert.equal([ebx1(ONE_CPU, 0), ebx1(FOUR, 0), ebx1(FOUR, 3)], ["800", "40800", "3040800"]);
  assert.equal([ebx1(THREADS, 11), ebx1(DIES, 5)], ["d060800", "6030800"]);
  assert.equal([htt(ONE_CPU), htt(FOUR), htt({ ...ONE_CPU, sockets: 2 })], [false, true, false]);
});

test("leaf 4: cores, and who shares a cache; not on AMD CPUs", () => {
  const eax = (topology: CpuTopology) => leaves("kvm64", topology, 0, 4, 5).map((leaf) => leaf.split(" ")[0]);
  assert.equal(eax(ONE_CPU), ["121", "122", "143", "163", "0"]);
  assert.equal(eax(FOUR), ["c000121", "c000122", "c000143", "c00c163", "0"]);
  assert.equal(eax(THREADS), ["8000121", "8000122", "8004143", "801c163", "0"]);
  assert.equal(eax(DIES), ["8000121", "8000122", "8000143", "800c163", "0"]);
  assert.equal(leaves("qemu64", FOUR, 0, 4), ["0 0 0 0"]);
});

test("leaf 0xb: threads and cores", () => {
  assert.equal(leaves("qemu64", ONE_CPU, 0, 0xb, 4), ["0 1 100 0", "0 1 201 0", "0 0 2 0", "0 0 3 0"]);
  assert.equal(leaves("kvm64", FOUR, 2, 0xb, 3), ["0 1 100 2", "2 4 201 2", "0 0 2 2"]);
  assert.equal(leaves("max", THREADS, 11, 0xb, 2), ["1 2 100 d", "3 6 201 d"]);
});

test("leaf 0x1f: dies, of Intel CPUs that have several", () => {
  assert.equal(leaves("kvm64", DIES, 4, 0x1f, 4), ["0 1 100 5", "2 3 201 5", "3 6 502 5", "0 0 3 5"]);
  assert.equal(parseModel("kvm64", DIES).levels.basic, 0x1f);
  assert.equal(parseModel("pentium3", DIES).levels.basic, 0x1f);
  assert.equal(parseModel("kvm64", FOUR).levels.basic, 0xd);
  assert.equal(parseModel("qemu64", DIES).levels.basic, 0xd);
});

test("AMD's leaves: CmpLegacy, number of cores and bits of the APIC ID", () => {
  const ecx = (model: string, topology: CpuTopology, leaf: number) => leaves(model, topology, 0, leaf)[0].split(" ")[2];
  assert.equal([ecx("qemu64", ONE_CPU, 0x80000001), ecx("qemu64", FOUR, 0x80000001)], ["1", "3"]);
  assert.is(ecx("kvm64", FOUR, 0x80000001), "0");
  assert.equal(
    [ONE_CPU, FOUR, THREADS, DIES].map((topology) => ecx("qemu64", topology, 0x80000008)),
    ["0", "2003", "3005", "3002"],
  );
});

test("threads of AMD CPUs bring a warning", () => {
  assert.equal(parseModel("qemu64", FOUR).warnings, []);
  assert.equal(parseModel("kvm64", THREADS).warnings, []);
  assert.match(
    parseModel("qemu64", THREADS).warnings.join(),
    /^This family of AMD CPU doesn't support hyperthreading\(2\)$/,
  );
});

test.run();
