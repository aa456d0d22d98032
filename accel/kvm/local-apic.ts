/**
 * What a vCPU has in the kernel besides its registers when its local APIC is there: the APIC's registers, whether it
 * waits (HLT, INIT), and the TSC deadline. They are saved as the state of the board's local APIC.
 */

import type { Clock } from "../../core/clock.ts";
import * as abi from "./abi.ts";
import type { KvmApic } from "./chips/apic.ts";
import { decodeLocalApic, encodeLocalApic } from "./chips/lapic.ts";
import type { KvmLibrary } from "./libc.ts";
import type { VcpuRegisters } from "./registers.ts";

const TSC_DEADLINE = 0x6e0;

export class KernelLocalApic {
  readonly #library: KvmLibrary;
  readonly #fd: number;
  readonly #apic: KvmApic;
  readonly #registers: VcpuRegisters;
  readonly #clock: Clock;
  readonly #powerUp: DataView;
  readonly #powerUpState: number;

  /** The vCPU `fd` is new. */
  constructor(library: KvmLibrary, fd: number, apic: KvmApic, registers: VcpuRegisters, clock: Clock) {
    this.#library = library;
    this.#fd = fd;
    this.#apic = apic;
    this.#registers = registers;
    this.#clock = clock;
    this.#powerUp = this.#readPage();
    this.#powerUpState = this.#state;
    apic.fetch = () => this.save();
  }

  reset(): void {
    this.#writePage(this.#powerUp);
    this.#state = this.#powerUpState;
  }

  /** Whether it waits in HLT. */
  get halted(): boolean {
    return this.#state === abi.MP_STATE.HALTED;
  }

  /** Whether it waits for a startup IPI. */
  get waiting(): boolean {
    return this.#state === abi.MP_STATE.UNINITIALIZED || this.#state === abi.MP_STATE.INIT_RECEIVED;
  }

  /** Fills the board's state; returns the timer's current count. */
  save(): number {
    const { state, timer } = this.#apic;
    state.base = Number(this.#registers.apicBase);
    timer.tscDeadline = this.#registers.readMsr(TSC_DEADLINE) ?? 0n;
    return decodeLocalApic(this.#readPage(), state, timer, this.#clock.now());
  }

  /** Takes the board's state over, after the vCPU's registers. */
  load(halted: boolean, waiting: boolean): void {
    const { id, state, timer } = this.#apic;
    this.#registers.setApicBase(state.base);
    this.#writePage(encodeLocalApic(id, state, timer, this.#clock.now()));
    if (timer.tscDeadline !== 0n) this.#registers.writeMsr(TSC_DEADLINE, timer.tscDeadline);
    const { RUNNABLE, UNINITIALIZED, HALTED } = abi.MP_STATE;
    this.#state = waiting ? UNINITIALIZED : halted ? HALTED : RUNNABLE;
  }

  get #state(): number {
    const state = new Uint32Array(1);
    this.#call("KVM_GET_MP_STATE", abi.KVM_GET_MP_STATE, state);
    return state[0];
  }

  set #state(value: number) {
    this.#call("KVM_SET_MP_STATE", abi.KVM_SET_MP_STATE, Uint32Array.of(value));
  }

  #readPage(): DataView<ArrayBuffer> {
    const page = new DataView(new ArrayBuffer(abi.SIZES.kvm_lapic_state));
    this.#call("KVM_GET_LAPIC", abi.KVM_GET_LAPIC, page);
    return page;
  }

  #writePage(page: DataView): void {
    this.#call("KVM_SET_LAPIC", abi.KVM_SET_LAPIC, page);
  }

  #call(what: string, request: number, structure: ArrayBufferView): void {
    this.#library.check(what, this.#library.ioctlWith(this.#fd, request, structure));
  }
}
