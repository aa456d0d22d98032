import { test } from "uvu";
import * as assert from "uvu/assert";
import { type FirmwareConfig, FW_CFG } from "../../../../core/firmware-config.ts";
import {
  bootMultibootDirectly,
  isMultibootImage,
  offerMultiboot,
  splitModules,
} from "../../../../machines/pc/boot/multiboot.ts";

const MIB = 2 ** 20;
const E820 = [
  { base: 0, size: 0x9fc00, type: 1 },
  { base: MIB, size: 31 * MIB, type: 1 },
];

function header(flags: number, ...addresses: number[]): number[] {
  return [0x1badb002, flags, -(0x1badb002 + flags), ...addresses];
}

/** An ELF32 file with one segment of 64 bytes (256 in memory) at 1 MiB that starts with the header. */
function elf(change: (view: DataView) => void = () => {}): Uint8Array {
  const bytes = new Uint8Array(0x140);
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1]);
  view.setUint32(24, 0x10000c, true); // e_entry
  view.setUint32(28, 52, true); // e_phoff
  view.setUint16(42, 32, true);
  view.setUint16(44, 1, true);
  [1, 0x100, 0x100000, 0x100000, 64, 256, 7, 4].forEach((value, i) => {
    view.setUint32(52 + i * 4, value, true);
  });
  header(3).forEach((value, i) => {
    view.setUint32(0x100 + i * 4, value, true);
  });
  change(view);
  return bytes;
}

const options = (kernel: Uint8Array, more: object = {}) => ({
  kernel,
  file: "kernel",
  commandLine: "a b",
  modules: [],
  ramEnd: 32 * MIB,
  e820: E820,
  ...more,
});

const text = (bytes: Uint8Array, at: number): string =>
  Buffer.from(bytes.subarray(at, bytes.indexOf(0, at))).toString();

test("ELF: segments at their addresses, registers as section 3.2 says", () => {
  const state = bootMultibootDirectly(options(elf()));
  const { registers } = state;
  assert.equal([registers.rax, registers.rbx, registers.rip], [0x2badb002, 0x9000, 0x10000c]);
  assert.equal(
    [registers.cr0, registers.rflags, registers.cs.attributes, registers.ds.attributes],
    [0x11, 2, 0xc09b, 0xc093],
  );
  assert.is(state.memory.find(({ address }) => address === 0x100000)?.data.length, 64);
});

test("information: memory, command line, modules, map and loader name", () => {
  const modules = [
    { commandLine: "m1 x", data: new Uint8Array(5) },
    { commandLine: "m2", data: new Uint8Array(4097) },
  ];
  const state = bootMultibootDirectly(options(elf(), { modules }));
  const low = new Uint8Array(0x10000);
  for (const { address, data } of state.memory) if (address < 0x10000) low.set(data, address);
  const view = new DataView(low.buffer);
  const field = (offset: number) => view.getUint32(0x9000 + offset, true);
  assert.is(field(0), 0b10_0100_1111);
  assert.equal([field(4), field(8), field(12)], [639, 31 * 1024, 0x8000ffff]);
  assert.is(text(low, field(16)), "kernel a b");
  assert.is(text(low, field(64)), "qemu-next");
  assert.is(field(20), 2);
  const entry = (i: number) => [0, 4, 8].map((offset) => view.getUint32(field(24) + i * 16 + offset, true));
  assert.equal(entry(0).slice(0, 2), [0x101000, 0x101005]);
  assert.equal(entry(1).slice(0, 2), [0x102000, 0x103001]);
  assert.equal([text(low, entry(0)[2]), text(low, entry(1)[2])], ["m1 x", "m2"]);
  assert.is(field(44), 48);
  assert.equal(
    [0, 4, 12, 20].map((offset) => view.getUint32(field(48) + 24 + offset, true)),
    [20, MIB, 31 * MIB, 1],
  );
});

test("addresses in the header: load, end of data, end of bss, entry", () => {
  const bytes = new Uint8Array(0x60);
  const view = new DataView(bytes.buffer);
  // The header lies 0x20 into the file and 0x10 into the loaded part.
  header(0x10000, 0x200010, 0x200000, 0x200030, 0x200100, 0x200008).forEach((value, i) => {
    view.setUint32(0x20 + i * 4, value, true);
  });
  bytes[0x10] = 0x42;
  const state = bootMultibootDirectly(options(bytes));
  assert.is(state.registers.rip, 0x200008);
  const loaded = state.memory.find(({ address }) => address === 0x200000)!.data;
  assert.equal([loaded.length, loaded[0]], [0x30, 0x42]);
  view.setUint32(0x20 + 20, 0, true); // load_end_addr 0: the whole rest
  assert.is(
    bootMultibootDirectly(options(bytes)).memory.find(({ address }) => address === 0x200000)!.data.length,
    0x50,
  );
  view.setUint32(0x20 + 20, 0x300000, true);
  assert.throws(() => bootMultibootDirectly(options(bytes)), /load end address/);
  view.setUint32(0x20 + 12, 0x1fffff, true);
  assert.throws(() => bootMultibootDirectly(options(bytes)), /do not fit together/);
});

test("through fw_cfg: one piece of memory with the modules behind the kernel", () => {
  const items = new Map<number, Uint8Array>();
  const config: FirmwareConfig = { addBytes: (key, data) => items.set(key, data), addFile: () => {} };
  offerMultiboot(config, options(elf(), { modules: [{ commandLine: "m", data: Uint8Array.of(9) }] }));
  const number = (key: number) => Buffer.from(items.get(key)!).readUInt32LE();
  assert.equal([number(FW_CFG.KERNEL_ADDR), number(FW_CFG.KERNEL_SIZE)], [0x100000, 0x1001]);
  assert.is(items.get(FW_CFG.KERNEL_DATA)![0x1000], 9);
  assert.equal([number(FW_CFG.KERNEL_ENTRY), number(FW_CFG.INITRD_ADDR)], [0x10000c, 0x9000]);
});

test("kernels that cannot be loaded are refused with a reason", () => {
  const boot =
    (change: (view: DataView) => void, more: object = {}) =>
    () =>
      bootMultibootDirectly(options(elf(change), more));
  assert.throws(
    boot((view) => view.setUint8(4, 2)),
    /Cannot load x86-64 image, give a 32bit one./,
  );
  assert.throws(
    boot((view) => view.setUint32(0x100, 0, true)),
    /no multiboot header/,
  );
  assert.throws(
    boot((view) => view.setUint8(0, 0)),
    /no ELF file/,
  );
  assert.throws(
    boot((view) => view.setUint32(28, 0x1000, true)),
    /program headers lie outside/,
  );
  assert.throws(
    boot((view) => view.setUint32(52 + 16, 0xffffffff, true)),
    /a segment lies outside/,
  );
  assert.throws(
    boot((view) => view.setUint32(52 + 12, 0x7c00, true)),
    /where firmware has its data/,
  );
  assert.throws(
    boot((view) => view.setUint32(52 + 12, 0x9f000, true)),
    /where firmware has its data/,
  );
  assert.throws(
    boot((view) => view.setUint32(52 + 20, 0xf0000000, true)),
    /not enough memory/,
  );
  assert.throws(
    boot(() => {}, { commandLine: "x".repeat(30000) }),
    /too long/,
  );
  const flags = (value: number) => (view: DataView) =>
    header(value).forEach((word, i) => {
      view.setUint32(0x100 + i * 4, word, true);
    });
  assert.throws(boot(flags(0x80)), /unknown required flags 0x80/);
});

test("a wish for a video mode is not granted, and the information says nothing about video", () => {
  const kernel = elf((view) => {
    header(7).forEach((word, i) => {
      view.setUint32(0x100 + i * 4, word, true);
    });
  });
  const info = bootMultibootDirectly(options(kernel)).memory.find(({ address }) => address === 0x9000)!.data;
  assert.is(new DataView(info.buffer).getUint32(0, true) & 0b1_1000_0000_0000, 0);
});

test("the header is found in the first 8192 bytes, at multiples of four only", () => {
  const at = (offset: number): Uint8Array => {
    const bytes = new Uint8Array(16384);
    header(0).forEach((word, i) => {
      new DataView(bytes.buffer).setUint32(offset + i * 4, word, true);
    });
    return bytes;
  };
  assert.equal(
    [0, 8180, 8184, 2].map((offset) => isMultibootImage(at(offset))),
    [true, true, false, false],
  );
});

test("-initrd names modules with arguments, and doubled commas are commas", () => {
  assert.equal(splitModules("a x y,b,,c"), [
    { path: "a", commandLine: "a x y" },
    { path: "b,c", commandLine: "b,c" },
  ]);
  assert.equal(splitModules(""), []);
  assert.equal(
    splitModules("a,,,b").map(({ path }) => path),
    ["a,", "b"],
  );
});

test("random ELF headers never do worse than a QemuError", () => {
  let seed = 3;
  for (let i = 0; i < 3000; i++) {
    const kernel = elf((view) => {
      for (let n = 0; n < 4; n++) {
        seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
        view.setUint8(4 + ((seed >>> 8) % 80), seed >>> 24);
      }
    });
    try {
      for (const { address, data } of bootMultibootDirectly(options(kernel)).memory) {
        assert.ok(address >= 0x7000 && address + data.length <= 32 * MIB);
      }
    } catch (error) {
      assert.is((error as Error).name, "QemuError", String(error));
    }
  }
});

test.run();
