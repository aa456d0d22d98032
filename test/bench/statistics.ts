/** The few statistics the bench needs. */

/** The middle value; of an even count the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError("the median of nothing");
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Half the range over the median, as a fraction: how far the values lie around their middle. */
export function spread(values: readonly number[]): number {
  const middle = median(values);
  return middle === 0 ? 0 : (Math.max(...values) - Math.min(...values)) / 2 / middle;
}

/** The geometric mean of positive values, which treats twice as fast and twice as slow alike. */
export function geometricMean(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError("the mean of nothing");
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}
