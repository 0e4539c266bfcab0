import TraceEvents

extension EventDecoder {
  /// Where a kind's column is in the batch's tables.
  func column(_ kind: Int, _ column: Int) -> Int { Int(table.slots[kind]) * EventBatch.columnsPerSlot + column }

  /// Finds the times and the first seven operands, and reads those that are differences.
  mutating func readSeries(_ batch: EventBatch) throws(TraceFormatError) {
    var room = 0
    for kind in kinds { room += kindCounts[kind] * (1 + table.columns[kind].nonzeroBitCount) }
    batch.values.reserve(room)
    room = 0
    for operand in [EventBatch.timesColumn, 0, 1, 2, 3, 4, 5, 6] {
      for kind in kinds where operand == EventBatch.timesColumn || table.columns[kind] >> UInt8(operand) & 1 != 0 {
        let column = column(kind, operand)
        // SAFETY: the tables have an entry for each slot and column.
        unsafe batch.stored[column] = try reader.series(kindCounts[kind], room: room)
        room += kindCounts[kind]
        if table.differences[kind].contains(operand: operand) { unsafe batch.load(column) }
      }
    }
    // The lengths of data come later in the block.
    for kind in kinds where table.columns[kind] & 0x80 != 0 {
      unsafe batch.stored[column(kind, EventBatch.lengthsColumn)].room = room
      room += kindCounts[kind]
    }
  }

  /// Finds where each lane's events of each kind are, and makes operands whole again.
  func undoDifferences(_ batch: EventBatch, _ laneSizes: [Int], _ kindStart: Int) {
    batch.laneKinds.reserve(laneCount)
    batch.positions.reserve(laneCount * table.slotCount)
    var differences = table.differences
    if differences[Self.pageWrite] == .pageGPA { differences[Self.pageWrite] = .manyPages }
    var undoing = unsafe DifferenceUndoing(batch, slotCount: table.slotCount)
    var position = kindStart
    // SAFETY: lanes hold `count` events together, and the kinds of all are inside the block, behind which more can be read.
    unsafe differences.withUnsafeBufferPointer { differences in
      for lane in 0..<laneCount {
        unsafe batch.laneKinds.base[lane] = UInt32(truncatingIfNeeded: position)
        unsafe undoing.beginLane(batch.positions.base + lane * table.slotCount)
        unsafe undoing.undo(UnsafePointer(batch.block.base) + position, count: laneSizes[lane], differences)
        position += laneSizes[lane]
      }
    }
  }

  /// Times do not wrap, and end where the header says. Whatever their order: no step is negative.
  func checkTimes(_ batch: EventBatch) throws(TraceFormatError) {
    var total: UInt128 = 0
    var firstStep: UInt64 = 0
    let firstLane = unsafe Int(batch.runs.base[0].lane)
    let firstKind = unsafe Int(batch.block.base[Int(batch.laneKinds.base[firstLane])])
    for kind in kinds {
      let column = column(kind, EventBatch.timesColumn)
      let series = unsafe batch.stored[column]
      // SAFETY: the series was checked to lie inside the block.
      if series.mark != EventLayout.lengthsMark {
        unsafe total += ColumnCodec.sumOfPlanes(UnsafeRawPointer(batch.block.base + series.offset), width: Int(series.mark), count: series.count)
        guard kind == firstKind else { continue }
        for plane in 0..<Int(series.mark) { unsafe firstStep |= UInt64(batch.block.base[series.offset + plane * series.count]) << UInt64(plane * 8) }
      } else {
        let steps = unsafe batch.load(column)
        for index in 0..<series.count { unsafe total += UInt128(steps[index]) }
        if kind == firstKind { firstStep = unsafe steps[0] }
      }
    }
    guard UInt128(firstTime) + total == UInt128(lastTime) else {
      throw TraceFormatError(.inconsistent, at: EventLayout.headerSize, expected: "time steps that end at \(lastTime)")
    }
    batch.firstTime = firstTime + firstStep
    batch.lastTime = lastTime
  }

  /// A cause must be an earlier event. In all blocks but a trace's first ones no distance reaches back past event 1.
  func checkCauses(_ batch: EventBatch) throws(TraceFormatError) {
    var farthest: UInt64 = 0
    for kind in kinds where table.columns[kind] & 4 != 0 {
      let column = column(kind, 2)
      let series = unsafe batch.stored[column]
      if series.mark < 8, firstSeq >> UInt64(series.mark * 8) != 0 { continue }
      // SAFETY: the column has as many values as the series.
      let values = unsafe batch.load(column)
      for index in 0..<series.count { farthest = unsafe max(farthest, values[index]) }
    }
    if farthest >= firstSeq { try batch.checkCauses(count) }
  }
}

extension EventBatch {
  /// Checks every event's cause. The batch is empty until it is known to be right.
  func checkCauses(_ events: Int) throws(TraceFormatError) {
    count = events
    defer { count = 0 }
    try withCursor { cursor throws(TraceFormatError) in
      while cursor.next() {
        guard cursor.operand(2) < cursor.seq else {
          throw TraceFormatError(.outOfRange, at: EventLayout.headerSize, expected: "causes from event 1 on")
        }
      }
    }
  }
}

/// Puts operands together from differences, lane by lane.
@safe private struct DifferenceUndoing {
  private let slotCount: Int
  private let slots: UnsafePointer<UInt8>
  private let columns: UnsafePointer<UnsafeMutablePointer<UInt64>?>
  /// By slot: the next event of the kind, and the lane's last address.
  private var next: [UInt32]
  private var addresses: [UInt64]

  @unsafe init(_ batch: EventBatch, slotCount: Int) {
    self.slotCount = slotCount
    unsafe slots = UnsafePointer(batch.slots)
    unsafe columns = UnsafePointer(batch.columns)
    next = [UInt32](repeating: 0, count: slotCount)
    addresses = [UInt64](repeating: 0, count: slotCount)
  }

  /// A lane begins: says which events of each kind are its first ones.
  @unsafe mutating func beginLane(_ positions: UnsafeMutablePointer<UInt32>) {
    for slot in 0..<slotCount {
      unsafe positions[slot] = next[slot]
      addresses[slot] = 0
    }
  }

  @unsafe mutating func undo(_ kinds: UnsafePointer<UInt8>, count: Int, _ differences: UnsafeBufferPointer<EventLayout.Differences>) {
    let (slots, columns) = unsafe (slots, columns)
    var (gpa, rip, rendezvous, digest) = (0 as UInt64, 0 as UInt64, 0 as UInt64, 0 as UInt64)
    var at = 0
    // SAFETY: every kind has a slot, each kind has as many numbers in its columns as it has events, and those that are differences are loaded.
    unsafe next.withUnsafeMutableBufferPointer { next in
      unsafe addresses.withUnsafeMutableBufferPointer { addresses in
        while at < count {
          let kind = unsafe Int(kinds[at])
          let what = unsafe differences[kind]
          let slot = unsafe Int(slots[kind])
          let index = unsafe Int(next[slot])
          if what == .manyPages, let values = unsafe columns[slot &* EventBatch.columnsPerSlot] {
            let length = unsafe EventLayout.streak(kinds + at, limit: count &- at)
            unsafe gpa = Self.undoPages(values + index, length, after: addresses[slot])
            unsafe addresses[slot] = gpa
            unsafe next[slot] = UInt32(truncatingIfNeeded: index &+ length)
            at &+= length
            continue
          }
          unsafe next[slot] = UInt32(truncatingIfNeeded: index &+ 1)
          at &+= 1
          if what.isEmpty { continue }
          let row = unsafe columns + slot &* EventBatch.columnsPerSlot
          if !what.isDisjoint(with: .anyGPA), let values = unsafe row[0] {
            let last = what.contains(.laneGPA) ? gpa : unsafe addresses[slot]
            if what.contains(.pageGPA) {
              unsafe gpa = Self.undoPages(values + index, 1, after: last)
            } else {
              unsafe gpa = last &+ EventLayout.unzigzag(values[index])
              unsafe values[index] = gpa
            }
            unsafe addresses[slot] = gpa
          }
          if what.contains(.rip), let values = unsafe row[1] {
            unsafe rip &+= EventLayout.unzigzag(values[index])
            unsafe values[index] = rip
          }
          if what.contains(.rendezvous), let values = unsafe row[4] {
            unsafe rendezvous &+= EventLayout.unzigzag(values[index])
            unsafe values[index] = rendezvous
          }
          if what.contains(.digest), let values = unsafe row[5] {
            unsafe digest &+= values[index]
            unsafe values[index] = digest
          }
        }
      }
    }
  }

  /// Addresses of pages, which follow each other in their lane. Returns the last one.
  @inline(__always) @unsafe private static func undoPages(_ values: UnsafeMutablePointer<UInt64>, _ count: Int, after last: UInt64) -> UInt64 {
    var page = EventLayout.rotatedRight(last)
    for index in 0..<count {
      unsafe page &+= EventLayout.unzigzag(values[index])
      unsafe values[index] = EventLayout.rotatedLeft(page)
    }
    return EventLayout.rotatedLeft(page)
  }
}
