/**
 * What the bench has measured, and its two forms: a markdown table for each guest, and JSON.
 *
 * A row is measured on several emulators, several times on each; the table has the medians, and for qemu-next the ratio
 * of the others' time to ours: above 1 we are faster. What failed is a cell with the reason.
 */

import { geometricMean, median, spread } from "./statistics.ts";

export type Unit = "s" | "us" | "%" | "MiB" | "MB";
const TIMES: readonly Unit[] = ["s", "us"];

export interface RowHead {
  readonly guest: string;
  readonly row: string;
  readonly unit: Unit;
}

interface Cell {
  readonly values: number[];
  error: string | undefined;
}

interface Row extends RowHead {
  readonly cells: Map<string, Cell>;
  /** What the guest computed, by emulator. */
  readonly checks: Map<string, Set<string>>;
}

export interface Column {
  readonly name: string;
  /** A column of qemu-next, compared with those that are not. */
  readonly ours: boolean;
  /** It runs under KVM; columns are compared with their like. */
  readonly kvm?: boolean;
}

/** Characters of an error in a table; the list of problems below has it whole. */
const LONGEST_ERROR = 60;

const number = (value: number): string =>
  value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);

/** A table; `head` and the lines have equally many cells. */
export function markdown(head: readonly string[], lines: readonly (readonly string[])[]): string {
  const widths = head.map((text, i) => Math.max(text.length, ...lines.map((line) => line[i].length)));
  const show = (line: readonly string[]): string =>
    `| ${line.map((text, i) => (i === 0 ? text.padEnd(widths[i]) : text.padStart(widths[i]))).join(" | ")} |`;
  const rule = `|${widths.map((width, i) => (i === 0 ? "-".repeat(width + 2) : `${"-".repeat(width + 1)}:`)).join("|")}|`;
  return [show(head), rule, ...lines.map(show)].join("\n");
}

export class Results {
  readonly columns: readonly Column[];
  readonly #rows = new Map<string, Row>();
  readonly #titles = new Map<string, string>();

  constructor(columns: readonly Column[]) {
    this.columns = columns;
  }

  /** The heading of a guest's table. */
  title(guest: string, text: string): void {
    this.#titles.set(guest, text);
  }

  #row(head: RowHead): Row {
    const key = `${head.guest}/${head.row}`;
    let row = this.#rows.get(key);
    if (row === undefined) this.#rows.set(key, (row = { ...head, cells: new Map(), checks: new Map() }));
    return row;
  }

  #cell(head: RowHead, column: string): Cell {
    const { cells } = this.#row(head);
    let cell = cells.get(column);
    if (cell === undefined) cells.set(column, (cell = { values: [], error: undefined }));
    return cell;
  }

  add(head: RowHead, column: string, value: number, check?: string): void {
    this.#cell(head, column).values.push(value);
    if (check === undefined) return;
    const { checks } = this.#row(head);
    checks.set(column, (checks.get(column) ?? new Set()).add(check));
  }

  /** Notes that a row could not be measured; the first reason stays. */
  fail(head: RowHead, column: string, reason: string): void {
    this.#cell(head, column).error ??= reason
      .trim()
      .replaceAll(/\s*\n\s*/g, "; ")
      .replaceAll("|", "/");
  }

  /** Rows whose guests computed different things, and cells that failed: what makes the bench itself fail. */
  problems(): string[] {
    const problems: string[] = [];
    for (const { guest, row, cells, checks } of this.#rows.values()) {
      for (const [column, { error }] of cells) if (error) problems.push(`${guest}/${row}, ${column}: ${error}`);
      if (new Set([...checks.values()].flatMap((set) => [...set])).size > 1) {
        const said = [...checks].map(([column, set]) => `${column} ${[...set].join(" or ")}`).join(", ");
        problems.push(`${guest}/${row}: the results differ: ${said}`);
      }
    }
    return problems;
  }

  /** The other's median over ours, when both measured the row without failing. */
  #ratio(row: Row, other: Column, ours: Column): number | undefined {
    const [theirs, mine] = [row.cells.get(other.name), row.cells.get(ours.name)];
    if (!TIMES.includes(row.unit) || !theirs?.values.length || !mine?.values.length || theirs.error || mine.error)
      return undefined;
    return median(theirs.values) / median(mine.values);
  }

  /** The pairs of columns that this guest ran on, the other first. */
  #pairs(rows: readonly Row[]): [Column, Column][] {
    const used = this.columns.filter(({ name }) => rows.some((row) => row.cells.has(name)));
    const others = used.filter(({ ours }) => !ours);
    const mine = used.filter(({ ours }) => ours);
    return others.flatMap((other) =>
      mine.filter(({ kvm }) => kvm === other.kvm).map((own): [Column, Column] => [other, own]),
    );
  }

  #table(guest: string): string {
    const rows = [...this.#rows.values()].filter((row) => row.guest === guest);
    const used = this.columns.filter(({ name }) => rows.some((row) => row.cells.has(name)));
    const pairs = this.#pairs(rows);
    const cell = (row: Row, { name }: Column): string => {
      const found = row.cells.get(name);
      if (found?.error) return `failed: ${found.error.slice(0, LONGEST_ERROR)}`;
      if (!found?.values.length) return "";
      const noise = found.values.length > 1 ? ` ±${(spread(found.values) * 100).toFixed(0)} %` : "";
      return `${number(median(found.values))} ${row.unit}${noise}`;
    };
    const lines = rows.map((row) => [
      row.row,
      ...used.map((column) => cell(row, column)),
      ...pairs.map(([other, ours]) => {
        const ratio = this.#ratio(row, other, ours);
        return ratio === undefined ? "" : number(ratio);
      }),
    ]);
    const means = pairs.map(([other, ours]) => {
      const ratios = rows.map((row) => this.#ratio(row, other, ours)).filter((ratio) => ratio !== undefined);
      return ratios.length > 2 ? number(geometricMean(ratios)) : "";
    });
    if (means.some((mean) => mean !== "")) lines.push(["geometric mean", ...used.map(() => ""), ...means]);
    const head = ["", ...used.map(({ name }) => name), ...pairs.map(([other, ours]) => `${other.name} / ${ours.name}`)];
    return `### (${guest}) ${this.#titles.get(guest) ?? ""}\n\n${markdown(head, lines)}`;
  }

  /** All tables, in the order in which the guests first ran. */
  text(): string {
    const guests = new Set([...this.#rows.values()].map(({ guest }) => guest));
    return [...guests].map((guest) => this.#table(guest)).join("\n\n");
  }

  json(): object[] {
    return [...this.#rows.values()].map((row) => ({
      guest: row.guest,
      row: row.row,
      unit: row.unit,
      measured: Object.fromEntries(
        [...row.cells].map(([name, { values, error }]) => [
          name,
          {
            values,
            median: values.length ? median(values) : undefined,
            error,
            checks: [...(row.checks.get(name) ?? [])],
          },
        ]),
      ),
      ratios: Object.fromEntries(
        this.#pairs([row]).map(([other, ours]) => [`${other.name} / ${ours.name}`, this.#ratio(row, other, ours)]),
      ),
    }));
  }
}
