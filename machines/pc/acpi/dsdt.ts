/**
 * The differentiated system description table of the i440FX PC: the PCI host bridge with its windows, the routing of
 * PCI interrupts through the PIIX3's PIRQ registers, the ISA devices behind it, HPET, fw_cfg, processors and the sleep
 * states as the PIIX4's PM1 control register encodes them.
 */

import * as aml from "./aml.ts";
import { type Aml, device, eisaId, int, method, name, path, pkg, ret, scope } from "./aml.ts";
import {
  dma8,
  dwordMemory,
  interrupt,
  io,
  irqNoFlags,
  memory32Fixed,
  resourceTemplate,
  wordBusNumber,
  wordIo,
} from "./resources.ts";

/** The sleep states besides S5 that the power management chip has. */
export interface SleepStates {
  readonly s3: boolean;
  /** The SLP_TYP value of S4, if there is one. */
  readonly s4: number | undefined;
}

export interface DsdtOptions {
  /** APIC IDs of the CPUs. */
  readonly apicIds: readonly number[];
  /** First address of the 32-bit PCI window: the end of RAM below 4 GiB. */
  readonly pciHoleStart: number;
  readonly hpet: boolean;
  /** Whether there is a fw_cfg device at 0x510. */
  readonly fwCfg: boolean;
  readonly keyboard: boolean;
  readonly floppy: boolean;
  /** Number of serial ports, 0 to 4, and of parallel ports, 0 to 3. */
  readonly serials: number;
  readonly parallels: number;
  /** The port of a pvpanic device. */
  readonly pvpanicPort?: number;
  readonly sleep: SleepStates;
}

const PCI_HOLE_END = 0xfebf_ffff;
const HPET_BASE = 0xfed0_0000;
const PRESENT = 0x0f;
const PRESENT_HIDDEN = 0x0b;
const PRESENT_DISABLED = 0x09;
/** Bit 7 of a PIRQ route control register. */
const PIRQ_DISABLED = 0x80;
const LINKS = ["LNKA", "LNKB", "LNKC", "LNKD"] as const;
const SCI_LINK = "LNKS";
/** Slot of the PIIX: its pin A is the power management function's, wired to IRQ 9. */
const PIIX_SLOT = 1;

const SERIALS = [
  { base: 0x3f8, irq: 4 },
  { base: 0x2f8, irq: 3 },
  { base: 0x3e8, irq: 4 },
  { base: 0x2e8, irq: 3 },
] as const;
const PARALLEL_BASES = [0x378, 0x278, 0x3bc] as const;
const PARALLEL_IRQ = 7;

/** Package() {slot << 16 | 0xffff, pin, link, 0} for each pin of each slot. */
function prt(): Aml {
  const routes: Aml[] = [];
  for (let slot = 0; slot < 32; slot++) {
    for (let pin = 0; pin < 4; pin++) {
      const link = slot === PIIX_SLOT && pin === 0 ? SCI_LINK : LINKS[(slot + pin + 3) & 3];
      routes.push(pkg(int(slot * 0x10000 + 0xffff), int(pin), path(link), aml.ZERO));
    }
  }
  return name("_PRT", pkg(...routes));
}

/** The link device behind PIRQ register `PRQn`, and the two methods all of them share. */
function pirqLink(index: number): Aml {
  const register = path(`PRQ${index}`);
  return device(
    LINKS[index],
    name("_HID", eisaId("PNP0C0F")),
    name("_UID", int(index)),
    name("_PRS", resourceTemplate(interrupt(5, 10, 11))),
    method("_STA", 0, false, ret(aml.call("IQST", register))),
    method("_DIS", 0, false, aml.or(register, int(PIRQ_DISABLED), register)),
    method("_CRS", 0, false, ret(aml.call("IQCR", register))),
    method("_SRS", 1, false, aml.createDWordField(aml.arg(0), 5, "PRRI"), aml.store(path("PRRI"), register)),
  );
}

const PIRQ_STATUS = method(
  "IQST",
  1,
  false,
  aml.when(aml.and(aml.arg(0), int(PIRQ_DISABLED)), ret(int(PRESENT_DISABLED))),
  ret(int(PRESENT_HIDDEN)),
);

/** The one buffer that IQCR returns, and the interrupt number in it. */
const PIRQ_BUFFER: readonly Aml[] = [
  name("PRR0", resourceTemplate(interrupt(0))),
  aml.createDWordField(path("PRR0"), 5, "PRRN"),
];

const PIRQ_CURRENT = method(
  "IQCR",
  1,
  true,
  aml.store(aml.ZERO, path("PRRN")),
  aml.when(aml.lessThan(aml.arg(0), int(PIRQ_DISABLED)), aml.store(aml.arg(0), path("PRRN"))),
  ret(path("PRR0")),
);

const SCI_LINK_DEVICE = device(
  SCI_LINK,
  name("_HID", eisaId("PNP0C0F")),
  name("_UID", int(4)),
  name("_PRS", resourceTemplate(interrupt(9))),
  method("_STA", 0, false, ret(int(PRESENT_HIDDEN))),
  method("_DIS", 0, false),
  method("_CRS", 0, false, ret(path("_PRS"))),
  method("_SRS", 1, false),
);

/** A device with a fixed id and fixed resources. */
function plain(id: string, hid: string, resources: Aml[], ...more: Aml[]): Aml {
  return device(id, name("_HID", eisaId(hid)), ...more, name("_CRS", resourceTemplate(...resources)));
}

const present = name("_STA", int(PRESENT));

function isaDevices(options: DsdtOptions): Aml[] {
  const devices = [plain("RTC", "PNP0B00", [io(0x70, 0x70, 1, 8), irqNoFlags(8)])];
  if (options.keyboard) {
    devices.push(
      plain("KBD", "PNP0303", [io(0x60, 0x60, 1, 1), io(0x64, 0x64, 1, 1), irqNoFlags(1)], present),
      plain("MOU", "PNP0F13", [irqNoFlags(12)], present),
    );
  }
  if (options.floppy) {
    const resources = [io(0x3f2, 0x3f2, 0, 4), io(0x3f7, 0x3f7, 0, 1), irqNoFlags(6), dma8(2)];
    devices.push(plain("FDC0", "PNP0700", resources, present));
  }
  PARALLEL_BASES.slice(0, options.parallels).forEach((base, i) => {
    devices.push(
      plain(
        `LPT${i + 1}`,
        "PNP0400",
        [io(base, base, 4, 8), irqNoFlags(PARALLEL_IRQ)],
        name("_UID", int(i + 1)),
        present,
      ),
    );
  });
  SERIALS.slice(0, options.serials).forEach(({ base, irq }, i) => {
    devices.push(
      plain(`COM${i + 1}`, "PNP0501", [io(base, base, 0, 8), irqNoFlags(irq)], name("_UID", int(i + 1)), present),
    );
  });
  if (options.pvpanicPort !== undefined) devices.push(pvpanic(options.pvpanicPort));
  return devices;
}

/** The panic device, with the methods that read and write its port. */
function pvpanic(port: number): Aml {
  return device(
    "PEVT",
    name("_HID", aml.string("QEMU0001")),
    name("_CRS", resourceTemplate(io(port, port, 1, 1))),
    aml.operationRegion("PEOR", "SystemIO", int(port), aml.ONE),
    aml.field("PEOR", "ByteAcc", ["PEPT", 8]),
    present,
    method("RDPT", 0, false, aml.store(path("PEPT"), aml.local(0)), ret(aml.local(0))),
    method("WRPT", 1, false, aml.store(aml.arg(0), path("PEPT"))),
  );
}

function hostBridge(options: DsdtOptions): Aml {
  return device(
    "PCI0",
    name("_HID", eisaId("PNP0A03")),
    name("_UID", aml.ZERO),
    name(
      "_CRS",
      resourceTemplate(
        wordBusNumber(0, 0xff),
        io(0xcf8, 0xcf8, 1, 8),
        wordIo(0x0000, 0x0cf7),
        wordIo(0x0d00, 0xffff),
        dwordMemory(true, 0x000a_0000, 0x000b_ffff),
        dwordMemory(false, options.pciHoleStart, PCI_HOLE_END),
      ),
    ),
    prt(),
    device(
      "ISA",
      name("_ADR", int(PIIX_SLOT << 16)),
      aml.operationRegion("P40C", "PCI_Config", int(0x60), int(4)),
      ...isaDevices(options),
    ),
    // The general purpose event registers lie in the bridge's I/O window, so they are reserved from it.
    plain(
      "GPER",
      "PNP0A06",
      [io(0xafe0, 0xafe0, 1, 4)],
      name("_UID", aml.string("GPE0 resources")),
      name("_STA", int(PRESENT_HIDDEN)),
    ),
  );
}

function links(): Aml[] {
  return [
    aml.field("PCI0.ISA.P40C", "ByteAcc", ["PRQ0", 8], ["PRQ1", 8], ["PRQ2", 8], ["PRQ3", 8]),
    PIRQ_STATUS,
    ...PIRQ_BUFFER,
    PIRQ_CURRENT,
    ...LINKS.map((_, index) => pirqLink(index)),
    SCI_LINK_DEVICE,
  ];
}

function systemDevices(options: DsdtOptions): Aml[] {
  const devices: Aml[] = [];
  if (options.hpet) {
    devices.push(
      plain("HPET", "PNP0103", [memory32Fixed("ReadOnly", HPET_BASE, 0x400)], name("_UID", aml.ZERO), present),
    );
  }
  if (options.fwCfg) {
    devices.push(
      device(
        "FWCF",
        name("_HID", aml.string("QEMU0002")),
        name("_STA", int(PRESENT_HIDDEN)),
        name("_CRS", resourceTemplate(io(0x510, 0x510, 1, 12))),
      ),
    );
  }
  for (let cpu = 0; cpu < options.apicIds.length; cpu++) {
    devices.push(aml.processor(`C${cpu.toString(16).toUpperCase().padStart(3, "0")}`, cpu));
  }
  return devices;
}

/** _Sx: the value of SLP_TYP for PM1a and PM1b. */
const sleepState = (state: string, type: number): Aml => name(state, pkg(int(type), int(type), aml.ZERO, aml.ZERO));

/** The table's body; the header is added with the other tables'. */
export function dsdtBody(options: DsdtOptions): Uint8Array {
  const { s3, s4 } = options.sleep;
  const terms = [
    scope("\\_SB", hostBridge(options), ...links(), ...systemDevices(options)),
    ...(s3 ? [sleepState("\\_S3", 1)] : []),
    ...(s4 === undefined ? [] : [sleepState("\\_S4", s4)]),
    sleepState("\\_S5", 0),
  ];
  return Uint8Array.from(terms.flat());
}
