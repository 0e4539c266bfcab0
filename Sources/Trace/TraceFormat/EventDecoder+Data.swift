import TraceEvents

extension EventDecoder {
  private static let pageWrite = Int(EventKind.pageWrite.rawValue)

  /// Puts the data of all events together, in lane order.
  mutating func readData(_ batch: EventBatch, _ kindStart: Int) throws(TraceFormatError) {
    let scratch = batch.scratch
    var total = 0
    var runStart = 0
    var runCount = 0
    for kind in 0..<256 where kindCounts[kind] > 0 && table.columns[kind] & 0x80 != 0 {
      let start = used
      try readSeries(kindCounts[kind], scratch)
      unsafe scratch.next[8 * 256 + kind] = start
      let splits = hasRuns && kind == Self.pageWrite
      if splits {
        runCount = try countRuns(scratch, start)
        runStart = used
        try readSeries(runCount, scratch)
        try readSeries(runCount, scratch)
        total += try checkRuns(scratch, start, runStart, runCount)
        try placePieces(kind, runStart + runCount, runCount, plus: 1, scratch)
      } else {
        total += try checkLengths(scratch, start, kindCounts[kind])
        try placePieces(kind, start, kindCounts[kind], plus: 0, scratch)
      }
    }
    guard total <= TraceLimits.dataPerBlock else {
      throw TraceFormatError(.outOfRange, at: reader.offset, expected: "at most \(TraceLimits.dataPerBlock) bytes of data")
    }
    batch.reserve(events: count, data: total)
    assemble(batch, kindStart, runStart, runCount)
  }

  private func tooLong() -> TraceFormatError {
    TraceFormatError(.outOfRange, at: reader.offset, expected: "at most \(TraceLimits.dataPerEvent) bytes of data")
  }

  /// Adds up how many runs the page-writes have. Each has at least one byte in the rest of the block, and five in memory.
  private func countRuns(_ scratch: DecodingScratch, _ start: Int) throws(TraceFormatError) -> Int {
    var runs = 0
    for index in start..<start + kindCounts[Self.pageWrite] {
      // SAFETY: the series was just read.
      let number = unsafe scratch.values[index]
      guard number <= UInt64(TraceLimits.dataPerEvent / 5) else { throw tooLong() }
      runs += Int(number)
    }
    guard runs <= reader.remaining, runs * 5 <= TraceLimits.dataPerBlock else {
      throw TraceFormatError(.outOfRange, at: reader.offset, expected: "runs inside the block")
    }
    return runs
  }

  /// Checks the runs' offsets and lengths, and that no page-write has too many bytes of them. Returns the bytes of all as data.
  private func checkRuns(_ scratch: DecodingScratch, _ start: Int, _ runStart: Int, _ runCount: Int) throws(TraceFormatError) -> Int {
    var run = runStart
    var total = 0
    for index in start..<start + kindCounts[Self.pageWrite] {
      var size: UInt64 = 0
      // SAFETY: `countRuns` added up these numbers, and both series of runs were read.
      for _ in unsafe 0..<scratch.values[index] {
        let (gap, length) = unsafe (scratch.values[run], scratch.values[run + runCount])
        guard gap <= 0xFFFF, length <= 0xFFFF else { throw tooLong() }
        size += length + 5
        run += 1
      }
      guard size <= UInt64(TraceLimits.dataPerEvent) else { throw tooLong() }
      total += Int(size)
    }
    return total
  }

  private func checkLengths(_ scratch: DecodingScratch, _ start: Int, _ count: Int) throws(TraceFormatError) -> Int {
    var total = 0
    for index in start..<start + count {
      // SAFETY: the series was just read.
      let length = unsafe scratch.values[index]
      guard length <= UInt64(TraceLimits.dataPerEvent) else { throw tooLong() }
      total += Int(length)
    }
    return total
  }

  /// Finds where the bytes of a kind's pieces are in the block, from the pieces' lengths (less `extra`).
  private mutating func placePieces(_ kind: Int, _ start: Int, _ count: Int, plus extra: Int, _ scratch: DecodingScratch) throws(TraceFormatError) {
    var sizes = [Int](repeating: 0, count: EventLayout.shortPiece + 1)
    var long = 0
    for index in start..<start + count {
      // SAFETY: lengths were checked to be at most 65,536.
      let length = unsafe Int(scratch.values[index]) + extra
      if length <= EventLayout.shortPiece { sizes[length] += 1 } else { long += length }
    }
    for length in stride(from: EventLayout.shortPiece - 1, through: 0, by: -1) { sizes[length] += sizes[length + 1] }
    var total = 0
    let places = unsafe scratch.bytes + kind * DecodingScratch.bytesPerKind
    for position in 0..<EventLayout.shortPiece {
      unsafe places[position] = total
      total += sizes[position + 1]
    }
    unsafe places[EventLayout.shortPiece] = total
    let at = try reader.take(total + long, "data")
    for position in 0...EventLayout.shortPiece { unsafe places[position] += at }
  }

  /// Copies every event's data to its place, and says in the eighth column where that is.
  private func assemble(_ batch: EventBatch, _ kindStart: Int, _ runStart: Int, _ runCount: Int) {
    let scratch = batch.scratch
    let (values, lengths, offsets) = unsafe (scratch.values, scratch.next + 8 * 256, batch.columns[7])
    let data = unsafe batch.data
    var run = runStart
    var (event, at) = (0, 0)
    // SAFETY: lengths and runs were added up and checked: no piece ends past the block, and together they fit the batch's data.
    for place in kindStart..<kindStart + count {
      let kind = unsafe Int(block[place])
      guard unsafe batch.kindColumns[kind] & 0x80 != 0 else { continue }
      unsafe offsets[event] = UInt64(at)
      event &+= 1
      let number = unsafe values[lengths[kind]]
      unsafe lengths[kind] &+= 1
      let places = unsafe scratch.bytes + kind &* DecodingScratch.bytesPerKind
      guard hasRuns, kind == Self.pageWrite else {
        unsafe copyPiece(Int(number), places, to: data + at)
        at &+= Int(number)
        continue
      }
      var end: UInt64 = 0
      for _ in 0..<number {
        let (gap, length) = unsafe (values[run], values[run &+ runCount])
        run &+= 1
        let offset = (end &+ gap) & 0xFFFF
        unsafe data.storeBytes(of: UInt32(truncatingIfNeeded: offset | length << 16).littleEndian, toByteOffset: at, as: UInt32.self)
        unsafe copyPiece(Int(length) &+ 1, places, to: data + at + 4)
        end = offset &+ length &+ 1
        at &+= Int(length) &+ 5
      }
    }
    unsafe offsets[event] = UInt64(at)
    unsafe offsets[event + 1] = UInt64(at)
  }

  @unsafe @inline(__always) private func copyPiece(_ count: Int, _ places: UnsafeMutablePointer<Int>, to target: UnsafeMutableRawPointer) {
    guard let base = unsafe block.baseAddress else { return }
    if count > EventLayout.shortPiece {
      unsafe target.copyMemory(from: base + places[EventLayout.shortPiece], byteCount: count)
      unsafe places[EventLayout.shortPiece] &+= count
      return
    }
    for position in 0..<count {
      let from = unsafe places[position]
      unsafe places[position] = from &+ 1
      unsafe target.storeBytes(of: base.load(fromByteOffset: from, as: UInt8.self), toByteOffset: position, as: UInt8.self)
    }
  }
}
