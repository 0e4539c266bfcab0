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
    batch.reset(table)
    batch.laneCount = laneCount
    batch.firstSeq = firstSeq
    let laneSizes = try readLanes(batch)
    let kindCounts = try readKinds(batch, laneSizes)
    try readRuns(batch, laneSizes)
    try readTimes(batch)
    var room = 0
    for kind in 0..<256 { room += kindCounts[kind] * table.columns[kind].nonzeroBitCount }
    batch.values.reserve(room)
    room = 0
    for column in 0..<8 { try readOperands(batch, column, kindCounts, &room) }
    try checkCauses(batch, kindCounts)
    try readData(batch, kindCounts)
    batch.count = count
  }

  private func readLanes(_ batch: EventBatch) throws(TraceFormatError) -> [Int] {
    var sizes: [Int] = []
    batch.laneVCPUs.reserve(laneCount)
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
      unsafe batch.laneVCPUs.base[lane] = vcpu
    }
    guard total == count else { throw TraceFormatError(.inconsistent, at: lanesOffset, expected: "lanes that hold \(count) events together") }
    return sizes
  }

  /// Finds where each lane's kinds are, and its events of each kind. Returns how many there are of each.
  private func readKinds(_ batch: EventBatch, _ laneSizes: [Int]) throws(TraceFormatError) -> [Int] {
    let kind = entries[LegacyEventLayout.Column.kind.rawValue]
    guard kind.encoding == .planes, kind.width == 1, kind.length == count else {
      throw TraceFormatError(.inconsistent, at: kind.start, expected: "one kind of one byte for each event")
    }
    batch.laneKinds.reserve(laneCount)
    batch.positions.reserve(laneCount * table.slotCount)
    var counts = [Int](repeating: 0, count: 256)
    var position = kind.start
    // SAFETY: the column holds `count` kinds (just checked), and lanes hold as many events together.
    for (lane, size) in laneSizes.enumerated() {
      unsafe batch.laneKinds.base[lane] = UInt32(position)
      for number in 0..<256 where table.listed[number] {
        unsafe batch.positions.base[lane * table.slotCount + Int(table.slots[number])] = UInt32(counts[number])
      }
      for at in position..<position + size { unsafe counts[Int(block[at])] += 1 }
      position += size
    }
    batch.unknownCount = 0
    for number in 0..<256 where counts[number] > 0 {
      guard table.listed[number] else { throw TraceFormatError(.outOfRange, at: kind.start, expected: "kinds that the header lists, not \(number)") }
      if !table.known[number] { batch.unknownCount += counts[number] }
    }
    return counts
  }

  /// Finds which lane's turn it is, and for how many events.
  private func readRuns(_ batch: EventBatch, _ laneSizes: [Int]) throws(TraceFormatError) {
    let lane = entries[LegacyEventLayout.Column.lane.rawValue]
    guard lane.encoding == .planes, lane.width == 1 || lane.width == 2, lane.length == lane.width * count else {
      throw TraceFormatError(.inconsistent, at: lane.start, expected: "one lane of one or two bytes for each event")
    }
    batch.runs.reserve(count)
    var left = laneSizes
    var runs = 0
    var last = -1
    // SAFETY: the column holds `count` entries (just checked), and there are no more runs; lanes are checked before they index anything.
    for index in 0..<count {
      let number = unsafe Int(block[lane.start + index]) | (lane.width == 2 ? Int(block[lane.start + count + index]) << 8 : 0)
      guard number < laneCount else { throw TraceFormatError(.outOfRange, at: lane.start + index, expected: "a lane below \(laneCount)") }
      guard left[number] > 0 else { throw TraceFormatError(.inconsistent, at: lane.start + index, expected: "as many events as the lane holds") }
      left[number] -= 1
      if number == last {
        unsafe batch.runs.base[runs - 1].count += 1
      } else {
        unsafe batch.runs.base[runs] = EventBatch.LaneRun(lane: UInt32(number), count: 1)
        runs += 1
      }
      last = number
    }
    batch.runCount = runs
  }

  private func readTimes(_ batch: EventBatch) throws(TraceFormatError) {
    let entry = entries[LegacyEventLayout.Column.time.rawValue]
    batch.times.reserve(count)
    let times = unsafe batch.times.base
    try unsafe read(entry, count: count, into: times)
    var time = firstTime
    var wrapped = false
    for index in 0..<count {
      let (sum, overflow) = unsafe time.addingReportingOverflow(times[index])
      wrapped = wrapped || overflow
      time = sum
      unsafe times[index] = sum
    }
    guard !wrapped, time == lastTime else { throw TraceFormatError(.inconsistent, at: entry.start, expected: "time steps that end at \(lastTime)") }
    unsafe batch.columns[EventBatch.allTimes] = times
    batch.firstTime = unsafe times[0]
    batch.lastTime = lastTime
  }

  /// Reads the values of a column, which are in lane order whatever their kind, and brings them to their kinds. Addresses and digests are made
  /// whole again: each is a difference from the lane's one before.
  private func readOperands(_ batch: EventBatch, _ column: Int, _ kindCounts: [Int], _ room: inout Int) throws(TraceFormatError) {
    var total = 0
    var next: [UnsafeMutablePointer<UInt64>?] = unsafe Array(repeating: nil, count: 256)
    for kind in 0..<256 where table.columns[kind] >> UInt8(column) & 1 != 0 && kindCounts[kind] > 0 {
      // SAFETY: the batch reserved room for the values of all columns.
      unsafe next[kind] = batch.values.base + room + total
      unsafe batch.columns[Int(table.slots[kind]) * EventBatch.columnsPerSlot + column] = next[kind]
      total += kindCounts[kind]
    }
    room += total
    batch.pieces.reserve(total)
    let values = unsafe batch.pieces.base
    try unsafe read(entries[LegacyEventLayout.Column.gpa.rawValue + column], count: total, into: values)
    var position = entries[LegacyEventLayout.Column.kind.rawValue].start
    var at = 0
    for lane in 0..<laneCount {
      let end = unsafe lane + 1 < laneCount ? Int(batch.laneKinds.base[lane + 1]) : entries[LegacyEventLayout.Column.kind.rawValue].start + count
      var last: UInt64 = 0
      while position < end {
        let kind = unsafe Int(block[position])
        position += 1
        guard let place = unsafe next[kind] else { continue }
        switch column {
        case 0, 1: unsafe last &+= EventLayout.unzigzag(values[at])
        case 5: unsafe last &+= values[at]
        default: last = unsafe values[at]
        }
        unsafe place[0] = last
        unsafe next[kind] = unsafe place + 1
        at += 1
      }
    }
  }

  /// A cause must be an earlier event. In all blocks but a trace's first ones no distance reaches back past event 1.
  private func checkCauses(_ batch: EventBatch, _ kindCounts: [Int]) throws(TraceFormatError) {
    var farthest: UInt64 = 0
    for kind in 0..<256 where kindCounts[kind] > 0 {
      guard let values = unsafe batch.columns[Int(table.slots[kind]) * EventBatch.columnsPerSlot + 2] else { continue }
      for index in 0..<kindCounts[kind] { farthest = unsafe max(farthest, values[index]) }
    }
    if farthest >= firstSeq { try batch.checkCauses(count) }
  }

  /// Brings the data, which are in lane order whatever their kind, to their kinds.
  private func readData(_ batch: EventBatch, _ kindCounts: [Int]) throws(TraceFormatError) {
    let entry = entries[LegacyEventLayout.Column.data.rawValue]
    batch.data.reserve(entry.length)
    batch.offsets.reserve(count + table.slotCount)
    var total = 0
    var offsets = 0
    for kind in 0..<256 where kindCounts[kind] > 0 && table.columns[kind] & 0x80 != 0 {
      let slot = Int(table.slots[kind])
      guard let lengths = unsafe batch.columns[slot * EventBatch.columnsPerSlot + EventBatch.lengthsColumn] else { continue }
      let places = unsafe batch.offsets.base + offsets
      offsets += kindCounts[kind] + 1
      for index in 0..<kindCounts[kind] {
        let length = unsafe lengths[index]
        guard length <= UInt64(TraceLimits.dataPerEvent) else {
          let at = entries[LegacyEventLayout.Column.dataLength.rawValue].start
          throw TraceFormatError(.outOfRange, at: at, expected: "at most \(TraceLimits.dataPerEvent) bytes of data")
        }
        // SAFETY: a kind has one offset more than events. 2^17 lengths of at most 2^16 fit into 33 bits; too many are refused below.
        unsafe places[index] = UInt32(truncatingIfNeeded: total)
        total += Int(length)
      }
      unsafe places[kindCounts[kind]] = UInt32(truncatingIfNeeded: total)
      unsafe batch.dataOffsets[slot] = places
    }
    guard total == entry.length else { throw TraceFormatError(.inconsistent, at: entry.start, expected: "\(total) bytes of data, not \(entry.length)") }
    copyData(batch, kindCounts, from: entry.start)
  }

  private func copyData(_ batch: EventBatch, _ kindCounts: [Int], from start: Int) {
    guard let base = unsafe block.baseAddress else { return }
    let target = unsafe UnsafeMutableRawPointer(batch.data.base)
    var next: [UnsafeMutablePointer<UInt32>?] = unsafe (0..<256).map { kind in
      unsafe kindCounts[kind] > 0 ? batch.dataOffsets[Int(table.slots[kind])] : nil
    }
    var at = start
    // SAFETY: lengths add up to the bytes of the column, in the block and in the batch.
    for unsafe kind in unsafe block[entries[LegacyEventLayout.Column.kind.rawValue].start...].prefix(count) {
      guard let offsets = unsafe next[Int(kind)] else { continue }
      let length = unsafe Int(offsets[1] - offsets[0])
      unsafe (target + Int(offsets[0])).copyMemory(from: base + at, byteCount: length)
      unsafe next[Int(kind)] = unsafe offsets + 1
      at += length
    }
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
