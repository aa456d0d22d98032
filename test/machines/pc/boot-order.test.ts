import { test } from "uvu";
import * as assert from "uvu/assert";
import { BootOrder, romPath } from "../../../machines/pc/boot-order.ts";

test("paths by index; HALT ends a strict order that is not empty", () => {
  const order = new BootOrder();
  assert.equal(order.list(true), []);
  order.addDevice(7, "PCI", "ide@1,1/drive@0/disk@1");
  order.addDevice(2, "ISA", "fdc@03f0/floppy@0");
  order.add(0, romPath("genroms/linuxboot.bin"));
  order.add(-1, "never");
  order.add(undefined, "never");
  const paths = [
    "/rom@genroms/linuxboot.bin",
    "/pci@i0cf8/isa@1/fdc@03f0/floppy@0",
    "/pci@i0cf8/ide@1,1/drive@0/disk@1",
  ];
  assert.equal(order.list(false), paths);
  assert.equal(order.list(true), [...paths, "HALT"]);
  assert.throws(() => order.add(2, "again"), /The bootindex 2 has already been used/);
});

test.run();
