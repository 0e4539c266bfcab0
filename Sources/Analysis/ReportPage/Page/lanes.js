// Lanes as the timeline draws them: how much of any stretch was spent in each mode, whatever the zoom.

/** The first index at which the ascending `values` exceed `value`. */
function firstAbove(values, value, low = 0, high = values.length) {
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] > value) high = middle;
    else low = middle + 1;
  }
  return low;
}

/**
 * One lane along one axis. `sums` holds, for each segment and mode, how much of the axis was spent in that mode before the segment: the shares of a
 * stretch are then two look-ups, be it one segment or a million.
 */
class Lane {
  constructor(columns, axis, length) {
    this.starts = Float64Array.from(columns[axis]);
    this.modes = Uint8Array.from(columns.mode);
    this.shares = columns.shares;
    this.length = length;
    this.count = this.starts.length;
    this.sums = new Float64Array((this.count + 1) * 8);
    for (let index = 0; index < this.count; index++) {
      const width = this.end(index) - this.starts[index];
      for (let mode = 0; mode < 8; mode++) this.sums[index * 8 + 8 + mode] = this.sums[index * 8 + mode] + width * this.share(index, mode);
    }
  }

  end(index) { return index + 1 < this.count ? this.starts[index + 1] : this.length; }

  isMixed(index) { return this.shares.has(index); }

  share(index, mode) {
    const shares = this.shares.get(index);
    return shares ? shares[mode] : this.modes[index] === mode ? 1 : 0;
  }

  /** The segment at `x`. */
  at(x, from = 0) { return Math.max(0, firstAbove(this.starts, x, from) - 1); }

  /** Adds to `into`, for each mode, how much of `x0 ..< x1` was spent in it; `from` is a segment that is not after `x0`. Returns the segment at `x1`. */
  measure(x0, x1, into, from = 0) {
    if (this.count === 0) return 0;
    const first = this.at(x0, from);
    // What comes next is mostly near.
    let last = first;
    for (let steps = 0; steps < 8 && last + 1 < this.count && this.starts[last + 1] <= x1; steps++) last++;
    if (last + 1 < this.count && this.starts[last + 1] <= x1) last = this.at(x1, last);
    for (let mode = 0; mode < 8; mode++) {
      const until = this.sums[last * 8 + mode] + this.share(last, mode) * (x1 - this.starts[last]);
      const before = this.sums[first * 8 + mode] + this.share(first, mode) * (x0 - this.starts[first]);
      into[mode] += until - before;
    }
    return last;
  }
}
