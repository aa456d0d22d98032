/**
 * i440FX host bridge (82441FX PMC, Intel 290549): PCI configuration mechanism #1, shadow memory and system management
 * memory. DRAM timing, ECC and the fixed memory hole are not modelled: their registers read as zero.
 *
 * Invariant: the memory map is a function of PAM0-6, SMRAM and the SMM state, which are all in saved state.
 */

import type { HostBridge } from "../../../core/board.ts";
import type { AccessSize, IoRegion } from "../../../core/bus/io.ts";
import { PCI_COMMAND, PCI_STATUS, type PciBus, PciDevice, QEMU_SUBSYSTEM } from "../../../core/bus/pci.ts";
import type { Device } from "../../../core/device.ts";
import type { AddressRegion, AddressSpace } from "../../../core/memory/address-space.ts";
import { bool, defineState, type State, type StateArena, u32 } from "../../../core/state/state.ts";
import { type MainRam, ShadowMap } from "./pam.ts";
import {
  CONFIG_ENABLE,
  CONFIG_MASK,
  DRB0,
  DRB7,
  PAM0,
  PAM6,
  SMRAM,
  SMRAM_C_BASE_SEG,
  SMRAM_D_CLS,
  SMRAM_D_LCK,
  SMRAM_D_OPEN,
  SMRAM_G_SMRAME,
} from "./regs.ts";

export const I440FX_STATE = defineState("i440FX", 1, { configAddress: u32, smm: bool });

const SMRAM_BASE = 0xa0000;
const SMRAM_SIZE = 0x20000;
/** Above the shadow map and the video memory window. */
const SMRAM_PRIORITY = 20;
const DRB_UNIT = 8 * 2 ** 20;

export interface I440fxOptions {
  readonly name: string;
  readonly arena: StateArena;
  /** Configuration accesses go to this bus; the bridge is its function 0. */
  readonly bus: PciBus;
  readonly space: AddressSpace;
  readonly ram: MainRam;
  /** Bytes of main memory, for the DRAM row boundaries. */
  readonly ramSize: number;
}

export class I440fx extends PciDevice implements Device, HostBridge {
  /** CONFADD, ports CF8h to CFBh. */
  readonly configAddress: IoRegion;
  /** CONFDATA, ports CFCh to CFFh. */
  readonly configData: IoRegion;
  readonly pciBus: PciBus;
  readonly #state: State<typeof I440FX_STATE>;
  readonly #shadow: ShadowMap;
  readonly #smram: AddressRegion;
  readonly #ramSize: number;

  constructor(options: I440fxOptions) {
    super(options, { vendorId: 0x8086, deviceId: 0x1237, revision: 2, classCode: 0x0600, ...QEMU_SUBSYSTEM });
    this.#state = options.arena.attach(options.name, I440FX_STATE);
    this.pciBus = options.bus;
    this.#ramSize = options.ramSize;
    this.#shadow = new ShadowMap(options.space, options.ram);
    const smram = { kind: "ram", block: options.ram.block, offset: options.ram.offset + SMRAM_BASE } as const;
    this.#smram = options.space.map("smram", SMRAM_BASE, SMRAM_SIZE, smram, SMRAM_PRIORITY, false);
    this.configAddress = {
      name: "pci-conf-idx",
      length: 4,
      handler: {
        read: (offset) => this.#state.configAddress >>> (offset * 8),
        // Only a double word write reaches CONFADD; anything smaller is for whoever shares the port.
        write: (offset, value, size) => {
          if (offset === 0 && size === 4) this.#state.configAddress = value & CONFIG_MASK;
        },
      },
    };
    this.configData = {
      name: "pci-conf-data",
      length: 4,
      handler: {
        read: (offset, size) => this.#configCycle(offset, size),
        write: (offset, value, size) => this.#configCycle(offset, size, value),
      },
    };
    this.writable[PCI_COMMAND] = 0;
    this.writable.fill(0x33, PAM0, PAM6 + 1);
    this.writable[PAM0] = 0x30;
    this.#initRegisters();
    this.pciBus.plug(this, 0);
  }

  reset(): void {
    this.resetConfig();
    this.#initRegisters();
    this.#state.configAddress = 0;
    this.#state.smm = false;
    this.#remap();
  }

  /** Shadow memory is kept: the firmware that resumes the guest lies in it. */
  wakeReset(): void {
    this.#state.configAddress = 0;
    this.setSmm(false);
  }

  loaded(): void {
    this.updateMappings();
    this.#remap();
  }

  /** Called when the CPU enters and leaves system management mode. */
  setSmm(active: boolean): void {
    this.#state.smm = active;
    this.#remap();
  }

  override configWrite(offset: number, value: number, size: AccessSize): void {
    super.configWrite(offset, value, size);
    if (offset <= SMRAM && offset + size > SMRAM) this.#writeSmram((value >>> ((SMRAM - offset) * 8)) & 0xff);
    if (offset <= SMRAM && offset + size > PAM0) this.#remap();
  }

  #initRegisters(): void {
    this.setConfig16(PCI_COMMAND, 0x0006);
    this.setConfig16(PCI_STATUS, 0x0280);
    this.config[SMRAM] = SMRAM_C_BASE_SEG;
    this.config.fill(Math.min(0xff, Math.ceil(this.#ramSize / DRB_UNIT)), DRB0, DRB7 + 1);
  }

  /** D_LCK, once set, closes the memory and freezes the register until reset. */
  #writeSmram(value: number): void {
    const before = this.config[SMRAM];
    if (before & SMRAM_D_LCK) {
      this.config[SMRAM] = (before & ~SMRAM_D_CLS) | (value & SMRAM_D_CLS);
      return;
    }
    const bits = value & (SMRAM_D_OPEN | SMRAM_D_CLS | SMRAM_D_LCK | SMRAM_G_SMRAME);
    this.config[SMRAM] = (bits & SMRAM_D_LCK ? bits & ~SMRAM_D_OPEN : bits) | SMRAM_C_BASE_SEG;
  }

  // DEVIATION: D_CLS (in SMM, code fetches from SMRAM and data from video memory) is stored but changes nothing.
  #remap(): void {
    this.#shadow.apply(this.config.subarray(PAM0, PAM6 + 1));
    const smram = this.config[SMRAM];
    const visible = smram & SMRAM_G_SMRAME ? this.#state.smm || (smram & SMRAM_D_OPEN) !== 0 : false;
    this.#smram.setEnabled(visible);
  }

  #configCycle(port: number, size: AccessSize, value?: number): number {
    const address = this.#state.configAddress;
    const none = size === 4 ? 0xffffffff : (1 << (size * 8)) - 1;
    if ((address & CONFIG_ENABLE) === 0 || ((address >>> 16) & 0xff) !== this.pciBus.number) return none;
    const devfn = (address >>> 8) & 0xff;
    const register = (address & 0xfc) | port;
    if (value === undefined) return this.pciBus.configRead(devfn, register, size);
    this.pciBus.configWrite(devfn, register, value, size);
    return 0;
  }
}
