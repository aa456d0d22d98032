/** Resource descriptors for _CRS and _PRS (ACPI specification 6.4, section 6.4), and the template that holds them. */

import { type Aml, buffer } from "./aml.ts";

const bytesOf = (value: number, count: number): number[] =>
  Array.from({ length: count }, (_, i) => Math.floor(value / 2 ** (8 * i)) & 0xff);

/** ResourceTemplate() {...}: the descriptors and an end tag whose checksum byte of zero means "not used". */
export const resourceTemplate = (...descriptors: Aml[]): Aml => buffer([...descriptors.flat(), 0x79, 0x00]);

/** IO(Decode16, min, max, alignment, length). */
export const io = (min: number, max: number, alignment: number, length: number): Aml => [
  0x47,
  0x01,
  ...bytesOf(min, 2),
  ...bytesOf(max, 2),
  alignment,
  length,
];

/** IRQNoFlags() {irq}: edge, active high, exclusive. */
export const irqNoFlags = (irq: number): Aml => [0x22, ...bytesOf(1 << irq, 2)];

/** DMA(Compatibility, NotBusMaster, Transfer8) {channel}. */
export const dma8 = (channel: number): Aml => [0x2a, 1 << channel, 0x00];

/** Interrupt(ResourceConsumer, Level, ActiveHigh, Shared) {...}: GSI numbers. Offset 5 is the first of them. */
export const interrupt = (...numbers: number[]): Aml => [
  0x89,
  ...bytesOf(2 + 4 * numbers.length, 2),
  0b0000_1001,
  numbers.length,
  ...numbers.flatMap((number) => bytesOf(number, 4)),
];

/** Memory32Fixed(access, base, length). */
export const memory32Fixed = (access: "ReadOnly" | "ReadWrite", base: number, length: number): Aml => [
  0x86,
  ...bytesOf(9, 2),
  access === "ReadWrite" ? 1 : 0,
  ...bytesOf(base, 4),
  ...bytesOf(length, 4),
];

const TYPE_MEMORY = 0;
const TYPE_IO = 1;
const TYPE_BUS = 2;
/** ResourceProducer, PosDecode, MinFixed, MaxFixed. */
const GENERAL_FLAGS = 0b0000_1100;
const ENTIRE_RANGE = 0b11;

/** An address space descriptor whose fields have `size` bytes: granularity, min, max, translation, length. */
const addressSpace = (tag: number, size: 2 | 4, type: number, specific: number, min: number, max: number): Aml => [
  tag,
  ...bytesOf(3 + 5 * size, 2),
  type,
  GENERAL_FLAGS,
  specific,
  ...[0, min, max, 0, max - min + 1].flatMap((value) => bytesOf(value, size)),
];

/** WordBusNumber(ResourceProducer, MinFixed, MaxFixed, PosDecode, 0, min, max, 0, length). */
export const wordBusNumber = (min: number, max: number): Aml => addressSpace(0x88, 2, TYPE_BUS, 0, min, max);

/** WordIO(ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange, 0, min, max, 0, length). */
export const wordIo = (min: number, max: number): Aml => addressSpace(0x88, 2, TYPE_IO, ENTIRE_RANGE, min, max);

/** DWordMemory(ResourceProducer, PosDecode, MinFixed, MaxFixed, cacheable, ReadWrite, 0, min, max, 0, length). */
export const dwordMemory = (cacheable: boolean, min: number, max: number): Aml =>
  addressSpace(0x87, 4, TYPE_MEMORY, (cacheable ? 0b010 : 0) | 1, min, max);
