import { test } from "uvu";
import * as assert from "uvu/assert";
import { isCurrent } from "../../../../accel/tcg/jit/form.ts";
import type { Region } from "../../../../accel/tcg/jit/region.ts";
import { SmallGuest } from "./small-guest.ts";

/** Labels of the blocks in a region, in the order in which they were taken. */
function members(guest: SmallGuest, region: Region | undefined, ...labels: string[]): string[] {
  const entry = region!.phys;
  return region!.blocks.map(({ delta, phys }) => {
    assert.is(phys, entry + delta);
    return labels.find((label) => guest.block(label).phys === phys) ?? "?";
  });
}

const DIAMOND = `
entry:
  test eax, eax
  je rare
common:
  inc ebx
  jmp end
rare:
  dec ebx
  jmp end
end:
  dec ecx
  jne entry
out:
  ret`;

test("blocks come by how often they are entered", async () => {
  const guest = await SmallGuest.create(DIAMOND);
  guest.taken("entry", "common", 800);
  guest.taken("entry", "rare", 200);
  guest.taken("common", "end", 800);
  guest.taken("rare", "end", 200);
  guest.taken("end", "entry", 999);
  guest.taken("end", "out", 1);
  assert.equal(members(guest, guest.region("entry"), "entry", "common", "rare", "end", "out"), [
    "entry",
    "common",
    "end",
    "rare",
  ]);
});

test("what was never taken is left out", async () => {
  const guest = await SmallGuest.create(DIAMOND);
  guest.taken("entry", "common", 1000);
  guest.taken("entry", "rare", 0);
  guest.taken("common", "end", 1000);
  guest.taken("end", "entry", 1000);
  const region = guest.region("entry");
  assert.equal(members(guest, region, "entry", "common", "end"), ["entry", "common", "end"]);
  const leaves = region!.nodes.filter(({ end }) => end.kind === "leave");
  assert.equal(
    leaves.map(({ end }) => (end as { rip: unknown }).rip),
    [guest.at("rare"), guest.at("out")],
  );
});

test("what was not translated is not there", async () => {
  const guest = await SmallGuest.create(DIAMOND);
  assert.equal(members(guest, guest.region("entry"), "entry"), ["entry"]);
});

test("a region ends where it has enough instructions", async () => {
  const guest = await SmallGuest.create(DIAMOND);
  guest.taken("entry", "common", 1000);
  guest.taken("common", "end", 1000);
  assert.is(guest.region("entry", 3)!.blocks.length, 2);
});

const CALL = `
entry:
  call callee
after:
  dec ecx
  jne entry
out:
  nop
  jmp out
  align 16
callee:
  inc ebx
  ret`;

test("a called function is in the region, and its return leads behind the call", async () => {
  const guest = await SmallGuest.create(CALL);
  guest.taken("entry", "callee", 1000);
  guest.taken("after", "entry", 1000);
  const region = guest.region("entry")!;
  assert.equal(members(guest, region, "entry", "callee", "after").sort(), ["after", "callee", "entry"]);
  const matches = region.nodes.filter(({ end }) => end.kind === "match");
  assert.equal(
    matches.map(({ end }) => (end as { delta: number }).delta),
    [guest.at("after")],
  );
});

test("a computed jump goes where it has gone before", async () => {
  const guest = await SmallGuest.create("entry:\n jmp rax\none:\n inc ebx\n jmp entry\ntwo:\n dec ebx\n jmp entry");
  guest.noted("entry", "one", "two");
  guest.taken("one", "entry", 1);
  guest.taken("two", "entry", 1);
  const region = guest.region("entry")!;
  assert.is(region.blocks.length, 3);
  assert.is(region.nodes.filter(({ end }) => end.kind === "match").length, 2);
});

test("across a page the target is looked up there", async () => {
  const guest = await SmallGuest.create("entry:\n jmp later\n resb 5000\nlater:\n inc ebx\n jmp entry");
  guest.block("later");
  const region = guest.region("entry")!;
  assert.is(region.blocks.length, 2);
  assert.is(region.nodes.filter(({ end }) => end.kind === "page").length, 2);
});

test("a large region is linked to, not copied; also while it is being compiled", async () => {
  const guest = await SmallGuest.create(DIAMOND);
  guest.taken("entry", "common", 1000);
  guest.taken("common", "end", 1000);
  guest.regions.set(guest.block("common").phys, 1000);
  assert.equal(members(guest, guest.region("entry"), "entry"), ["entry"]);
});

test("behind an instruction that the run loop has to look at there is nothing", async () => {
  const guest = await SmallGuest.create("entry:\n out 0x80, al\nnext:\n inc ebx\n jmp entry");
  guest.block("next");
  assert.equal(members(guest, guest.region("entry"), "entry"), ["entry"]);
});

test("a plan says what code it was made from", async () => {
  const guest = await SmallGuest.create(DIAMOND);
  guest.taken("entry", "common", 1000);
  const plan = guest.plan("entry")!;
  const { u8 } = guest.memory;
  assert.ok(isCurrent(plan, u8));
  u8[guest.block("rare").phys] ^= 1;
  assert.ok(isCurrent(plan, u8), "code outside the plan");
  u8[guest.block("common").phys] ^= 1;
  assert.not(isCurrent(plan, u8));
});

test.run();
