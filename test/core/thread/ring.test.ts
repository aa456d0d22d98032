import { test } from "uvu";
import * as assert from "uvu/assert";
import { ByteRing } from "../../../core/thread/ring.ts";

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

test("bytes come out in order, around the end", () => {
  const ring = ByteRing.create(8);
  const out = new Uint8Array(8);
  let next = 0;
  let expected = 0;
  for (let round = 0; round < 100; round++) {
    const chunk = Uint8Array.from({ length: 1 + (round % 7) }, () => next++ & 0xff);
    const taken = ring.write(chunk);
    next -= chunk.length - taken;
    const count = ring.read(out.subarray(0, 1 + (round % 5)));
    for (let i = 0; i < count; i++) assert.is(out[i], expected++ & 0xff);
  }
});

test("a full ring takes nothing, an empty one gives nothing", () => {
  const ring = ByteRing.create(4);
  assert.is(ring.write(bytes(1, 2, 3, 4, 5)), 4);
  assert.is(ring.writable, 0);
  assert.is(ring.write(bytes(9)), 0);
  assert.is(ring.read(new Uint8Array(9)), 4);
  assert.is(ring.read(new Uint8Array(9)), 0);
});

test("peek leaves the bytes until skip", () => {
  const ring = ByteRing.create(4);
  ring.write(bytes(1, 2, 3));
  const out = new Uint8Array(2);
  assert.is(ring.peek(out), 2);
  assert.equal(out, bytes(1, 2));
  ring.skip(1);
  ring.peek(out);
  assert.equal(out, bytes(2, 3));
});

test("a request for room is seen once", () => {
  const writer = ByteRing.create(4);
  const reader = new ByteRing(writer.buffer);
  assert.is(reader.takeRoomRequest(), false);
  writer.requestRoom();
  assert.is(reader.takeRoomRequest(), true);
  assert.is(reader.takeRoomRequest(), false);
});

test("the capacity is a power of two", () => {
  assert.throws(() => ByteRing.create(100), /power of two/);
});

test.run();
