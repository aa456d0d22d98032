import { test } from "uvu";
import * as assert from "uvu/assert";
import { QemuError } from "../../../core/errors.ts";
import { type CommandLine, readCommandLine } from "../../../core/options/command-line.ts";
import { fakeHost } from "./fake-plugins.ts";

const host = await fakeHost();
const read = (...args: string[]): Promise<CommandLine> =>
  readCommandLine(args, host, { name: "qemu-next", version: "qemu-next emulator version 1\n" });

async function machine(...args: string[]) {
  const line = await read(...args);
  if (line.kind !== "machine") throw new Error(`printed: ${line.text}`);
  return line;
}

async function text(...args: string[]): Promise<string> {
  const line = await read(...args);
  if (line.kind !== "text") throw new Error("made a machine");
  return line.text;
}

/** "option: message" as the user sees it. */
async function failure(...args: string[]): Promise<string> {
  try {
    await read(...args);
  } catch (error) {
    assert.ok(error instanceof QemuError, String(error));
    const { context, message, hint } = error as QemuError;
    return `${context.option ? `${context.option}: ` : ""}${message}${hint ? ` | ${hint}` : ""}`;
  }
  throw new Error("accepted");
}

test("nothing said: the default machine, its terminal, its empty drives", async () => {
  const { machine: m, io, firmware } = await machine();
  assert.is(m.machine, "pc-i440fx-1");
  assert.is(m.accelerator, "tcg");
  assert.is(m.cpu, "qemu64");
  assert.is(m.ram, 128 << 20);
  assert.is(m.boot.order, "cad");
  assert.is(m.vga, "std");
  assert.is(m.graphics, false);
  assert.equal(m.serials, ["serial0"]);
  assert.equal(m.parallels, ["parallel0"]);
  assert.equal(io.monitors, ["serial0"]);
  assert.equal(io.machineChardevs, ["serial0", "parallel0"]);
  const [serial] = io.chardevs;
  assert.equal([serial.backend, serial.mux, serial.options.signal], ["stdio", true, "off"]);
  assert.match(io.notice!, /terminal/);
  assert.equal(
    m.drives.map(({ id, interface: kind, bus, unit, media }) => [id, kind, bus, unit, media]),
    [
      ["ide1-cd0", "ide", 1, 0, "cdrom"],
      ["floppy0", "floppy", 0, 0, "disk"],
    ],
  );
  assert.is(firmware.bios, undefined);
});

test("a bare word is hard disk 0; -x and --x are the same", async () => {
  const { machine: m, io } = await machine("--m", "1G", "disk.img", "-hdb", "other.img", "--snapshot");
  assert.is(m.ram, 2 ** 30);
  assert.equal(
    io.blocks.filter(({ file }) => file).map(({ id, file, snapshot }) => [id, file, snapshot]),
    [
      ["ide0-hd0", "disk.img", true],
      ["ide0-hd1", "other.img", true],
    ],
  );
  assert.equal(m.drives[0], { id: "ide0-hd0", interface: "ide", bus: 0, unit: 0, media: "disk", readOnly: false });
});

test("-drive: places, ids, media, what is harmless and what is not", async () => {
  const { machine: m, io } = await machine(
    "-drive",
    "file=a,,b.img,format=raw,cache=none,aio=native,discard=unmap",
    "-drive",
    "file=cd.iso,media=cdrom,index=3",
    "-drive",
    "if=none,id=spare,file=s.img,readonly=on",
    "-drive",
    "if=floppy,file=f.img,snapshot=on",
    "-nodefaults",
  );
  assert.equal(
    m.drives.map(({ id, interface: kind, readOnly }) => [id, kind, readOnly]),
    [
      ["ide0-hd0", "ide", false],
      ["ide1-cd1", "ide", true],
      ["spare", "none", true],
      ["floppy0", "floppy", false],
    ],
  );
  assert.equal(
    io.blocks.map(({ file, format, snapshot, removable }) => [file, format, snapshot, removable]),
    [
      ["a,b.img", "raw", false, false],
      ["cd.iso", undefined, false, true],
      ["s.img", undefined, false, false],
      ["f.img", undefined, true, true],
    ],
  );
  assert.is(await failure("-drive", "fil=x"), "-drive fil=x: Invalid parameter 'fil' | did you mean 'file'?");
  assert.match(await failure("-drive", "file=x,if=virtio"), /does not accept value 'virtio'/);
  assert.match(await failure("-hda", "x", "-drive", "file=y,index=0"), /drive with bus=0, unit=0 \(index=0\) exists/);
  assert.match(await failure("-drive", "file=x,index=9"), /does not support if=ide,bus=4,unit=1/);
  assert.match(await failure("-drive", "if=ide"), /Device needs media, but drive is empty/);
  assert.match(await failure("-drive", "file=x,if=none,id=9a"), /expects an identifier/);
});

test("-nographic, -serial, -monitor and the terminal", async () => {
  const on = async (...args: string[]) => {
    const { machine: m, io } = await machine(...args);
    const backend = (id: string | undefined) => {
      const plan = io.chardevs.find((chardev) => chardev.id === id);
      return plan && `${plan.backend}${plan.mux ? "+mux" : ""}`;
    };
    return { serial: m.serials.map(backend), monitor: io.monitors.map(backend), graphics: m.graphics };
  };
  assert.equal(await on("-nographic"), { serial: ["stdio+mux"], monitor: ["stdio+mux"], graphics: false });
  assert.equal(await on("-nographic", "-serial", "null"), { serial: ["null"], monitor: ["stdio"], graphics: false });
  assert.equal(await on("-nographic", "-monitor", "none"), { serial: ["stdio"], monitor: [], graphics: false });
  assert.equal(await on("-display", "none"), { serial: ["vc"], monitor: ["null"], graphics: true });
  assert.equal(await on("-serial", "stdio"), { serial: ["stdio"], monitor: ["null"], graphics: true });
  assert.equal(await on("-monitor", "stdio"), { serial: ["vc"], monitor: ["stdio"], graphics: true });
  assert.equal(await on("-nodefaults"), { serial: [], monitor: [], graphics: true });
  assert.equal((await on("-serial", "none", "-serial", "file:x")).serial, [undefined, "file"]);
});

test("the short forms of character devices", async () => {
  const first = async (device: string) => {
    const { io } = await machine("-nodefaults", "-serial", device);
    const { backend, options, mux } = io.chardevs[0];
    return { backend, mux, ...options };
  };
  assert.equal(await first("file:a,,b.log"), { backend: "file", mux: false, path: "a,b.log" });
  assert.equal(await first("tcp:localhost:4444,server,nowait"), {
    backend: "socket",
    mux: false,
    host: "localhost",
    port: "4444",
    server: "on",
    wait: "off",
  });
  assert.equal(await first("tcp::4444"), { backend: "socket", mux: false, host: "", port: "4444" });
  assert.equal(await first("unix:/run/x,server=on,wait=off"), {
    backend: "socket",
    mux: false,
    path: "/run/x",
    server: "on",
    wait: "off",
  });
  assert.equal(await first("vc:80Cx24C"), { backend: "vc", mux: false });
  assert.equal(await first("mon:unix:/x"), { backend: "socket", mux: true, path: "/x" });
  assert.equal(await first("pty"), { backend: "pty", mux: false });
  const telnet = { backend: "socket", mux: false, host: "", port: "23", server: "on", wait: "off", telnet: "on" };
  assert.equal(await first("telnet::23,server,nowait"), telnet);
  assert.match(await failure("-serial", "foo"), /could not connect serial device to character backend 'foo'/);
});

test("-chardev, -mon, sharing", async () => {
  const { io, machine: m } = await machine(
    "-chardev",
    "stdio,mux=on,id=c,signal=off",
    "-mon",
    "chardev=c",
    "-serial",
    "chardev:c",
    "-device",
    "isa-serial,chardev=c,id=extra",
  );
  assert.equal(io.monitors, ["c"]);
  assert.equal(m.serials, ["c"]);
  assert.equal(m.devices[0].properties, { chardev: "c" });
  assert.match(await failure("-serial", "chardev:x"), /^-serial chardev:x: chardev "x" not found/);
  assert.match(await failure("-chardev", "null,id=a", "-mon", "a", "-serial", "chardev:a"), /Device 'a' is in use/);
  assert.match(await failure("-chardev", "null"), /Parameter 'id' is missing/);
  assert.match(await failure("-chardev", "null,id=a", "-chardev", "null,id=a"), /Duplicate ID 'a' for chardev/);
});

test("-device takes the place of a default device", async () => {
  assert.equal((await machine("-device", "isa-serial")).machine.serials, []);
});

test("machine, accelerator, CPU: properties and mistakes", async () => {
  const { machine: m } = await machine("-M", "pc,smm=off", "-accel", "tcg,thread=single", "-cpu", "486,+fpu");
  assert.equal({ ...m.machineProperties }, { smm: "off" });
  assert.equal(m.acceleratorProperties, { thread: "single" });
  // What -machine passes on to an accelerator reaches one that has it, and troubles no other.
  const passed = await machine("-M", "pc,kernel_irqchip=split,smm=off", "-accel", "tcg");
  assert.equal(passed.machine.acceleratorProperties, {});
  assert.equal({ ...passed.machine.machineProperties }, { smm: "off" });
  assert.is(m.cpu, "486,+fpu");
  assert.is((await machine("-M", "pc,accel=kvm:tcg")).machine.accelerator, "tcg");
  const second = await machine("-accel", "kvm", "-accel", "tcg");
  assert.is(second.machine.accelerator, "tcg");
  assert.equal(second.io.warnings, ["invalid accelerator kvm; falling back to tcg"]);
  assert.equal((await machine("-accel", "tcg", "-accel", "kvm")).io.warnings, []);
  assert.match(await failure("-accel", "kvm", "-M", "accel=tcg"), /^-accel kvm: .* options are incompatible$/);
  assert.is(await failure("-M", "accel=kvm:hvf"), "-M accel=kvm:hvf: invalid accelerator kvm; invalid accelerator hvf");
  assert.match(await failure("-accel", "kvm", "-accel", "tcg,sped=1"), /tcg-accel.sped/);
  assert.match(
    await failure("-M", "pv"),
    /^-M pv: unsupported machine type "pv" \| did you mean 'pc'\?\nUse -machine help/,
  );
  assert.match(
    await failure("-M", "pc,hpt=off"),
    /Property 'pc-i440fx-1-machine.hpt' not found \| did you mean 'hpet'/,
  );
  assert.is(await failure("-accel", "kvm"), "-accel kvm: invalid accelerator kvm");
  assert.match(await failure("-cpu", "qemu46"), /unable to find CPU model 'qemu46' \| did you mean 'qemu64'/);
});

test("devices: unknown ones, unknown properties, the board's own", async () => {
  assert.match(
    await failure("-device", "isa-seriel"),
    /'isa-seriel' is not a valid device model name \| did you mean 'isa-serial'/,
  );
  assert.match(
    await failure("-device", "isa-serial,chardv=x"),
    /Property 'isa-serial.chardv' not found \| did you mean 'chardev'/,
  );
  assert.match(await failure("-device", "i8259"), /expects a pluggable device type/);
});

test("unknown options list near matches; a missing argument is said", async () => {
  assert.is(await failure("-nogrphic"), "-nogrphic: invalid option | did you mean '-nographic'?");
  assert.is(await failure("-m"), "-m: requires an argument");
});

test("odds and ends", async () => {
  const {
    machine: m,
    io,
    firmware,
  } = await machine(
    "-boot",
    "order=dc,once=n,menu=on,splash-time=1500,reboot-timeout=500,strict=on",
    "-option-rom",
    "a,,b.rom,bootindex=3",
    "-rtc",
    "base=2006-06-17T16:01:21,clock=vm",
    "-name",
    "box,process=p",
    "-uuid",
    "DEADBEEF-0000-1111-2222-0123456789AB",
    "-no-reboot",
    "-no-shutdown",
    "-S",
    "-debugcon",
    "file:d",
    "-global",
    "isa-debugcon.iobase=0x402",
    "-kernel",
    "k",
    "-append",
    "root=/dev/sda, quiet",
    "-initrd",
    "i",
    "-L",
    "/a",
    "-L",
    "/b",
    "-echr",
    "0x14",
    "-d",
    "int,stats",
    "-D",
    "log",
    "-pidfile",
    "p",
    "-smp",
    "1,sockets=1",
    "-net",
    "none",
  );
  const boot = { order: "dc", once: "n", menu: true, splashTime: 1500, rebootTimeout: 500, strict: true };
  assert.equal(m.boot, boot);
  assert.equal(firmware.optionRoms, [{ file: "a,b.rom", bootIndex: 3 }]);
  assert.equal(m.rtc, { base: Date.UTC(2006, 5, 17, 16, 1, 21), clock: "vm" });
  assert.equal([m.name, m.uuid], ["box", "deadbeef-0000-1111-2222-0123456789ab"]);
  assert.equal([m.noReboot, m.noShutdown, m.startPaused], [true, true, true]);
  assert.equal(m.debugcons, [{ iobase: 0x402, chardev: "debugcon0" }]);
  assert.equal([firmware.kernel, firmware.commandLine, firmware.initrd], ["k", "root=/dev/sda, quiet", "i"]);
  assert.equal(firmware.directories, ["/a", "/b"]);
  assert.is(io.escapeCode, 0x14);
  assert.equal(io.log, { items: ["int", "stats"], file: "log" });
  assert.equal(m.smp, { cpus: 1, sockets: 1, dies: 1, cores: 1, threads: 1 });
  assert.match(await failure("-boot", "z"), /Invalid boot device 'z'/);
  assert.match(await failure("-boot", "splash-time=65536"), /'splash-time' expects a number from 0 to 65535/);
  assert.match(await failure("-boot", "reboot-timeout=-2"), /'reboot-timeout' expects a number from -1 to 65535/);
  assert.match(await failure("-append", "x"), /only allowed with -kernel/);
  assert.match(await failure("-m", "lots"), /^-m lots: Parameter 'size' expects a non-negative number below 2\^64/);
  assert.match(await failure("-d", "ints"), /Invalid log item 'ints' \| did you mean 'int'/);
});

test("help texts", async () => {
  assert.match(await text("-help"), /^qemu-next emulator version 1\nusage: qemu-next \[options\] \[disk_image\]/);
  assert.match(await text("-h"), /-hda file +use 'file' as IDE hard disk 0\n/);
  assert.is(await text("-version"), "qemu-next emulator version 1\n");
  assert.is(
    await text("-M", "help"),
    "Supported machines are:\n" +
      "pc                   Standard PC (i440FX + PIIX, 1996) (alias of pc-i440fx-1)\n" +
      "pc-i440fx-1          Standard PC (i440FX + PIIX, 1996) (default)\n",
  );
  assert.is(await text("-accel", "help"), "Accelerators supported in QEMU binary:\ntcg\n");
  assert.is(await text("-cpu", "?"), "Available CPUs:\nx86 qemu64                QEMU Virtual CPU\nx86 486\n");
  assert.is(await text("-device", "help"), 'Input devices:\nname "isa-serial", bus ISA\n');
  assert.match(
    await text("-device", "isa-serial,help"),
    /^isa-serial options:\n.*\n {2}chardev=<chardev> {5} - ID of a chardev/,
  );
  assert.match(await text("-M", "pc,help"), / {2}hpet=<bool> +- on\/off \(default: on\)/);
  assert.match(await text("-d", "help"), /^Log items \(comma separated\):\nin_asm/);
});

test.run();
