import TraceEvents

/// Decodes one events block and checks everything in it: after this, reading the batch needs no checks.
@safe struct EventDecoder {
  let block: UnsafeRawBufferPointer
  let table: KindTable
  let count: Int
  let laneCount: Int
  let hasRuns: Bool
  let firstSeq: UInt64
  let firstTime: UInt64
  let lastTime: UInt64
  private let vcpuCount: Int
  var reader: SeriesReader
  /// The kinds that the block has, ascending, and the events of each.
  var kinds: [Int] = []
  var kindCounts: [Int] = []

  /// The block lies in the batch that it will be decoded into.
  init(_ block: UnsafeRawBufferPointer, _ table: KindTable, vcpuCount: Int) throws(TraceFormatError) {
    unsafe self.block = unsafe block
    self.table = table
    self.vcpuCount = vcpuCount
    let size = block.count
    guard size >= EventLayout.headerSize else { throw TraceFormatError(.truncated, at: 0, expected: "an events block's header") }
    guard unsafe block.u32(0) == EventLayout.magic else { throw TraceFormatError(.badMagic, at: 0, expected: "an events block") }
    guard unsafe Int(block.u32(4)) == size else { throw TraceFormatError(.inconsistent, at: 4, expected: "the block's own size, \(size)") }
    count = unsafe Int(block.u32(8))
    guard count >= 1, count <= TraceLimits.eventsPerBlock, count <= size else {
      throw TraceFormatError(.outOfRange, at: 8, expected: "1 to \(TraceLimits.eventsPerBlock) events")
    }
    laneCount = unsafe Int(block.u16(12))
    let start = EventLayout.headerSize + laneCount * EventLayout.laneEntrySize
    guard laneCount >= 1, laneCount <= EventBatch.laneLimit, start <= size else {
      throw TraceFormatError(.outOfRange, at: 12, expected: "1 to \(EventBatch.laneLimit) lanes inside the block")
    }
    let flags = unsafe block.u16(14)
    guard flags & ~EventLayout.hasRuns == 0 else { throw TraceFormatError(.outOfRange, at: 14, expected: "no flags but known ones") }
    hasRuns = flags & EventLayout.hasRuns != 0
    firstSeq = unsafe block.u64(16)
    firstTime = unsafe block.u64(24)
    lastTime = unsafe block.u64(32)
    guard firstSeq >= 1, firstSeq <= UInt64(Int64.max) else { throw TraceFormatError(.outOfRange, at: 16, expected: "a sequence number from 1 to 2^63") }
    unsafe reader = SeriesReader(block, at: start)
  }

  mutating func decode(into batch: EventBatch) throws(TraceFormatError) {
    batch.reset(table)
    batch.laneCount = laneCount
    batch.firstSeq = firstSeq
    let laneSizes = try readLanes(batch)
    try readRuns(batch, laneSizes)
    let kindStart = try reader.take(count, "kinds")
    try countKinds(batch, at: kindStart)
    try readSeries(batch)
    undoDifferences(batch, laneSizes, kindStart)
    try checkTimes(batch)
    try readData(batch)
    guard reader.remaining == 0 else { throw TraceFormatError(.inconsistent, at: reader.offset, expected: "the end of the block") }
    try checkCauses(batch)
    batch.count = count
  }

  private func readLanes(_ batch: EventBatch) throws(TraceFormatError) -> [Int] {
    var sizes: [Int] = []
    sizes.reserveCapacity(laneCount)
    batch.laneVCPUs.reserve(laneCount)
    var last = -1
    var total = 0
    for lane in 0..<laneCount {
      let at = EventLayout.headerSize + lane * EventLayout.laneEntrySize
      // SAFETY: `init` checked that the lanes are inside the block.
      let vcpu = unsafe block.u16(at)
      let size = unsafe Int(block.u32(at + 4))
      guard Int(vcpu) > last, Int(vcpu) < vcpuCount || vcpu == EventLayout.hostVCPU else {
        throw TraceFormatError(.outOfRange, at: at, expected: "lanes of vCPUs below \(vcpuCount) or the host, ascending")
      }
      guard size >= 1, size <= count - total else { throw TraceFormatError(.outOfRange, at: at + 4, expected: "lanes that hold \(count) events together") }
      last = Int(vcpu)
      total += size
      sizes.append(size)
      unsafe batch.laneVCPUs.base[lane] = vcpu
    }
    guard total == count else {
      throw TraceFormatError(.inconsistent, at: EventLayout.headerSize, expected: "lanes that hold \(count) events together")
    }
    return sizes
  }

  /// Reads which lane's turn it is, and for how many events.
  private mutating func readRuns(_ batch: EventBatch, _ laneSizes: [Int]) throws(TraceFormatError) {
    let at = try reader.take(4, "the number of runs")
    let runs = unsafe Int(block.u32(at))
    let failure = TraceFormatError(.inconsistent, at: at, expected: "runs of lanes that hold \(count) events together")
    guard runs >= 1, runs <= count else { throw failure }
    let (lanes, lengths) = (try reader.series(runs), try reader.series(runs))
    batch.values.reserve(runs * 2)
    batch.runs.reserve(runs)
    let (values, target) = unsafe (batch.values.base, batch.runs.base)
    unsafe batch.read(lanes, into: values)
    unsafe batch.read(lengths, into: values + runs)
    var left = laneSizes
    let fits = unsafe left.withUnsafeMutableBufferPointer { left in
      for run in 0..<runs {
        // SAFETY: both series were just read; lanes and lengths are checked before they are used.
        let (number, length) = unsafe (values[run], values[runs + run])
        guard number < UInt64(left.count), unsafe length < UInt64(left[Int(number)]) else { return false }
        unsafe left[Int(number)] &-= Int(length) &+ 1
        unsafe target[run] = EventBatch.LaneRun(lane: UInt32(truncatingIfNeeded: number), count: UInt32(truncatingIfNeeded: length &+ 1))
      }
      return unsafe left.allSatisfy { $0 == 0 }
    }
    guard fits else { throw failure }
    batch.runCount = runs
  }

  private mutating func countKinds(_ batch: EventBatch, at start: Int) throws(TraceFormatError) {
    guard let base = unsafe block.baseAddress else { return }
    // SAFETY: all kinds are inside the block.
    kindCounts = unsafe ColumnCodec.histogram(base + start, count: count)
    batch.unknownCount = 0
    for kind in 0..<256 where kindCounts[kind] > 0 {
      guard table.listed[kind] else { throw TraceFormatError(.outOfRange, at: start, expected: "kinds that the header lists, not \(kind)") }
      kinds.append(kind)
      if !table.known[kind] { batch.unknownCount += kindCounts[kind] }
    }
  }
}
