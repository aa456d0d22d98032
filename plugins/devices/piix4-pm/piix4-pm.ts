/**
 * PIIX4 power management (82371AB function 3, Intel 290562): ACPI fixed events and sleep control, PM timer, the APM
 * command port, general purpose events, and an SMBus host controller with nothing on its bus.
 *
 * Invariants: SCI is asserted exactly while SCI_EN is set and an enabled event is pending. The I/O blocks are mapped
 * where PMBA and SMBBA say, while their enable bits are set.
 */

import type { PowerManagement, WakeReason } from "../../../core/board.ts";
import type { AccessSize, IoRegion, Mapping } from "../../../core/bus/io.ts";
import { PCI_STATUS, PciDevice, QEMU_SUBSYSTEM } from "../../../core/bus/pci.ts";
import { nextOverflow, nsOfTick, pmTicks, readPmTimer } from "../../../core/chips/pm-timer.ts";
import type { Clock, Timer } from "../../../core/clock.ts";
import type { Device } from "../../../core/device.ts";
import type { IrqLine } from "../../../core/irq.ts";
import { bool, defineState, f64, type State, type StateArena, u8, u16 } from "../../../core/state/state.ts";
import {
  ACPI_DISABLE,
  ACPI_ENABLE,
  APMC_EN,
  CNTRL_BITS,
  DEVACTB,
  EN_BITS,
  PMBA,
  PMCNTRL,
  PMEN,
  PMIOSE,
  PMREGMISC,
  PMSTS,
  PMTMR,
  PWRBTN_STS,
  RTC_STS,
  SCI_EN,
  SLPBTN_STS,
  SMB_HST_EN,
  SMBBA,
  SMBHSTCFG,
  STS_BITS,
  SUS_EN,
  SUS_TYP_SHIFT,
  TMROF_STS,
  WAK_STS,
} from "./regs.ts";
import { SmbusHost } from "./smbus.ts";

export const PIIX4_PM_STATE = defineState("PIIX4_PM", 1, {
  pmsts: u16,
  pmen: u16,
  pmcntrl: u16,
  /** The PM timer tick that sets TMROF_STS next. */
  overflowTick: f64,
  gpsts: u16,
  gpen: u16,
  apmc: u8,
  apms: u8,
  /** In S3, waiting for a wake-up event. */
  suspended: bool,
});

/** The status bit that the guest finds. */
const WAKE_STATUS: Readonly<Record<WakeReason, number>> = {
  "power-button": PWRBTN_STS,
  "sleep-button": SLPBTN_STS,
  rtc: RTC_STS,
  "pm-timer": TMROF_STS,
  other: PWRBTN_STS,
};

export interface Piix4PmOptions {
  readonly name: string;
  readonly arena: StateArena;
  readonly clock: Clock;
  /** ISA interrupt 9. */
  readonly sci: IrqLine;
  /** Maps an I/O block whose base the guest chooses. */
  readonly mapPorts: (base: number, region: IoRegion) => Mapping;
  /** Told where the PM timer's port is, 0 for nowhere. */
  readonly timerAt?: (port: number) => void;
  /** Soft off: S5, and S4 after the guest has written its image. */
  readonly powerOff: () => void;
  /** Suspends to RAM until `wake` is called. */
  readonly suspend: () => void;
  /** A wake-up event happened while suspended: the machine resets, then calls `wake` with the reason. */
  readonly wakeUp: (reason: WakeReason) => void;
  /** False presents APMC_EN as already set, so that firmware does not install an SMI handler. */
  readonly smm?: boolean;
  readonly disableS3?: boolean;
  readonly disableS4?: boolean;
  /** The SUS_TYP value that means S4. */
  readonly s4Value?: number;
}

export class Piix4Pm extends PciDevice implements Device, PowerManagement {
  /** APM command and status, ports B2h and B3h. */
  readonly apm: IoRegion;
  /** General purpose event block 0: status word, enable word; 4 ports at AFE0h. */
  readonly gpe: IoRegion;
  readonly #options: Piix4PmOptions;
  readonly #state: State<typeof PIIX4_PM_STATE>;
  readonly #clock: Clock;
  readonly #overflow: Timer;
  readonly #smbus: SmbusHost;
  readonly #pm: IoRegion;
  #pmMapping: Mapping | undefined;
  #smbMapping: Mapping | undefined;
  #smi: () => void = () => {};

  constructor(options: Piix4PmOptions) {
    super(options, {
      vendorId: 0x8086,
      deviceId: 0x7113,
      revision: 3,
      classCode: 0x0680,
      interruptPin: 1,
      ...QEMU_SUBSYSTEM,
    });
    this.#options = options;
    this.#clock = options.clock;
    this.#state = options.arena.attach(options.name, PIIX4_PM_STATE);
    this.#overflow = options.clock.timer(`${options.name}.pmtmr`, () => this.#overflowed());
    this.#smbus = new SmbusHost(`${options.name}/smbus`, options.arena);
    this.apm = {
      name: "apm-io",
      length: 2,
      max: 1,
      handler: {
        read: (at) => (at === 0 ? this.#state.apmc : this.#state.apms),
        write: (at, value) => {
          if (at === 0) this.#writeApmc(value);
          else this.#state.apms = value;
        },
      },
    };
    this.gpe = {
      name: "acpi-gpe0",
      length: 4,
      max: 1,
      handler: {
        read: (at) => (at < 2 ? this.#state.gpsts : this.#state.gpen) >> ((at & 1) * 8),
        write: (at, value) => this.#writeGpe(at, value),
      },
    };
    this.#pm = {
      name: "piix4-pm",
      length: 64,
      handler: {
        read: (at, size) => this.#readPm(at, size),
        write: (at, value, size) => this.#writePm(at, value, size),
      },
    };
    for (const [register, mask] of [
      [PMBA, 0xc0],
      [PMBA + 1, 0xff],
      [PMREGMISC, PMIOSE],
      [SMBBA, 0xf0],
      [SMBBA + 1, 0xff],
      [SMBHSTCFG, 0x0f],
    ]) {
      this.writable[register] = mask;
    }
    // Device resource and activity registers hold what is written to them.
    this.writable.fill(0xff, 0x44, PMREGMISC);
    this.#state.overflowTick = nextOverflow(pmTicks(this.#clock));
    this.#initRegisters();
  }

  /** Connects the CPU's SMI pin. */
  onSmi(smi: () => void): void {
    this.#smi = smi;
  }

  reset(): void {
    this.resetConfig();
    this.#initRegisters();
    this.#smbus.reset();
    const state = this.#state;
    state.pmsts = state.pmen = state.pmcntrl = 0;
    state.gpsts = state.gpen = 0;
    state.apmc = state.apms = 0;
    state.suspended = false;
    state.overflowTick = nextOverflow(pmTicks(this.#clock));
    this.#remap();
    this.#update();
  }

  loaded(): void {
    this.updateMappings();
    this.#remap();
    this.#update();
  }

  override configWrite(offset: number, value: number, size: AccessSize): void {
    super.configWrite(offset, value, size);
    this.#remap();
  }

  /** The power button was pressed: an ACPI event, or the end of S3. */
  powerButton(): void {
    this.#press("power-button", PWRBTN_STS);
  }

  sleepButton(): void {
    this.#press("sleep-button", SLPBTN_STS);
  }

  /** The RTC's alarm went off; it wakes a guest that has enabled that. */
  rtcAlarm(): void {
    if (!this.#state.suspended || this.#state.pmen & RTC_STS) this.#press("rtc", RTC_STS);
  }

  /** The machine leaves S3: called after its reset. */
  wake(reason: WakeReason): void {
    this.#state.pmsts |= WAK_STS | WAKE_STATUS[reason];
    this.#update();
  }

  /** Raises general purpose event 0 to 15. */
  raiseGpe(event: number): void {
    this.#state.gpsts |= 1 << (event & 0xf);
    this.#update();
  }

  get sleepStates(): PowerManagement["sleepStates"] {
    const { disableS3, disableS4, s4Value = 2 } = this.#options;
    return { s3: !disableS3, s4: disableS4 ? undefined : s4Value };
  }

  get suspended(): boolean {
    return this.#state.suspended;
  }

  #press(reason: WakeReason, status: number): void {
    if (this.#state.suspended) {
      this.#options.wakeUp(reason);
      return;
    }
    this.#state.pmsts |= status;
    this.#update();
  }

  #overflowed(): void {
    this.#update();
    if (this.#state.suspended) this.#options.wakeUp("pm-timer");
  }

  #initRegisters(): void {
    this.setConfig16(PCI_STATUS, 0x0280);
    this.config[PMBA] = 1;
    this.config[SMBBA] = 1;
    this.config[DEVACTB + 3] = this.#options.smm === false ? APMC_EN : 0;
  }

  #remap(): void {
    const place = (old: Mapping | undefined, base: number, enabled: boolean, region: IoRegion): Mapping | undefined => {
      const wanted = enabled && base !== 0;
      if (old && wanted && old.base === base) return old;
      old?.remove();
      return wanted ? this.#options.mapPorts(base, region) : undefined;
    };
    const pmEnabled = (this.config[PMREGMISC] & PMIOSE) !== 0;
    this.#pmMapping = place(this.#pmMapping, this.config16(PMBA) & 0xffc0, pmEnabled, this.#pm);
    this.#options.timerAt?.(this.#pmMapping ? this.#pmMapping.base + PMTMR : 0);
    const smbEnabled = (this.config[SMBHSTCFG] & SMB_HST_EN) !== 0;
    this.#smbMapping = place(this.#smbMapping, this.config16(SMBBA) & 0xfff0, smbEnabled, this.#smbus.io);
  }

  /** Brings TMROF_STS up to date, drives SCI, and arms the timer for the next overflow that matters. */
  #update(): void {
    const state = this.#state;
    const ticks = pmTicks(this.#clock);
    if (ticks >= state.overflowTick) {
      state.pmsts |= TMROF_STS;
      state.overflowTick = nextOverflow(ticks);
    }
    const pending = (state.pmsts & state.pmen & EN_BITS) !== 0 || (state.gpsts & state.gpen) !== 0;
    this.#options.sci.set(pending && (state.pmcntrl & SCI_EN) !== 0);
    if (state.pmen & TMROF_STS && !(state.pmsts & TMROF_STS)) this.#overflow.arm(nsOfTick(state.overflowTick));
    else this.#overflow.cancel();
  }

  #readPm(at: number, size: AccessSize): number {
    if (size === 4 && at === PMTMR) return readPmTimer(this.#clock);
    let value = 0;
    for (let i = 0; i < size; i++) value |= ((this.#readPm16((at + i) & ~1) >> (((at + i) & 1) * 8)) & 0xff) << (i * 8);
    return value;
  }

  #readPm16(at: number): number {
    switch (at) {
      case PMSTS:
        this.#update();
        return this.#state.pmsts;
      case PMEN:
        return this.#state.pmen;
      case PMCNTRL:
        return this.#state.pmcntrl;
      case PMTMR:
        return pmTicks(this.#clock) % 65536;
      case PMTMR + 2:
        return Math.floor(pmTicks(this.#clock) / 65536) & 0xff;
      default:
        return 0;
    }
  }

  #writePm(at: number, value: number, size: AccessSize): void {
    if (size === 1) {
      const shift = (at & 1) * 8;
      const other = at < PMEN ? 0 : this.#readPm16(at & ~1) & (0xff00 >> shift);
      this.#writePm16(at & ~1, other | (value << shift));
    } else if ((at & 1) === 0) {
      this.#writePm16(at, value & 0xffff);
      if (size === 4) this.#writePm16(at + 2, value >>> 16);
    }
  }

  #writePm16(at: number, value: number): void {
    const state = this.#state;
    switch (at) {
      case PMSTS:
        this.#update();
        state.pmsts &= ~(value & STS_BITS);
        this.#update();
        break;
      case PMEN:
        state.pmen = value & EN_BITS;
        this.#update();
        break;
      case PMCNTRL:
        state.pmcntrl = value & CNTRL_BITS;
        this.#update();
        if (value & SUS_EN) this.#sleep((value >> SUS_TYP_SHIFT) & 7);
        break;
    }
  }

  #sleep(type: number): void {
    const { suspend, powerOff } = this.#options;
    const { s3, s4 } = this.sleepStates;
    if (type === 0 || type === s4) powerOff();
    else if (type === 1 && s3) {
      this.#state.suspended = true;
      suspend();
    }
  }

  #writeGpe(at: number, value: number): void {
    const shift = (at & 1) * 8;
    if (at < 2) this.#state.gpsts &= ~(value << shift);
    else this.#state.gpen = (this.#state.gpen & ~(0xff << shift)) | (value << shift);
    this.#update();
  }

  /**
   * DEVIATION: SCI_EN follows the ACPI enable and disable commands by itself, as firmware for virtual machines expects;
   * on a real board the SMI handler sets it.
   */
  #writeApmc(value: number): void {
    const state = this.#state;
    state.apmc = value;
    if (value === ACPI_ENABLE) state.pmcntrl |= SCI_EN;
    if (value === ACPI_DISABLE) state.pmcntrl &= ~SCI_EN;
    this.#update();
    if (this.#options.smm !== false && this.config[DEVACTB + 3] & APMC_EN) this.#smi();
  }
}
