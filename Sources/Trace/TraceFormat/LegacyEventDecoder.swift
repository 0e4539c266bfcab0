/// Decodes an events block of format version 1, and checks everything in it as `EventDecoder` does.
@safe struct LegacyEventDecoder {
  private struct Entry {
    var encoding: LegacyEventLayout.Encoding
    var width: Int
    var start: Int
    var length: Int
  }

  private let block: UnsafeRawBufferPointer
  private let table: KindTable
  private let count: Int
  private let laneCount: Int
  private let firstSeq: UInt64
  private let firstTime: UInt64
  private let lastTime: UInt64
  private let lanesOffset: Int
  private let vcpuCount: Int
  private var entries: [Entry] = []

  init(_ block: UnsafeRawBufferPointer, _ table: KindTable, vcpuCount: Int) throws(TraceFormatError) {
    unsafe self.block = unsafe block
    self.table = table
    self.vcpuCount = vcpuCount
    let size = block.count
    guard size >= LegacyEventLayout.lanesOffset else { throw TraceFormatError(.truncated, at: 0, expected: "an events block's header") }
    guard unsafe block.u32(0) == LegacyEventLayout.magic else { throw TraceFormatError(.badMagic, at: 0, expected: "an events block") }
    guard unsafe Int(block.u32(4)) == size else { throw TraceFormatError(.inconsistent, at: 4, expected: "the block's own size, \(size)") }
    count = unsafe Int(block.u32(8))
    guard count >= 1, count <= TraceLimits.eventsPerBlock, count <= size else {
      throw TraceFormatError(.outOfRange, at: 8, expected: "1 to \(TraceLimits.eventsPerBlock) events")
    }
    laneCount = unsafe Int(block.u16(12))
    let columnCount = unsafe Int(block.u16(14))
    guard columnCount >= LegacyEventLayout.columnCount else {
      throw TraceFormatError(.outOfRange, at: 14, expected: "\(LegacyEventLayout.columnCount) columns or more")
    }
    lanesOffset = LegacyEventLayout.headerSize + columnCount * LegacyEventLayout.directoryEntrySize
    let columnsOffset = lanesOffset + laneCount * LegacyEventLayout.laneEntrySize
    guard laneCount >= 1, laneCount <= EventBatch.laneLimit, columnsOffset <= size else {
      throw TraceFormatError(.outOfRange, at: 12, expected: "1 to \(EventBatch.laneLimit) lanes inside the block")
    }
    firstSeq = unsafe block.u64(16)
    firstTime = unsafe block.u64(24)
    lastTime = unsafe block.u64(32)
    guard firstSeq >= 1, firstSeq <= UInt64(Int64.max) else { throw TraceFormatError(.outOfRange, at: 16, expected: "a sequence number from 1 to 2^63") }
    var start = columnsOffset
    for column in 0..<columnCount {
      let at = LegacyEventLayout.headerSize + column * LegacyEventLayout.directoryEntrySize
      let length = unsafe Int(block.u32(at + 4))
      guard length <= size - start else { throw TraceFormatError(.outOfRange, at: at + 4, expected: "a column inside the block") }
      let known = column < LegacyEventLayout.columnCount
      guard let encoding = unsafe LegacyEventLayout.Encoding(rawValue: known ? block[at] : 0), unsafe !known || block[at + 1] <= 8 else {
        throw TraceFormatError(.outOfRange, at: at, expected: "a known encoding, at most 8 bytes wide")
      }
      entries.append(Entry(encoding: encoding, width: unsafe Int(block[at + 1]), start: start, length: length))
      start += length
    }
    guard start == size else { throw TraceFormatError(.inconsistent, at: LegacyEventLayout.headerSize, expected: "columns that fill the block") }
  }

  mutating func decode(into batch: EventBatch) throws(TraceFormatError) {
    let dataBytes = entries[LegacyEventLayout.Column.data.rawValue].length
    guard dataBytes <= TraceLimits.dataPerBlock else { throw TraceFormatError(.outOfRange, at: entries[11].start, expected: "less data") }
    batch.reserve(events: count, data: dataBytes)
    batch.laneCount = laneCount
    batch.firstSeq = firstSeq
    // SAFETY: the tables have 256 entries each.
    for kind in 0..<256 {
      unsafe batch.kindColumns[kind] = table.columns[kind]
      unsafe batch.kindSteps[kind] = table.steps[kind]
    }
    let laneSizes = try readLanes(batch)
    let totals = try readKinds(batch, laneSizes)
    try readTimes(batch)
    for column in 0..<8 { try readOperands(batch, column, count: totals[column]) }
    try undoDeltas(batch, totals)
    try checkCauses(batch, count: totals[2])
    try readData(batch, count: totals[7])
    batch.count = count
  }

  private func readLanes(_ batch: EventBatch) throws(TraceFormatError) -> [Int] {
    var sizes: [Int] = []
    var last = -1
    var total = 0
    for lane in 0..<laneCount {
      let at = lanesOffset + lane * LegacyEventLayout.laneEntrySize
      let vcpu = unsafe block.u16(at)
      let size = unsafe Int(block.u32(at + 4))
      guard Int(vcpu) > last, Int(vcpu) < vcpuCount || vcpu == EventLayout.hostVCPU else {
        throw TraceFormatError(.outOfRange, at: at, expected: "lanes of vCPUs below \(vcpuCount) or the host, ascending")
      }
      guard size >= 1, size <= count - total else { throw TraceFormatError(.outOfRange, at: at + 4, expected: "lanes that hold \(count) events together") }
      last = Int(vcpu)
      total += size
      sizes.append(size)
      unsafe batch.laneVCPUs[lane] = vcpu
    }
    guard total == count else { throw TraceFormatError(.inconsistent, at: lanesOffset, expected: "lanes that hold \(count) events together") }
    return sizes
  }

  /// Brings lanes and kinds into the order of events and finds where each lane's values start. Returns the values in each column.
  private func readKinds(_ batch: EventBatch, _ laneSizes: [Int]) throws(TraceFormatError) -> [Int] {
    let lane = entries[LegacyEventLayout.Column.lane.rawValue]
    let kind = entries[LegacyEventLayout.Column.kind.rawValue]
    guard lane.encoding == .planes, lane.width == 1 || lane.width == 2, lane.length == lane.width * count else {
      throw TraceFormatError(.inconsistent, at: lane.start, expected: "one lane of one or two bytes for each event")
    }
    guard kind.encoding == .planes, kind.width == 1, kind.length == count else {
      throw TraceFormatError(.inconsistent, at: kind.start, expected: "one kind of one byte for each event")
    }
    // SAFETY: both columns hold `count` entries (just checked) and so do the batch's buffers; lanes are checked before they index anything.
    var total = SIMD8<UInt32>()
    var unknown = 0
    var next: [Int] = []
    var at = kind.start
    for (index, size) in laneSizes.enumerated() {
      unsafe batch.laneStarts[index] = total
      next.append(at)
      for position in at..<at + size {
        let number = unsafe Int(block[position])
        guard table.listed[number] else { throw TraceFormatError(.outOfRange, at: position, expected: "a kind that the header lists, not \(number)") }
        total &+= table.steps[number]
        unknown += table.known[number] ? 0 : 1
      }
      at += size
    }
    let ends = Array(next.dropFirst()) + [at]
    for index in 0..<count {
      let number = unsafe Int(block[lane.start + index]) | (lane.width == 2 ? Int(block[lane.start + count + index]) << 8 : 0)
      guard number < laneCount else { throw TraceFormatError(.outOfRange, at: lane.start + index, expected: "a lane below \(laneCount)") }
      unsafe batch.lanes[index] = UInt16(number)
      let position = next[number]
      guard position < ends[number] else { throw TraceFormatError(.inconsistent, at: lane.start + index, expected: "as many events as the lane holds") }
      unsafe batch.kinds[index] = block[position]
      next[number] = position + 1
    }
    batch.unknownCount = unknown
    return (0..<8).map { Int(total[$0]) }
  }

  private func readTimes(_ batch: EventBatch) throws(TraceFormatError) {
    let entry = entries[LegacyEventLayout.Column.time.rawValue]
    try unsafe read(entry, count: count, into: batch.times)
    var time = firstTime
    var wrapped = false
    for index in 0..<count {
      let (sum, overflow) = unsafe time.addingReportingOverflow(batch.times[index])
      wrapped = wrapped || overflow
      time = sum
      unsafe batch.times[index] = sum
    }
    guard !wrapped, time == lastTime else { throw TraceFormatError(.inconsistent, at: entry.start, expected: "time steps that end at \(lastTime)") }
  }

  private func readOperands(_ batch: EventBatch, _ column: Int, count: Int) throws(TraceFormatError) {
    let values = unsafe batch.columns[column]
    try unsafe read(entries[LegacyEventLayout.Column.gpa.rawValue + column], count: count, into: values)
    // SAFETY: each column has room for two values more than there are events.
    unsafe values[count] = 0
    unsafe values[count + 1] = 0
  }

  /// Makes addresses and digests whole again: each is a difference from the lane's one before.
  private func undoDeltas(_ batch: EventBatch, _ totals: [Int]) throws(TraceFormatError) {
    for lane in 0..<laneCount {
      // SAFETY: lane starts ascend and end at the columns' totals.
      let start = unsafe batch.laneStarts[lane]
      for column in [0, 1, 5] {
        let end = unsafe lane + 1 < laneCount ? Int(batch.laneStarts[lane + 1][column]) : totals[column]
        let values = unsafe batch.columns[column]
        var last: UInt64 = 0
        if column == 5 {
          for index in Int(start[column])..<end {
            last &+= unsafe values[index]
            unsafe values[index] = last
          }
        } else {
          for index in Int(start[column])..<end {
            last &+= unsafe EventLayout.unzigzag(values[index])
            unsafe values[index] = last
          }
        }
      }
    }
  }

  /// A cause must be an earlier event. In all blocks but a trace's first ones no distance reaches back past event 1.
  private func checkCauses(_ batch: EventBatch, count total: Int) throws(TraceFormatError) {
    let values = unsafe batch.columns[2]
    var largest: UInt64 = 0
    for index in 0..<total { largest = unsafe max(largest, values[index]) }
    guard largest >= firstSeq else { return }
    var next = (0..<laneCount).map { unsafe Int(batch.laneStarts[$0][2]) }
    for index in 0..<count where unsafe table.columns[Int(batch.kinds[index])] & 4 != 0 {
      let lane = unsafe Int(batch.lanes[index])
      guard unsafe values[next[lane]] < firstSeq + UInt64(index) else {
        throw TraceFormatError(.outOfRange, at: entries[LegacyEventLayout.Column.cause.rawValue].start, expected: "causes from event 1 on")
      }
      next[lane] += 1
    }
  }

  private func readData(_ batch: EventBatch, count: Int) throws(TraceFormatError) {
    let entry = entries[LegacyEventLayout.Column.data.rawValue]
    let offsets = unsafe batch.columns[7]
    var at: UInt64 = 0
    for index in 0..<count {
      let length = unsafe offsets[index]
      guard length <= UInt64(TraceLimits.dataPerEvent) else {
        let at = entries[LegacyEventLayout.Column.dataLength.rawValue].start
        throw TraceFormatError(.outOfRange, at: at, expected: "at most \(TraceLimits.dataPerEvent) bytes of data")
      }
      unsafe offsets[index] = at
      at += length
    }
    guard at == UInt64(entry.length) else { throw TraceFormatError(.inconsistent, at: entry.start, expected: "\(at) bytes of data, not \(entry.length)") }
    // SAFETY: two more values fit; the data fit because the batch reserved the entry's length.
    unsafe offsets[count] = at
    unsafe offsets[count + 1] = at
    if entry.length > 0, let base = unsafe block.baseAddress { unsafe batch.data.copyMemory(from: base + entry.start, byteCount: entry.length) }
  }

  /// Reads a column of integers.
  private func read(_ entry: Entry, count: Int, into values: UnsafeMutablePointer<UInt64>) throws(TraceFormatError) {
    let failure = TraceFormatError(.inconsistent, at: entry.start, expected: "\(count) values in \(entry.length) bytes")
    // SAFETY: the column lies inside the block (checked in `init`), its length is checked against the count before it is read, and `values` has room.
    let base = unsafe block.baseAddress! + entry.start
    switch entry.encoding {
    case .planes:
      guard entry.length == entry.width * count else { throw failure }
      unsafe ColumnCodec.readPlanes(base, width: entry.width, count: count, into: values)
    case .lengths:
      guard unsafe ColumnCodec.readLengths(base, within: entry.length, count: count, into: values) == entry.length else { throw failure }
    }
  }
}
