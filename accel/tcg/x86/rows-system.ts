/** Opcode rows of the system instructions, in the order of the opcode maps (Intel SDM volume 2, appendix A). */

import {
  alignmentCheck,
  arpl,
  bound,
  cli,
  clts,
  descriptorField,
  farImmediate,
  farMemory,
  farReturn,
  helper,
  helperThenLookup,
  hlt,
  int,
  int1,
  int3,
  into,
  invlpg,
  iret,
  lmsw,
  loadFarPointer,
  loadSystem,
  loadTable,
  monitor,
  movFromControl,
  movFromDebug,
  movFromSegment,
  movToControl,
  movToDebug,
  movToSegment,
  mwait,
  nothing,
  popf,
  popSegment,
  pushf,
  pushSegment,
  raiseGeneral,
  rdpid,
  readBase,
  rsm,
  sti,
  storeSystem,
  storeTable,
  swapgs,
  syscall,
  sysenter,
  systemReturn,
  verify,
  writeBase,
  xgetbv,
  xsetbv,
} from "../translate/system.ts";
import { DS, ES, FS, GS, SS } from "../translate/translator.ts";
import type { OpcodeMap, OpcodeRow } from "./insn.ts";

type Emit = OpcodeRow["emit"];
type Extra = Partial<OpcodeRow>;

const rows: OpcodeRow[] = [];

function row(map: OpcodeMap, byte: number, name: string, operands: string, emit: Emit, extra: Extra = {}): void {
  rows.push({ map, byte, name, operands, emit, ...extra });
}

const NOT64: Extra = { mode: "not64" };
const ONLY64: Extra = { mode: "64" };
const D64: Extra = { size64: "d64" };
const MEMORY: Extra = { mod: "mem" };
const REGISTER: Extra = { mod: "reg" };
const RING0: Extra = { privileged: true };

row(0, 0x06, "push", "ES", pushSegment(ES), NOT64);
row(0, 0x07, "pop", "ES", popSegment(ES), NOT64);
row(0, 0x0e, "push", "CS", pushSegment(1), NOT64);
row(0, 0x16, "push", "SS", pushSegment(SS), NOT64);
row(0, 0x17, "pop", "SS", popSegment(SS), NOT64);
row(0, 0x1e, "push", "DS", pushSegment(DS), NOT64);
row(0, 0x1f, "pop", "DS", popSegment(DS), NOT64);
row(0, 0x62, "bound", "Gv Ma", bound, { ...NOT64, ...MEMORY });
row(0, 0x63, "arpl", "Ew Gw", arpl, NOT64);
row(0, 0x8c, "mov", "Ev Sw", movFromSegment);
row(0, 0x8e, "mov", "Sw Ew", movToSegment);
row(0, 0x9a, "callf", "Ap", farImmediate("farCall"), NOT64);
row(0, 0x9c, "pushf", "", pushf, D64);
row(0, 0x9d, "popf", "", popf, D64);
row(0, 0xc4, "les", "Gz Mp", loadFarPointer(ES), { ...NOT64, ...MEMORY });
row(0, 0xc5, "lds", "Gz Mp", loadFarPointer(DS), { ...NOT64, ...MEMORY });
row(0, 0xca, "retf", "Iw", farReturn);
row(0, 0xcb, "retf", "", farReturn);
row(0, 0xcc, "int3", "", int3);
row(0, 0xcd, "int", "Ib", int);
row(0, 0xce, "into", "", into, NOT64);
row(0, 0xcf, "iret", "", iret);
row(0, 0xea, "jmpf", "Ap", farImmediate("farJump"), NOT64);
row(0, 0xf1, "int1", "", int1);
row(0, 0xf4, "hlt", "", hlt, RING0);
row(0, 0xfa, "cli", "", cli);
row(0, 0xfb, "sti", "", sti);
row(0, 0xff, "callf", "Mp", farMemory("farCall"), { reg: 3, ...MEMORY });
row(0, 0xff, "jmpf", "Mp", farMemory("farJump"), { reg: 5, ...MEMORY });

// ---- 0F 00 and 0F 01

row(1, 0x00, "sldt", "Ev", storeSystem(0), { reg: 0 });
row(1, 0x00, "str", "Ev", storeSystem(1), { reg: 1 });
row(1, 0x00, "lldt", "Ew", loadSystem("lldt"), { reg: 2 });
row(1, 0x00, "ltr", "Ew", loadSystem("ltr"), { reg: 3 });
row(1, 0x00, "verr", "Ew", verify(false), { reg: 4 });
row(1, 0x00, "verw", "Ew", verify(true), { reg: 5 });
row(1, 0x01, "sgdt", "Ms", storeTable(false), { reg: 0, ...MEMORY });
row(1, 0x01, "sidt", "Ms", storeTable(true), { reg: 1, ...MEMORY });
row(1, 0x01, "lgdt", "Ms", loadTable(false), { reg: 2, ...MEMORY, ...RING0 });
row(1, 0x01, "lidt", "Ms", loadTable(true), { reg: 3, ...MEMORY, ...RING0 });
row(1, 0x01, "smsw", "Ev", storeSystem(2), { reg: 4 });
row(1, 0x01, "lmsw", "Ew", lmsw, { reg: 6, ...RING0 });
row(1, 0x01, "invlpg", "Mb", invlpg, { reg: 7, ...MEMORY, ...RING0 });
row(1, 0x01, "monitor", "", monitor, { reg: 1, rm: 0, ...REGISTER, feature: "monitor" });
row(1, 0x01, "mwait", "", mwait, { reg: 1, rm: 1, ...REGISTER, feature: "monitor" });
row(1, 0x01, "clac", "", alignmentCheck(false), { reg: 1, rm: 2, ...REGISTER, feature: "smap" });
row(1, 0x01, "stac", "", alignmentCheck(true), { reg: 1, rm: 3, ...REGISTER, feature: "smap" });
row(1, 0x01, "xgetbv", "", xgetbv, { reg: 2, rm: 0, prefix: "none", ...REGISTER, feature: "xsave" });
row(1, 0x01, "xsetbv", "", xsetbv, { reg: 2, rm: 1, prefix: "none", ...REGISTER, feature: "xsave" });
row(1, 0x01, "swapgs", "", swapgs, { reg: 7, rm: 0, ...REGISTER, ...ONLY64, ...RING0 });
row(1, 0x01, "rdtscp", "", helper("rdtsc", 1), { reg: 7, rm: 1, ...REGISTER, feature: "rdtscp" });

// ---- 0F 02 on

row(1, 0x02, "lar", "Gv Ew", descriptorField("lar"));
row(1, 0x03, "lsl", "Gv Ew", descriptorField("lsl"));
row(1, 0x05, "syscall", "", syscall, { feature: "syscall" });
row(1, 0x06, "clts", "", clts, RING0);
row(1, 0x07, "sysret", "", systemReturn("sysret"), { feature: "syscall" });
row(1, 0x08, "invd", "", nothing, RING0);
row(1, 0x09, "wbinvd", "", nothing, RING0);
row(1, 0x20, "mov", "Ry Cy", movFromControl);
row(1, 0x21, "mov", "Ry Dy", movFromDebug);
row(1, 0x22, "mov", "Cy Ry", movToControl);
row(1, 0x23, "mov", "Dy Ry", movToDebug);
row(1, 0x30, "wrmsr", "", helperThenLookup("wrmsr"), { ...RING0, feature: "msr" });
row(1, 0x31, "rdtsc", "", helper("rdtsc"), { feature: "tsc" });
row(1, 0x32, "rdmsr", "", helper("rdmsr"), { ...RING0, feature: "msr" });
row(1, 0x33, "rdpmc", "", raiseGeneral);
row(1, 0x34, "sysenter", "", sysenter, { feature: "sep" });
row(1, 0x35, "sysexit", "", systemReturn("sysexit"), { feature: "sep" });
row(1, 0xa0, "push", "FS", pushSegment(FS), D64);
row(1, 0xa1, "pop", "FS", popSegment(FS), D64);
row(1, 0xa2, "cpuid", "", helper("cpuid"));
row(1, 0xa8, "push", "GS", pushSegment(GS), D64);
row(1, 0xa9, "pop", "GS", popSegment(GS), D64);
row(1, 0xaa, "rsm", "", rsm);
for (const [index, name, emit] of [
  [0, "rdfsbase", readBase(FS)],
  [1, "rdgsbase", readBase(GS)],
  [2, "wrfsbase", writeBase(FS)],
  [3, "wrgsbase", writeBase(GS)],
] as const) {
  row(1, 0xae, name, "Ry", emit, { prefix: "f3", reg: index, ...REGISTER, ...ONLY64, feature: "fsgsbase" });
}
row(1, 0xb2, "lss", "Gv Mp", loadFarPointer(SS), MEMORY);
row(1, 0xb4, "lfs", "Gv Mp", loadFarPointer(FS), MEMORY);
row(1, 0xb5, "lgs", "Gv Mp", loadFarPointer(GS), MEMORY);
row(1, 0xc7, "rdpid", "Ry", rdpid, { prefix: "f3", reg: 7, ...REGISTER, feature: "rdpid" });

export const SYSTEM_ROWS: readonly OpcodeRow[] = rows;
