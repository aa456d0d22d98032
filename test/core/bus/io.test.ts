import { test } from "uvu";
import * as assert from "uvu/assert";
import { type AccessSize, type IoRegion, PortSpace } from "../../../core/bus/io.ts";

function recorder(length: number, min?: AccessSize, max?: AccessSize): { region: IoRegion; log: string[] } {
  const log: string[] = [];
  const handler = {
    read(offset: number, size: AccessSize): number {
      log.push(`r${offset}/${size}`);
      return 0x10203040 + offset;
    },
    write(offset: number, value: number, size: AccessSize): void {
      log.push(`w${offset}/${size}=${value.toString(16)}`);
    },
  };
  return { region: { name: "x", length, min, max, handler }, log };
}

test("an unclaimed port reads all ones", () => {
  const ports = new PortSpace();
  assert.is(ports.read(0x1234, 1), 0xff);
  assert.is(ports.read(0x1234, 2), 0xffff);
  assert.is(ports.read(0xffff, 4), 0xffffffff);
  ports.write(0xffff, 1, 4);
});

test("a wide access is split into what the device implements", () => {
  const ports = new PortSpace();
  const { region, log } = recorder(8, 1, 1);
  ports.map(0x300, region);
  assert.is(ports.read(0x302, 4), 0x45444342);
  ports.write(0x300, 0x11223344, 2);
  assert.equal(log, ["r2/1", "r3/1", "r4/1", "r5/1", "w0/1=44", "w1/1=33"]);
});

test("a narrow access is widened", () => {
  const ports = new PortSpace();
  const { region, log } = recorder(8, 4, 4);
  ports.map(0x300, region);
  assert.is(ports.read(0x305, 1), 0x30);
  assert.equal(log, ["r4/4"]);
});

test("bytes beyond the region belong to whoever is there", () => {
  const ports = new PortSpace();
  const first = recorder(2, 1, 1);
  const second = recorder(2, 1, 1);
  ports.map(0x300, first.region);
  ports.map(0x302, second.region);
  ports.write(0x301, 0xaabb, 2);
  assert.equal(first.log, ["w1/1=bb"]);
  assert.equal(second.log, ["w0/1=aa"]);
});

test("the region mapped last wins, and the other shows again when it goes", () => {
  const ports = new PortSpace();
  const under = recorder(4);
  const over = recorder(4);
  ports.map(0x80, under.region);
  const mapping = ports.map(0x80, over.region);
  ports.write(0x80, 1, 1);
  mapping.setEnabled(false);
  ports.write(0x80, 2, 1);
  mapping.setEnabled(true);
  mapping.move(0x90);
  ports.write(0x80, 3, 1);
  mapping.remove();
  assert.is(ports.read(0x90, 1), 0xff);
  assert.equal(over.log, ["w0/1=1"]);
  assert.equal(under.log, ["w0/1=2", "w0/1=3"]);
});

test("ports whose writes may come late, and when that changes", () => {
  const ports = new PortSpace();
  const seen: string[] = [];
  ports.onMapChange(
    () =>
      void seen.push(
        ports
          .late()
          .map(({ start, size }) => `${start}+${size}`)
          .join(" "),
      ),
  );
  const { region } = recorder(8, 1, 1);
  const late = ports.map(0x10, { ...region, coalesced: true });
  const over = ports.map(0x12, { ...region, length: 2 });
  over.move(0x10);
  over.move(0x17);
  late.setEnabled(false);
  late.setEnabled(true);
  late.move(0xfffc);
  over.remove();
  assert.equal(seen, ["16+8", "16+2 20+4", "18+6", "16+7", "", "16+7", "65532+4", "65532+4"]);
});

test.run();
