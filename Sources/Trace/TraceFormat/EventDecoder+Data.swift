import TraceEvents

extension EventDecoder {
  static let pageWrite = Int(EventKind.pageWrite.rawValue)

  /// Finds the data of every kind, and reserves the memory that they take once they are put together.
  mutating func readData(_ batch: EventBatch) throws(TraceFormatError) {
    var total = 0
    var offsets = 0
    for kind in kinds where table.columns[kind] & 0x80 != 0 {
      let column = column(kind, EventBatch.lengthsColumn)
      let slot = Int(table.slots[kind])
      var stored = StoredData(start: total, offsets: offsets)
      offsets += kindCounts[kind] + 1
      // SAFETY: the tables have an entry for each slot and column.
      let series = try reader.series(kindCounts[kind], room: unsafe batch.stored[column].room)
      unsafe batch.stored[column] = series
      if hasRuns && kind == Self.pageWrite {
        stored.isRuns = true
        total += try readRunData(batch, series, &stored)
      } else {
        let sizes = lengths(series, batch)
        guard sizes.longest <= UInt64(TraceLimits.dataPerEvent) else { throw tooLong() }
        total += sizes.total
        try placePieces(batch, slot, sizes, plus: 0)
      }
      unsafe batch.storedData[slot] = stored
    }
    guard total <= TraceLimits.dataPerBlock else {
      throw TraceFormatError(.outOfRange, at: reader.offset, expected: "at most \(TraceLimits.dataPerBlock) bytes of data")
    }
    batch.data.reserve(total)
    batch.offsets.reserve(offsets)
  }

  private func tooLong() -> TraceFormatError {
    TraceFormatError(.outOfRange, at: reader.offset, expected: "at most \(TraceLimits.dataPerEvent) bytes of data")
  }

  /// Checks the runs of all page-writes: how many each has (`numbers`), their gaps and their lengths. Returns the bytes of all as data.
  private mutating func readRunData(_ batch: EventBatch, _ numbers: StoredSeries, _ stored: inout StoredData) throws(TraceFormatError) -> Int {
    // Each run has at least one byte in the rest of the block, and five in memory.
    let counts = lengths(numbers, batch)
    guard counts.longest <= UInt64(TraceLimits.dataPerEvent / 5) else { throw tooLong() }
    let runs = counts.total
    guard runs <= reader.remaining, runs * 5 <= TraceLimits.dataPerBlock else {
      throw TraceFormatError(.outOfRange, at: reader.offset, expected: "runs inside the block")
    }
    stored.gaps = try reader.series(runs)
    stored.lengths = try reader.series(runs)
    let sizes = lengths(stored.lengths, batch)
    guard stored.gaps.mark <= 2 || lengths(stored.gaps, batch).longest <= 0xFFFF, sizes.longest <= 0xFFFF else { throw tooLong() }
    if counts.longest * (sizes.longest + 5) > UInt64(TraceLimits.dataPerEvent) { try checkRunSizes(batch, numbers, stored.lengths) }
    try placePieces(batch, Int(table.slots[Self.pageWrite]), sizes, plus: 1)
    return sizes.total + 5 * runs
  }

  /// Checks that no page-write has too many bytes of runs, one by one.
  private func checkRunSizes(_ batch: EventBatch, _ numbers: StoredSeries, _ lengths: StoredSeries) throws(TraceFormatError) {
    batch.pieces.reserve(numbers.count + lengths.count)
    let (counts, sizes) = unsafe (batch.pieces.base, batch.pieces.base + numbers.count)
    // SAFETY: there is room for both series, and the numbers add up to as many lengths as there are.
    unsafe batch.read(numbers, into: counts)
    unsafe batch.read(lengths, into: sizes)
    var run = 0
    for index in 0..<numbers.count {
      var size: UInt64 = 0
      for _ in unsafe 0..<counts[index] {
        size += unsafe sizes[run] + 5
        run += 1
      }
      guard size <= UInt64(TraceLimits.dataPerEvent) else { throw tooLong() }
    }
  }

  /// How often each length is among the numbers of a series.
  private func lengths(_ series: StoredSeries, _ batch: EventBatch) -> PieceLengths {
    var lengths = PieceLengths()
    // SAFETY: the series was checked to lie inside the block; there is room for its numbers.
    if series.mark <= 1, series.count > 0 {
      guard series.mark == 1 else {
        lengths.add(0, times: series.count)
        return lengths
      }
      let histogram = unsafe ColumnCodec.histogram(UnsafeRawPointer(batch.block.base + series.offset), count: series.count)
      for length in 0..<256 where histogram[length] > 0 { lengths.add(UInt64(length), times: histogram[length]) }
      return lengths
    }
    batch.pieces.reserve(series.count)
    unsafe batch.read(series, into: batch.pieces.base)
    for index in 0..<series.count { unsafe lengths.add(batch.pieces.base[index], times: 1) }
    return lengths
  }

  /// Finds where the bytes of a kind's pieces are in the block, from the pieces' lengths (less `extra`).
  private mutating func placePieces(_ batch: EventBatch, _ slot: Int, _ lengths: PieceLengths, plus extra: Int) throws(TraceFormatError) {
    // Pieces that have a byte at each position, and the bytes of the long ones.
    var longer = 0
    var total = 0
    var starts: [Int] = []
    for position in 0..<EventLayout.shortPiece {
      let length = position - extra
      longer += length >= 0 ? lengths.short[length] : 0
      starts.append(total)
      total += lengths.count - longer - lengths.long(from: EventLayout.shortPiece - extra + 1).count
    }
    starts.append(total)
    let long = lengths.long(from: EventLayout.shortPiece - extra + 1)
    let at = try reader.take(total + long.bytes + long.count * extra, "data")
    let places = unsafe batch.places + slot * EventLayout.placesPerKind
    // SAFETY: a slot has so many places.
    for position in 0...EventLayout.shortPiece { unsafe places[position] = at + starts[position] }
  }
}

/// What the lengths of a kind's pieces add up to.
private struct PieceLengths {
  var count = 0
  var total = 0
  var longest: UInt64 = 0
  /// How many there are of each length that may be a short piece's.
  var short = [Int](repeating: 0, count: EventLayout.shortPiece + 1)
  private var longCount = 0
  private var longBytes = 0

  @inline(__always) mutating func add(_ length: UInt64, times: Int) {
    count += times
    longest = max(longest, length)
    // What is longer than any piece may be is refused by the longest; it only must not overflow here.
    let size = Int(truncatingIfNeeded: min(length, 0xFF_FFFF))
    total &+= size &* times
    if size <= EventLayout.shortPiece {
      short[size] += times
    } else {
      longCount += times
      longBytes += size * times
    }
  }

  /// How many are at least so long (which is no less than the longest short piece), and their bytes.
  func long(from length: Int) -> (count: Int, bytes: Int) {
    let isLong = length <= EventLayout.shortPiece ? short[length] : 0
    return (longCount + isLong, longBytes + isLong * length)
  }
}
