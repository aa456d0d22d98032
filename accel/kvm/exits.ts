/** What the kernel says when it cannot go on, in words; laid out as QEMU prints it. */

import { EXIT, INTERNAL_ERROR_EMULATION, INTERNAL_ERROR_MAX_DATA, RUN } from "./abi.ts";

/** Bytes of code shown, and how many of them before the instruction. */
const CODE_BYTES = 50;
const CODE_BEFORE = 20;

const SUBERRORS: Readonly<Record<number, string>> = {
  [INTERNAL_ERROR_EMULATION]: "emulation failure",
  2: "simultaneous exceptions",
  3: "event could not be delivered",
  4: "unexpected exit of the hardware",
};

const hex = (value: number | bigint, digits = 0): string => value.toString(16).padStart(digits, "0");

/** Why a vCPU that came out with `reason` cannot go on. */
export function explainExit(reason: number, run: DataView): string {
  if (reason === EXIT.FAIL_ENTRY) {
    return `KVM: entry failed, hardware error 0x${hex(run.getBigUint64(RUN.hardware_reason, true))}\n`;
  }
  if (reason === EXIT.UNKNOWN) {
    return `KVM: unknown exit, hardware reason ${hex(run.getBigUint64(RUN.hardware_reason, true))}\n`;
  }
  if (reason !== EXIT.INTERNAL_ERROR) return `KVM: unknown exit reason ${reason}\n`;
  const suberror = run.getUint32(RUN.internal_suberror, true);
  const count = Math.min(run.getUint32(RUN.internal_ndata, true), INTERNAL_ERROR_MAX_DATA);
  let text = `KVM internal error. Suberror: ${suberror}\n`;
  for (let i = 0; i < count; i++) {
    text += `extra data[${i}]: 0x${hex(run.getBigUint64(RUN.internal_data + i * 8, true), 16)}\n`;
  }
  const words = SUBERRORS[suberror];
  return words === undefined ? text : `${text}${words}\n`;
}

/** The bytes around an instruction; `read` answers a byte, or undefined where nothing is mapped. */
export function showCode(address: bigint, ip: bigint, read: (address: bigint) => number | undefined): string {
  const before = Number(ip < BigInt(CODE_BEFORE) ? ip : BigInt(CODE_BEFORE));
  const bytes = Array.from({ length: CODE_BYTES }, (_, i) => {
    const byte = read(BigInt.asUintN(64, address + BigInt(i - before)));
    const text = byte === undefined ? "??" : hex(byte, 2);
    return i === before ? `<${text}>` : text;
  });
  return `Code=${bytes.join(" ")}\n`;
}
