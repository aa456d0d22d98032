// @timeout 60
/** A vCPU of the host's KVM over a small address space: code at the reset vector, ports, registers, interrupts. */

import { Worker } from "node:worker_threads";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { KVM_CAP_COALESCED_PIO } from "../../../accel/kvm/abi.ts";
import { openKvm } from "../../../accel/kvm/system.ts";
import type { KvmVcpu } from "../../../accel/kvm/vcpu.ts";
import { KvmVm } from "../../../accel/kvm/vm.ts";
import { KICKED } from "../../../accel/kvm/words.ts";
import { PENDING_INTERRUPT, PENDING_INTERRUPT_VECTOR_SHIFT } from "../../../accel/x86/cpu-state.ts";
import { type AccessSize, PortSpace } from "../../../core/bus/io.ts";
import { HostClock, ManualClock, type TimerQueue } from "../../../core/clock.ts";
import { ONE_CPU } from "../../../core/cpu-topology.ts";
import { AddressSpace } from "../../../core/memory/address-space.ts";
import { type GuestBlock, GuestMemory } from "../../../core/memory/guest-memory.ts";
import { Doorbell } from "../../../core/thread/doorbell.ts";
import { assemble } from "../../tools/asm.ts";
import { whereKvm } from "../../tools/kvm.ts";

const MIB = 2 ** 20;
const ROM_SIZE = 0x10000;
const RESET = 0xfff0;
const PORT = 0x100;
const REGISTERS = 0xd0000;
/** Writes to them may come late. */
const LATE = 0xd8000;
const LATE_PORT = 0x200;

/** The start of a program that has a stack and handlers of interrupts: the labels of vectors. */
function start(handlers: Readonly<Record<number, string>>): string {
  const vectors = Object.entries(handlers).map(
    ([vector, label]) => `mov word [${Number(vector) * 4}], ${label}\nmov word [${Number(vector) * 4 + 2}], 0xf000`,
  );
  return `xor ax, ax\nmov ds, ax\nmov ss, ax\nmov sp, 0x8000\n${vectors.join("\n")}`;
}

class Bench {
  readonly log: string[] = [];
  readonly memory: GuestMemory;
  readonly space: AddressSpace;
  readonly wake: Doorbell;
  readonly clock: TimerQueue;
  /** What the ports answer. */
  next = 0;
  vector = -1;
  onPort: (() => void) | undefined;
  onAcknowledge: (() => void) | undefined;
  shadow: { setEnabled(on: boolean): void };
  late: { setEnabled(on: boolean): void };
  vm!: KvmVm;
  /** What `shadow` shows. */
  readonly shadowBlock: GuestBlock;
  readonly ports = new PortSpace();
  vcpu!: KvmVcpu;

  constructor(code: string, clock: TimerQueue) {
    this.clock = clock;
    this.memory = GuestMemory.create({ reserved: 8 * MIB, ram: 2 * MIB });
    this.space = new AddressSpace(this.memory);
    this.wake = new Doorbell(this.memory.buffer, this.memory.reserve("wake", 64));
    const ram = this.memory.allocateBlock("ram", MIB);
    const rom = this.memory.allocateBlock("rom", ROM_SIZE, true);
    this.shadowBlock = this.memory.allocateBlock("shadow", ROM_SIZE);
    const { bytes, labels } = assemble(`bits 16\nimage:\n${code}\n`);
    assert.ok(labels.size > 0 && bytes.length < RESET);
    rom.bytes.set(bytes);
    rom.bytes.set([0xea, 0, 0, 0, 0xf0], RESET); // jmp f000:0000
    this.space.map("ram", 0, MIB, { kind: "ram", block: ram });
    this.space.map("rom", 0xf0000, ROM_SIZE, { kind: "rom", block: rom }, 1);
    this.space.map("rom-high", 2 ** 32 - ROM_SIZE, ROM_SIZE, { kind: "rom", block: rom }, 1);
    this.shadow = this.space.map("shadow", 0xe0000, ROM_SIZE, { kind: "ram", block: this.shadowBlock }, 2, false);
    const read = (offset: number, size: AccessSize): number => {
      this.log.push(`read ${offset.toString(16)} ${size}`);
      return 0x44332211;
    };
    const write = (offset: number, value: number, size: AccessSize): void => {
      this.log.push(`write ${offset.toString(16)} ${size} ${value.toString(16)}`);
    };
    const region = { name: "registers", length: 4096, handler: { read, write } };
    this.space.map("registers", REGISTERS, 4096, { kind: "io", region }, 1);
    const late = { ...region, name: "late", coalesced: true };
    this.late = this.space.map("late", LATE, 4096, { kind: "io", region: late }, 1);
  }

  static async create(code: string, clock: TimerQueue = new ManualClock()): Promise<Bench> {
    const bench = new Bench(code, clock);
    const { ports } = bench;
    const handler = {
      read: (_: number, size: AccessSize) => {
        bench.log.push(`in ${size}`);
        return bench.next++;
      },
      write: (_: number, value: number, size: AccessSize) => {
        bench.log.push(`out ${size} ${value.toString(16)}`);
        bench.onPort?.();
      },
    };
    ports.map(PORT, { name: "port", length: 4, handler });
    const late = {
      read: () => 0xaa,
      write: (offset: number, value: number, size: AccessSize) => {
        bench.log.push(`late ${offset.toString(16)} ${size} ${value.toString(16)}`);
      },
    };
    ports.map(LATE_PORT, { name: "late", length: 4, coalesced: true, handler: late });
    const interrupts = {
      acknowledge: () => {
        const { vector } = bench;
        bench.vector = -1;
        bench.vcpu.setIntr(false);
        bench.onAcknowledge?.();
        return vector;
      },
    };
    const { space: memory, wake } = bench;
    const environment = {
      memory,
      ports,
      clock,
      interrupts,
      apic: undefined,
      model: "host",
      index: 0,
      vcpus: 1,
      topology: ONE_CPU,
      bells: [wake],
      wake,
    };
    bench.vm = await KvmVm.create(environment, { "kernel-irqchip": "off" });
    bench.vcpu = await bench.vm.createVcpu(environment);
    return bench;
  }

  /** Runs to the next end of a slice that is not only for its time. */
  run(): string {
    for (let i = 0; i < 100; i++) {
      const exit = this.vcpu.run();
      if (exit !== "slice") return exit;
    }
    return "slice";
  }

  /** Exits by signal so far. */
  get signals(): number {
    return Number(/signal (\d+)/.exec(this.vcpu.statistics()[0][1])?.[1]);
  }

  register(name: string): string {
    return new RegExp(`\\b${name}\\s*=([0-9a-f]+)`).exec(this.vcpu.dumpRegisters())?.[1] ?? "none";
  }

  word(address: number): number {
    return this.space.read(address, 2);
  }
}

await whereKvm(() => {
  test("reset, ports of all sizes, strings, HLT", async () => {
    const bench = await Bench.create(`cld
      mov dx, ${PORT}
      mov al, 0x12
      out dx, al
      mov ax, 0x3456
      out dx, ax
      mov eax, 0x789abcde
      out dx, eax
      xor ax, ax
      mov es, ax
      mov di, 0x500
      mov cx, 4
      rep insb
      mov ax, 0xf000
      mov ds, ax
      mov si, text
      mov cx, 3
      rep outsb
      hlt
      jmp 0
      text: db 1, 2, 3`);
    assert.is(bench.register("EIP"), "0000fff0");
    assert.is(bench.register("CR0"), "60000010");
    bench.next = 5;
    assert.is(bench.run(), "halted");
    const outs = ["out 1 12", "out 2 3456", "out 4 789abcde"];
    const strings = [...Array(4).fill("in 1"), "out 1 1", "out 1 2", "out 1 3"];
    assert.equal(bench.log, [...outs, ...strings]);
    assert.equal([bench.word(0x500), bench.word(0x502)], [0x605, 0x807]);
    assert.match(bench.vcpu.dumpRegisters(), /HLT=1/);
    assert.not.ok(bench.vcpu.hasWork());
  });

  test("registers in memory, writes to ROM, a map that changes", async () => {
    const bench = await Bench.create(`mov ax, ${REGISTERS >> 4}
      mov ds, ax
      mov byte [0x10], 0x5a
      mov eax, [0x20]
      mov [0x24], eax
      mov bx, 0xf000
      mov ds, bx
      mov byte [0], 0x99
      mov bx, 0xe000
      mov ds, bx
      mov word [4], 0x1111
      hlt
      mov word [4], 0x2222
      hlt`);
    assert.is(bench.run(), "halted");
    assert.equal(bench.log, ["write 10 1 5a", "read 20 4", "write 24 4 44332211"]);
    assert.is.not(bench.space.read(0xf0000, 1), 0x99);
    bench.shadow.setEnabled(true);
    bench.vcpu.setIntr(true);
    bench.vcpu.nmi();
    assert.ok(bench.vcpu.hasWork());
    bench.shadow.setEnabled(false);
    assert.is(bench.word(0xe0004), 0x1111);
  });

  test("writes are logged by page, and kept when their memory is no longer mapped", async () => {
    const bench = await Bench.create(`${start({ 2: "nmi" })}
      mov ax, 0xe000
      mov ds, ax
      mov byte [0x1fff], 1
      mov byte [0x8000], 1
      hlt
      nmi: mov byte [0xffff], 1
      hlt`);
    const log = bench.space.logWrites(bench.shadowBlock);
    const taken = (): string =>
      log
        .take(0, ROM_SIZE)
        .map(({ start, end }) => `${start / 4096}-${end / 4096}`)
        .join(" ");
    bench.shadow.setEnabled(true);
    assert.is(taken(), "0-16");
    assert.is(taken(), "");
    assert.is(bench.run(), "halted");
    assert.is(taken(), "1-2 8-9");
    assert.is(taken(), "");
    bench.vcpu.nmi();
    assert.is(bench.run(), "halted");
    bench.shadow.setEnabled(false);
    bench.space.notifyWrite(bench.shadowBlock.address + 0x4000, 0x1001);
    assert.is(taken(), "4-6 15-16");
  });

  test("writes that may come late come in their order, before anything else, and all of them", async () => {
    const bench = await Bench.create(`cld
      mov ax, ${LATE >> 4}
      mov es, ax
      mov dx, ${PORT}
      mov byte [es:0x10], 0x11
      mov dword [es:0x14], 0x55443322
      mov al, 1
      out dx, al
      mov word [es:0x18], 0x7766
      mov al, [es:0x20]
      mov di, 0
      mov cx, 400
      rep stosb
      hlt
      mov byte [es:0x30], 0x30
      hlt`);
    assert.is(bench.run(), "halted");
    assert.equal(bench.log.slice(0, 5), [
      "write 10 1 11",
      "write 14 4 55443322",
      "out 1 1",
      "write 18 2 7766",
      "read 20 1",
    ]);
    const filled = Array.from({ length: 400 }, (_, i) => `write ${i.toString(16)} 1 11`);
    assert.equal(bench.log.slice(5), filled);
    bench.late.setEnabled(false);
    bench.vcpu.nmi();
    assert.match(bench.vcpu.statistics()[0][1], /mmio [1-9], coalesced/);
  });

  test("writes to ports that may come late: among those to memory, strings, and where the ports change", async () => {
    const bench = await Bench.create(`cld
      mov ax, ${LATE >> 4}
      mov es, ax
      mov dx, ${LATE_PORT}
      mov eax, 0x44332211
      out dx, al
      mov byte [es:0x10], 0x11
      out dx, ax
      out dx, eax
      mov dx, ${LATE_PORT + 3}
      out dx, ax
      mov dx, ${LATE_PORT}
      in al, dx
      mov [es:0x20], al
      mov ax, 0xf000
      mov ds, ax
      mov si, 0
      mov cx, 1000
      rep outsb
      mov dx, ${PORT}
      out dx, al
      mov dx, ${LATE_PORT}
      out dx, al
      mov dx, ${PORT}
      out dx, al
      mov dx, ${LATE_PORT}
      out dx, al
      hlt`);
    const write = (): unknown => bench.log.push("over");
    const region = { name: "over", length: 1, handler: { read: () => 0, write } };
    const over = bench.ports.map(LATE_PORT, region, false);
    bench.onPort = () => over.setEnabled(!over.enabled);
    assert.is(bench.run(), "halted");
    const first = [
      "late 0 1 11",
      "write 10 1 11",
      "late 0 2 2211",
      "late 0 4 44332211",
      "late 3 1 11",
      "write 20 1 aa",
    ];
    assert.equal(bench.log.slice(0, first.length), first);
    const code = Array.from({ length: 1000 }, (_, i) => `late 0 1 ${bench.space.read(0xf0000 + i, 1).toString(16)}`);
    assert.equal(bench.log.slice(first.length, -4), code);
    assert.equal(bench.log.slice(-4), ["out 1 0", "over", "out 1 0", "late 0 1 0"]);
    const [[, exits]] = bench.vcpu.statistics();
    const pio = (await openKvm()).capability(KVM_CAP_COALESCED_PIO) > 0;
    const port = Number(/port (\d+)/.exec(exits)?.[1]);
    assert.ok(pio ? port < 20 : port > 1000, exits);
  });

  test("interrupts wait for IF, NMI does not; the vector comes when it is taken", async () => {
    const bench = await Bench.create(`${start({ 2: "nmi", 32: "irq" })}
      mov dx, ${PORT}
      mov al, 1
      out dx, al
      cli
      nop
      mov al, 2
      out dx, al
      sti
      nop
      mov al, 3
      out dx, al
      hlt
      mov al, 4
      out dx, al
      cli
      hlt
      irq: push ax
      mov al, 0x20
      out dx, al
      pop ax
      iret
      nmi: mov al, 0x30
      out dx, al
      iret`);
    bench.onPort = () => {
      if (bench.log.length !== 1) return;
      bench.vector = 0x20;
      bench.vcpu.setIntr(true);
    };
    assert.is(bench.run(), "halted");
    // A host without hardware help may see the open window only at the next exit.
    assert.equal(bench.log.slice(0, 2), ["out 1 1", "out 1 2"]);
    assert.equal(bench.log.slice(2).sort(), ["out 1 20", "out 1 3"]);
    bench.vcpu.nmi();
    assert.is(bench.run(), "halted");
    assert.equal(bench.log.slice(4), ["out 1 30", "out 1 4"]);
    bench.vector = 0x20;
    bench.vcpu.setIntr(true);
    assert.not.ok(bench.vcpu.hasWork(), "interrupts are off");
  });

  test("a kick from a device finishes the access; save and load go on elsewhere", async () => {
    const code = `mov dx, ${PORT}
      xor cx, cx
      again: in al, dx
      inc cx
      out dx, al
      cmp cx, 6
      jb again
      hlt`;
    const whole = await Bench.create(code);
    assert.is(whole.run(), "halted");
    let bench = await Bench.create(code);
    const log: string[] = [];
    for (let hops = 0; ; hops++) {
      bench.onPort = () => bench.vcpu.kick();
      const exit = bench.vcpu.run();
      log.push(...bench.log);
      if (exit === "halted") break;
      assert.ok(hops < 10);
      const other = await Bench.create(code);
      other.next = bench.next;
      other.vcpu.load(bench.vcpu.save());
      assert.is(other.vcpu.dumpRegisters(), bench.vcpu.dumpRegisters());
      bench = other;
    }
    assert.equal(log, whole.log);
    assert.throws(() => bench.vcpu.load({ name: "cpu", version: 1, fields: {} }), /not of .x86-cpu./);
    const saved = bench.vcpu.save();
    assert.throws(
      () =>
        bench.vcpu.load({
          ...saved,
          fields: { ...saved.fields, kvm: { ...(saved.fields.kvm as object), sregs: "00" } },
        }),
      /312 bytes/,
    );
    assert.throws(() => bench.vcpu.load({ ...saved, fields: { ...saved.fields, kvm: [] } }), /want fields/);
  });

  test("registers as another accelerator has saved them", async () => {
    const bench = await Bench.create("hlt");
    const saved = bench.vcpu.save();
    const { kvm: _, tscOffset: __, ...fields } = saved.fields;
    const words = (count: number, first: number): string[] =>
      Array.from({ length: count }, (_, i) => `0x${(0x1122334455660000 + first + i).toString(16)}`);
    const half = (count: number): string[] => words(count, 0).map((word, i) => (i % 2 === 0 ? word : "0x3fff"));
    const other = {
      ...fields,
      regs: words(16, 0),
      rip: "0x1234",
      ccSrc: "0x8c5",
      df: `0x${"f".repeat(16)}`,
      eflags: "0x200",
      segBase: Array.from({ length: 6 }, (_, i) => `0x${(i * 0x1000).toString(16)}`),
      segSelector: Array.from({ length: 6 }, (_, i) => i * 0x100),
      gdtBase: "0x5000",
      gdtLimit: 0x7f,
      cr2: "0x1000",
      dr: ["0x1", "0x2", "0x3", "0x4", "0x0", "0x0", "0xffff0ff0", "0x400"],
      star: "0x23001000000000",
      lstar: "0xffffffff81000000",
      pat: "0x606060606060606",
      mtrrDefType: "0xc06",
      nmiBlocked: 1,
      inhibit: 2,
      fpTop: 5,
      fpStatus: 0x20,
      fpControl: 0x27f,
      fpEmpty: [1, 1, 1, 1, 1, 0, 0, 1],
      fpr: half(16),
      xmm: words(32, 0x100),
      mxcsr: 0x1fa0,
      halted: 1,
      pending: 2,
    };
    bench.vcpu.load({ ...saved, fields: { ...other, tscOffset: "0x0" } });
    const { kvm, tscOffset, ...again } = bench.vcpu.save().fields;
    assert.equal(again, other);
    assert.ok(kvm !== undefined && tscOffset !== undefined);
    assert.match(bench.vcpu.dumpRegisters(), /HLT=1/);
  });

  test("an interrupt that is acknowledged when it is saved is delivered elsewhere, once", async () => {
    const code = `${start({ 32: "irq" })}
      mov dx, ${PORT}
      sti
      wait_here: hlt
      mov al, 1
      out dx, al
      jmp wait_here
      irq: mov al, 0x20
      out dx, al
      iret`;
    const bench = await Bench.create(code);
    assert.is(bench.run(), "halted");
    bench.vector = 0x20;
    bench.vcpu.setIntr(true);
    while (bench.vector >= 0) {
      bench.wake.take();
      // The signal ends KVM_RUN at once.
      bench.onAcknowledge = () => bench.vm.words[0].wake();
      assert.is(bench.vcpu.run(), "slice");
    }
    const saved = bench.vcpu.save();
    const { kvm: _, ...common } = saved.fields;
    assert.is(common.pending, PENDING_INTERRUPT | (0x20 << PENDING_INTERRUPT_VECTOR_SHIFT));
    for (const fields of [saved.fields, common, { ...common, halted: 1 }]) {
      const other = await Bench.create(code);
      assert.is(other.run(), "halted");
      other.vcpu.load({ ...saved, fields });
      assert.is(other.run(), "halted");
      assert.equal(other.log, ["out 1 20", "out 1 1"]);
      assert.is(other.vcpu.save().fields.pending, 0);
    }
  });

  test("an interrupt that is acknowledged while the doorbell rings is not lost to the next one", async () => {
    const bench = await Bench.create(`${start({ 32: "first", 33: "second" })}
      mov dx, ${PORT}
      sti
      wait_here: hlt
      jmp wait_here
      first: mov al, 0x20
      out dx, al
      iret
      second: mov al, 0x21
      out dx, al
      iret`);
    assert.is(bench.run(), "halted");
    // From a thread that only rings, and from one that sends the signal, too.
    for (const ring of [() => bench.wake.ring(), () => bench.vm.words[0].wake()]) {
      bench.log.length = 0;
      bench.vector = 0x20;
      bench.vcpu.setIntr(true);
      bench.onAcknowledge = () => {
        bench.onAcknowledge = undefined;
        ring();
        bench.vector = 0x21;
        bench.vcpu.setIntr(true);
      };
      for (let slices = 0; slices < 100 && bench.log.length < 2; slices++) {
        bench.vcpu.run();
        bench.wake.take();
      }
      assert.equal(bench.log.sort(), ["out 1 20", "out 1 21"]);
    }
  });

  test("protected mode by setRegisters; addresses; a triple fault; reset", async () => {
    const bench = await Bench.create("hlt");
    const { bytes } = assemble("bits 32\nstart: mov eax, 0x12345678\nmov [0x3000], eax\nhlt\nint3\nhlt");
    bench.memory.u8.set(bytes, bench.space.direct(0x2000, true));
    const flat = { base: 0, limit: 0xffffffff };
    const data = { ...flat, selector: 0x10, attributes: 0xc093 };
    const table = { base: 0, limit: 0 };
    const general = { rax: 0, rbx: 0, rcx: 0, rdx: 0, rsi: 0, rdi: 0, rbp: 0, rsp: 0x1000 };
    bench.vcpu.setRegisters({
      ...{ ds: data, es: data, fs: data, gs: data, ss: data, gdt: table, idt: table, ...general },
      ...{
        cs: { ...flat, selector: 8, attributes: 0xc09b },
        cr0: 0x11,
        cr3: 0,
        cr4: 0,
        efer: 0,
        rflags: 2,
        rip: 0x2000,
      },
    });
    assert.is(bench.run(), "halted");
    assert.is(bench.space.read(0x3000, 4), 0x12345678);
    assert.match(bench.vcpu.dumpRegisters(), /CS =0008 00000000 ffffffff 00c09b00 DPL=0 CS32 \[-RA\]/);
    assert.is(bench.vcpu.translate(0x1234n), 0x1234);
    bench.vcpu.nmi();
    assert.is(bench.run(), "triple-fault");
    bench.vcpu.reset();
    assert.is(bench.register("EIP"), "0000fff0");
    assert.is(bench.run(), "halted");
  });

  test("a timer and a doorbell get it out of an endless loop", async () => {
    const clock = new HostClock();
    const bench = await Bench.create("cli\nself: jmp self", clock);
    clock.start();
    let fired = 0;
    clock.timer("test", () => fired++).arm(clock.now() + 2e6);
    while (fired === 0) {
      assert.is(bench.vcpu.run(), "slice");
      clock.poll();
    }
    const ring = `const { workerData: [buffer, index] } = require("node:worker_threads");
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
      const word = new Int32Array(buffer);
      Atomics.store(word, index, 1);
      Atomics.notify(word, index);`;
    const { buffer, address } = bench.wake;
    new Worker(ring, { eval: true, workerData: [buffer, address >>> 2] });
    while (!bench.wake.take()) assert.is(bench.vcpu.run(), "slice");
  });

  test("a ring that was taken on another way out of the kernel sends no signals afterwards", async () => {
    const bench = await Bench.create(
      `mov dx, ${PORT}\nagain: mov cx, 200\ncompute: loop compute\nout dx, al\njmp again`,
    );
    bench.onPort = () => bench.vcpu.kick();
    // Until the thread that kicks it has started, and waits.
    bench.wake.ring();
    while (Atomics.load(bench.vm.words[0].words, KICKED) === 0) await new Promise(setImmediate);
    for (let i = 0; i < 1000; i++) {
      assert.is(bench.vcpu.run(), "slice");
      bench.wake.take();
    }
    // The timers of all vCPUs here send one a second.
    assert.ok(bench.signals < 100, `${bench.signals} signals`);
  });
});

test.run();
