/** Near matches for misspelt names. */

/** Edits (insert, delete, replace, swap neighbours) that turn `a` into `b`; more than `limit` counts as limit + 1. */
export function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return limit + 1;
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replace = last[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      row[j] = Math.min(replace, last[j] + 1, row[j - 1] + 1);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        row[j] = Math.min(row[j], beforeLast[j - 2] + 1);
    }
    beforeLast = last;
    last = row;
  }
  return Math.min(last[b.length], limit + 1);
}

/** At most three of `names` that look like `name`, best first. */
export function nearMatches(name: string, names: Iterable<string>): string[] {
  const wanted = name.toLowerCase();
  const limit = Math.max(1, Math.floor(wanted.length / 3));
  const scored: { name: string; score: number }[] = [];
  for (const candidate of new Set(names)) {
    const other = candidate.toLowerCase();
    const contained = wanted.length >= 3 && (other.includes(wanted) || (other.length >= 3 && wanted.includes(other)));
    const score = editDistance(wanted, other, limit);
    if (score <= limit || contained) scored.push({ name: candidate, score });
  }
  return scored
    .sort((a, b) => a.score - b.score || a.name.length - b.name.length || (a.name < b.name ? -1 : 1))
    .slice(0, 3)
    .map((entry) => entry.name);
}

/** "did you mean 'a' or 'b'?", or undefined without near matches: the hint of an error. */
export function didYouMean(name: string, names: Iterable<string>, prefix = ""): string | undefined {
  const near = nearMatches(name, names).map((match) => `'${prefix}${match}'`);
  if (near.length === 0) return undefined;
  return `did you mean ${near.slice(0, -1).join(", ")}${near.length > 1 ? " or " : ""}${near.at(-1)}?`;
}
