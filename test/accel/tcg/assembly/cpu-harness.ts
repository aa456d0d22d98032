/**
 * A CPU made of the helper module alone: env, a page map, RAM at guest-physical 0, and recording stand-ins for the
 * host's functions. Tests call helpers and look at env.
 */

import { readFileSync } from "node:fs";
import { buildHelpers } from "../../../../accel/tcg/assembly/build.ts";
import { CPU_SECTION_SIZE, CPU_STATE } from "../../../../accel/tcg/env.ts";
import { PAGE_CODE, PAGE_READ, PAGE_WRITE } from "../../../../core/memory/address-space.ts";
import { GuestMemory } from "../../../../core/memory/guest-memory.ts";
import { type State, StateArena } from "../../../../core/state/state.ts";

export const RAM_SIZE = 4 << 20;
const module = new WebAssembly.Module(readFileSync(await buildHelpers()));

/** Thrown by helpers that raise; carries what env says. */
export class Fault extends Error {
  readonly vector: number;
  readonly code: number | undefined;

  constructor(vector: number, code: number | undefined) {
    super(`fault ${vector} (${code === undefined ? "no code" : `0x${code.toString(16)}`})`);
    this.vector = vector;
    this.code = code;
  }
}

type Helper = (...args: (number | bigint)[]) => bigint & number;

export class TestCpu {
  readonly memory = GuestMemory.create({ reserved: CPU_SECTION_SIZE + 8 * 2 ** 20, ram: RAM_SIZE });
  readonly env: number;
  readonly state: State<typeof CPU_STATE>;
  readonly helpers: Readonly<Record<string, Helper>>;
  readonly ram: number;
  readonly pageMap: Uint32Array;
  /** What the host's functions were called with, oldest first. */
  readonly log: string[] = [];
  /** Answers of mmioRead and portIn. */
  input = 0;

  constructor() {
    const { memory } = this;
    this.env = memory.reserve("env", CPU_SECTION_SIZE, 4096);
    const pageMap = memory.reserve("page-map", 4 * 2 ** 20, 4096);
    this.pageMap = new Uint32Array(memory.buffer, pageMap, 2 ** 20);
    this.ram = memory.reserve("ram", RAM_SIZE, 4096);
    for (let page = 0; page < RAM_SIZE >> 12; page++) {
      this.pageMap[page] = (this.ram + page * 4096) | PAGE_READ | PAGE_WRITE;
    }
    this.state = new StateArena(memory.buffer, this.env, CPU_SECTION_SIZE).attach("cpu", CPU_STATE);
    const { log } = this;
    const host = {
      throwFault: () => {
        const { excVector, excHasError, excError } = this.state;
        throw new Fault(excVector, excHasError ? excError : undefined);
      },
      mmioRead: (low: number, high: number, size: number) => {
        log.push(`mmioRead ${high}:${(low >>> 0).toString(16)} ${size}`);
        return this.input;
      },
      mmioWrite: (low: number, high: number, size: number, value: number) => {
        log.push(`mmioWrite ${high}:${(low >>> 0).toString(16)} ${size} ${(value >>> 0).toString(16)}`);
      },
      runsCode: () => 0,
      notifyWrite: (address: number, length: number) => {
        log.push(`notify ${((address >>> 0) - this.ram).toString(16)} ${length}`);
      },
      portIn: (port: number, size: number) => {
        log.push(`in ${port.toString(16)} ${size}`);
        return this.input;
      },
      portOut: (port: number, size: number, value: number) => {
        log.push(`out ${port.toString(16)} ${size} ${(value >>> 0).toString(16)}`);
      },
      readTpr: () => 5,
      writeTpr: (value: number) => log.push(`tpr ${value}`),
      readTsc: () => 0x123456789n,
      random: () => 0x0123456789abcdefn,
      readMsr: (index: number) => (index === 0x10 ? 1 : 0),
      writeMsr: (index: number) => (index === 0x10 ? 1 : 0),
      cpuid: () => {},
      ferr: () => log.push("ferr"),
      smmChanged: (active: number) => log.push(`smm ${active}`),
    };
    const imports = { host, env: { memory: memory.memory } } as unknown as WebAssembly.Imports;
    this.helpers = new WebAssembly.Instance(module, imports).exports as Record<string, Helper>;
    this.reset();
  }

  /** Real mode, flat registers at zero, nothing in the TLB. */
  reset(): void {
    this.memory.u8.fill(0, this.env, this.env + CPU_STATE.size);
    this.memory.u8.fill(0, this.ram, this.ram + RAM_SIZE);
    const { state } = this;
    state.excVector = -1;
    state.a20Mask = 0xffffffff;
    state.pageMap = this.pageMap.byteOffset;
    state.df = 1n;
    state.dr[6] = 0xffff0ff0n;
    state.dr[7] = 0x400n;
    for (let i = 0; i < 6; i++) {
      state.segLimit[i] = 0xffff;
      state.segAttr[i] = i === 1 ? 0x9b00 : 0x9300;
    }
    state.ldtAttr = 0x8200;
    state.trAttr = 0x8b00;
    state.trLimit = 0xffff;
    this.helpers.resetTlb(this.env);
    this.helpers.updateHflags(this.env);
    this.log.length = 0;
  }

  /** Calls helper(env, ...args). */
  call(name: string, ...args: (number | bigint)[]): bigint {
    this.state.excVector = -1;
    return this.helpers[name](this.env, ...args) as bigint;
  }

  /** Calls an IR helper: (env, a, b, imm). */
  ir(name: string, a = 0n, b = 0n, imm = 0): bigint {
    return BigInt.asUintN(64, this.call(name, a, b, imm));
  }

  /** The fault that a call raises, as "vector:code", or undefined. */
  fault(run: () => unknown): string | undefined {
    try {
      run();
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      return error.code === undefined ? `${error.vector}` : `${error.vector}:${error.code.toString(16)}`;
    }
    return undefined;
  }

  peek(address: number, size = 4): number {
    const { view } = this.memory;
    const at = this.ram + address;
    return size === 1 ? view.getUint8(at) : size === 2 ? view.getUint16(at, true) : view.getUint32(at, true);
  }

  peek64(address: number): bigint {
    return this.memory.view.getBigUint64(this.ram + address, true);
  }

  poke(address: number, value: number, size = 4): void {
    const { view } = this.memory;
    const at = this.ram + address;
    if (size === 1) view.setUint8(at, value);
    else if (size === 2) view.setUint16(at, value, true);
    else view.setUint32(at, value, true);
  }

  poke64(address: number, value: bigint): void {
    this.memory.view.setBigUint64(this.ram + address, value, true);
  }

  bytes(address: number, length: number): Uint8Array {
    return this.memory.u8.subarray(this.ram + address, this.ram + address + length);
  }

  /** Marks a page of RAM as holding translated code. */
  setCode(physical: number): void {
    this.pageMap[physical >>> 12] |= PAGE_CODE;
  }
}
