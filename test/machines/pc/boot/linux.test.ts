import { test } from "uvu";
import * as assert from "uvu/assert";
import { type FirmwareConfig, FW_CFG } from "../../../../core/firmware-config.ts";
import { bootLinuxDirectly, type LinuxDirectOptions, offerLinux } from "../../../../machines/pc/boot/linux.ts";
import { isLinuxImage, parseLinuxImage, videoMode } from "../../../../machines/pc/boot/linux-image.ts";

const MIB = 2 ** 20;

/** A bzImage with `change` applied to its header. */
function image(change: (view: DataView) => void = () => {}): Uint8Array {
  const bytes = new Uint8Array(3 * 512 + 4096);
  const view = new DataView(bytes.buffer);
  bytes[0x1f1] = 2; // setup_sects
  view.setUint16(0x1fe, 0xaa55, true);
  bytes.set([0xeb, 0x6a], 0x200); // the header ends at 0x26c
  bytes.set(new TextEncoder().encode("HdrS"), 0x202);
  view.setUint16(0x206, 0x20f, true);
  bytes[0x211] = 1; // LOADED_HIGH
  view.setUint32(0x214, 0x100000, true);
  view.setUint32(0x22c, 0x7fffffff, true);
  bytes[0x234] = 1;
  view.setUint16(0x236, 1, true); // XLF_KERNEL_64
  view.setUint32(0x238, 2047, true);
  view.setBigUint64(0x258, 0x1000000n, true);
  view.setUint32(0x260, 0x2000000, true);
  bytes.fill(0x90, 3 * 512);
  change(view);
  return bytes;
}

const options = (more: Partial<LinuxDirectOptions> = {}): LinuxDirectOptions => ({
  kernel: image(),
  file: "vmlinuz",
  commandLine: "console=ttyS0",
  ramEnd: 128 * MIB,
  e820: [
    { base: 0, size: 0x9fc00, type: 1 },
    { base: MIB, size: 127 * MIB, type: 1 },
  ],
  rsdp: 0x7ff0000,
  ...more,
});

function at(state: ReturnType<typeof bootLinuxDirectly>, address: number): Uint8Array {
  const write = state.memory.find((entry) => entry.address === address);
  assert.ok(write, `nothing at 0x${address.toString(16)}`);
  return write!.data;
}

test("64-bit entry: 0x200 into the kernel, paging on, boot_params in RSI", () => {
  const state = bootLinuxDirectly(options());
  const { registers } = state;
  assert.is(registers.rip, 0x100200);
  assert.is(registers.rsi, 0x10000);
  assert.equal([registers.cr0, registers.cr4, registers.efer, registers.rflags], [0x80000011, 0x20, 0x500, 2]);
  assert.equal([registers.cs.selector, registers.cs.attributes, registers.ds.selector], [0x10, 0xa09b, 0x18]);
  const gdt = at(state, registers.gdt.base);
  assert.is(Buffer.from(gdt.subarray(16, 24)).toString("hex"), "ffff0000009baf00");
  assert.is(Buffer.from(gdt.subarray(24, 32)).toString("hex"), "ffff00000093cf00");
});

test("the page tables map 4 GiB one to one in 2 MiB pages", () => {
  const state = bootLinuxDirectly(options());
  const tables = at(state, state.registers.cr3);
  const view = new DataView(tables.buffer);
  const walk = (address: number): number => {
    const base = state.registers.cr3;
    const pdpt = view.getUint32(0, true) - 3 - base;
    const directory = view.getUint32(pdpt + Math.floor(address / 2 ** 30) * 8, true) - 3 - base;
    const entry = view.getUint32(directory + (Math.floor(address / 2 ** 21) % 512) * 8, true);
    assert.is(entry & 0x83, 0x83);
    return (entry & ~0x1fffff) >>> 0;
  };
  for (const address of [0, 0x200000, 0x3fe00000, 0x40000000, 0xfee00000]) assert.is(walk(address), address);
});

test("32-bit entry for kernels that have no other", () => {
  const kernel = image((view) => view.setUint16(0x236, 0, true));
  const { registers } = bootLinuxDirectly(options({ kernel }));
  assert.is(registers.rip, 0x100000);
  assert.equal([registers.cr0, registers.cr3, registers.cr4, registers.efer], [0x11, 0, 0, 0]);
  assert.is(registers.cs.attributes, 0xc09b);
});

test("boot_params: header copied, loader fields, E820, RSDP, command line, initrd", () => {
  const initrd = new Uint8Array(10000).fill(7);
  const state = bootLinuxDirectly(options({ initrd, commandLine: "quiet vga=0x317" }));
  const params = at(state, 0x10000);
  const view = new DataView(params.buffer);
  assert.is(view.getUint16(0x206, true), 0x20f);
  assert.is(params[0x210], 0xff);
  assert.is(view.getUint16(0x1fa, true), 0x317);
  assert.equal([params[0x1e8], view.getUint32(0x2d0 + 20, true)], [2, MIB]);
  assert.is(view.getUint32(0x70, true), 0x7ff0000);
  const line = at(state, view.getUint32(0x228, true));
  assert.is(Buffer.from(line).toString(), "quiet vga=0x317\0");
  const address = view.getUint32(0x218, true);
  assert.is(address, Math.floor((128 * MIB - 10000) / 4096) * 4096);
  assert.is(view.getUint32(0x21c, true), 10000);
  assert.is(at(state, address), initrd);
});

test("the initrd stays below initrd_addr_max and above what the kernel unpacks", () => {
  const kernel = image((view) => view.setUint32(0x22c, 64 * MIB - 1, true));
  const state = bootLinuxDirectly(options({ kernel, initrd: new Uint8Array(4096) }));
  assert.ok(state.memory.some(({ address }) => address === 64 * MIB - 4096));
  assert.throws(
    () => bootLinuxDirectly(options({ initrd: new Uint8Array(90 * MIB) })),
    /not enough memory for the initrd/,
  );
  assert.throws(() => bootLinuxDirectly(options({ ramEnd: 40 * MIB })), /not enough memory for kernel 'vmlinuz'/);
});

test("through fw_cfg: addresses, sizes and data of each part", () => {
  const items = new Map<number, Uint8Array>();
  const config: FirmwareConfig = { addBytes: (key, data) => items.set(key, data), addFile: () => {} };
  offerLinux(config, options({ initrd: new Uint8Array(5000) }));
  const number = (key: number) => Buffer.from(items.get(key)!).readUInt32LE();
  assert.equal([number(FW_CFG.KERNEL_ADDR), number(FW_CFG.KERNEL_SIZE)], [0x100000, 4096]);
  assert.equal([number(FW_CFG.SETUP_ADDR), number(FW_CFG.SETUP_SIZE)], [0x10000, 1536]);
  const setup = Buffer.from(items.get(FW_CFG.SETUP_DATA)!);
  assert.is(setup[0x211], 0x81, "CAN_USE_HEAP");
  assert.is(setup.readUInt16LE(0x224), 0xee00);
  assert.is(setup.readUInt32LE(0x228), number(FW_CFG.CMDLINE_ADDR));
  assert.is(number(FW_CFG.CMDLINE_ADDR) % 16, 0);
  assert.ok(number(FW_CFG.CMDLINE_ADDR) + number(FW_CFG.CMDLINE_SIZE) <= 0x9a000);
  assert.is(setup.readUInt32LE(0x218), number(FW_CFG.INITRD_ADDR));
  assert.is(items.get(FW_CFG.INITRD_DATA)!.length, number(FW_CFG.INITRD_SIZE));
  assert.ok(number(FW_CFG.INITRD_ADDR) + 5000 <= 128 * MIB - 0x40000, "firmware keeps the top of RAM");
});

test("vga= as Linux's documentation has it", () => {
  assert.equal(
    ["", "vga=ask", "a vga=ext b", "vga=normal", "vga=791", "vga=junk", "novga=1"].map(videoMode),
    [0xffff, 0xfffd, 0xfffe, 0xffff, 791, 0xffff, 0xffff],
  );
});

test("kernels that are damaged or too old are refused with a reason", () => {
  const broken = (change: (view: DataView) => void) => () => parseLinuxImage(image(change), "k");
  assert.throws(() => parseLinuxImage(new Uint8Array(10), "k"), /has no Linux boot header/);
  assert.throws(() => parseLinuxImage(image().subarray(0, 1536), "k"), /its setup part has 1536 bytes/);
  assert.throws(
    broken((view) => view.setUint8(0x201, 4)),
    /cut short/,
  );
  assert.throws(
    broken((view) => view.setUint16(0x206, 0x201, true)),
    /older than 2.02/,
  );
  assert.throws(
    broken((view) => view.setUint8(0x211, 0)),
    /zImage/,
  );
  assert.throws(
    broken((view) => view.setUint32(0x214, 0x1000, true)),
    /below 1 MiB/,
  );
  const far = image((view) => view.setUint32(0x214, 0xfffff000, true));
  assert.throws(() => bootLinuxDirectly(options({ kernel: far })), /not enough memory/);
  assert.throws(() => bootLinuxDirectly(options({ commandLine: "x".repeat(2048) })), /at most 2047 bytes/);
  assert.not(isLinuxImage(new Uint8Array(0)));
});

test("random headers never do worse than a QemuError", () => {
  let seed = 7;
  for (let i = 0; i < 3000; i++) {
    const kernel = image((view) => {
      for (let n = 0; n < 12; n++) {
        seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
        const offset = 0x1f1 + ((seed >>> 8) % 0x80);
        if (offset < 0x202 || offset > 0x205) view.setUint8(offset, seed >>> 24);
      }
    });
    try {
      const state = bootLinuxDirectly(options({ kernel, initrd: new Uint8Array(100) }));
      for (const { address, data } of state.memory) assert.ok(address >= 0 && address + data.length <= 128 * MIB);
    } catch (error) {
      assert.is((error as Error).name, "QemuError", String(error));
    }
  }
});

test.run();
