/**
 * The MC146818's time of day in its registers: binary or BCD, 24 or 12 hours, with the century byte of PC boards.
 * Times are whole seconds since 1970-01-01 of the calendar the guest keeps, be it UTC or local time.
 */

import {
  ALARM_ANY,
  B_24_12,
  B_DM,
  CENTURY,
  DAY_OF_MONTH,
  DAY_OF_WEEK,
  HOURS,
  HOURS_ALARM,
  HOURS_PM,
  MINUTES,
  MINUTES_ALARM,
  MONTH,
  REGISTER_B,
  SECONDS,
  SECONDS_ALARM,
  YEAR,
} from "./regs.ts";

const DAY = 86_400;
const date = new Date(0);

function encode(value: number, registerB: number): number {
  return registerB & B_DM ? value & 0xff : ((Math.floor(value / 10) << 4) | (value % 10)) & 0xff;
}

function decode(value: number, registerB: number): number {
  return registerB & B_DM ? value : (value >> 4) * 10 + (value & 15);
}

function encodeHours(hours: number, registerB: number): number {
  if (registerB & B_24_12) return encode(hours, registerB);
  return encode(hours % 12 || 12, registerB) | (hours >= 12 ? HOURS_PM : 0);
}

function decodeHours(value: number, registerB: number): number {
  if (registerB & B_24_12) return decode(value, registerB);
  return (decode(value & ~HOURS_PM, registerB) % 12) + (value & HOURS_PM ? 12 : 0);
}

/** Writes a time into the time registers of `cmos`, in the format that its register B selects. */
export function storeTime(cmos: Uint8Array, seconds: number): void {
  const b = cmos[REGISTER_B];
  date.setTime(seconds * 1000);
  const year = date.getUTCFullYear();
  cmos[SECONDS] = encode(date.getUTCSeconds(), b);
  cmos[MINUTES] = encode(date.getUTCMinutes(), b);
  cmos[HOURS] = encodeHours(date.getUTCHours(), b);
  cmos[DAY_OF_WEEK] = encode(date.getUTCDay() + 1, b);
  cmos[DAY_OF_MONTH] = encode(date.getUTCDate(), b);
  cmos[MONTH] = encode(date.getUTCMonth() + 1, b);
  cmos[YEAR] = encode(year % 100, b);
  cmos[CENTURY] = encode(Math.floor(year / 100), b);
}

/** The time in the time registers. What is out of range carries over: minute 61 is the first of the next hour. */
export function loadTime(cmos: Uint8Array): number {
  const b = cmos[REGISTER_B];
  date.setTime(0);
  date.setUTCFullYear(
    decode(cmos[CENTURY], b) * 100 + decode(cmos[YEAR], b),
    decode(cmos[MONTH], b) - 1,
    decode(cmos[DAY_OF_MONTH], b),
  );
  date.setUTCHours(decodeHours(cmos[HOURS], b), decode(cmos[MINUTES], b), decode(cmos[SECONDS], b));
  return Math.floor(date.getTime() / 1000);
}

/** Seconds from `now` to the next match of the alarm registers, 1 to 86400; undefined if they match no time of day. */
export function secondsToAlarm(cmos: Uint8Array, now: number): number | undefined {
  const b = cmos[REGISTER_B];
  const wanted = (value: number, decoded: number): number => ((value & ALARM_ANY) === ALARM_ANY ? -1 : decoded);
  const hour = wanted(cmos[HOURS_ALARM], decodeHours(cmos[HOURS_ALARM], b));
  const minute = wanted(cmos[MINUTES_ALARM], decode(cmos[MINUTES_ALARM], b));
  const second = wanted(cmos[SECONDS_ALARM], decode(cmos[SECONDS_ALARM], b));
  const today = ((now % DAY) + DAY) % DAY;
  const nowHour = Math.floor(today / 3600);
  const nowMinute = Math.floor(today / 60) % 60;
  for (let i = 0; i <= 24; i++) {
    if (hour >= 0 && (nowHour + i) % 24 !== hour) continue;
    for (let m = i === 0 ? nowMinute : 0; m < 60; m++) {
      if (minute >= 0 && m !== minute) continue;
      const first = i === 0 && m === nowMinute ? (today % 60) + 1 : 0;
      if (first > 59 || second > 59 || (second >= 0 && second < first)) continue;
      return i * 3600 + m * 60 + Math.max(first, second) - (today % 3600);
    }
  }
  return undefined;
}
