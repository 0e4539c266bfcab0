import TraceEvents

/// Turns rows into an events block. Reusable; keeps its buffers.
///
/// Numbers are stored kind by kind, and within a kind lane by lane (a lane is a vCPU, or the host): each vCPU's own sequence is far more regular than
/// their interleaving, and numbers of one kind and operand are alike.
@safe public final class EventEncoder {
  let table: KindTable
  private var lanes: [UInt16] = []
  private var laneOf = [UInt16](repeating: .max, count: TraceLimits.vcpus + 1)
  /// Runs of events of one lane: the lane, and the events less one.
  private var runLanes: [UInt64] = []
  private var runLengths: [UInt64] = []
  /// Rows in lane order, and the same by kind.
  private var order: [UInt32] = []
  private var kinds: [UInt8] = []
  private var kindOrder: [UInt32] = []
  private var kindCounts = [Int](repeating: 0, count: 256)
  /// Numbers of all series, and where the next one of each goes: by operand and kind. The eighth operand is the time.
  private var values: [UInt64] = []
  private var next = [Int](repeating: 0, count: 8 * 256)
  private var pieces = PieceWriter()
  private(set) var out = SeriesWriter()

  public init(_ table: KindTable) { self.table = table }

  /// Where it pays to begin a new zstd block: what is before compresses unlike what is after. Offsets in the block encoded last.
  public var cuts: [Int] { out.cuts }

  /// The events block before compression. There must be at least one row, and every kind must be in the table.
  public func encode(_ rows: EventRows) -> [UInt8] {
    precondition(rows.count > 0, "an events block holds at least one event")
    let laneCounts = splitIntoLanes(rows)
    sortByKind(rows)
    let hasRuns = pieces.canSplit(rows, kindRows(EventKind.pageWrite.rawValue))
    gather(rows)
    out.removeAll(reserving: rows.count * 16 + rows.dataCount + 1024)
    out.append(integer: EventLayout.magic)
    out.append(integer: 0 as UInt32)
    out.append(integer: UInt32(rows.count))
    out.append(integer: UInt16(lanes.count))
    out.append(integer: hasRuns ? EventLayout.hasRuns : 0)
    out.append(integer: rows.firstSeq)
    out.append(integer: rows.times.lowerBound)
    out.append(integer: rows.times.upperBound)
    for (lane, count) in zip(lanes, laneCounts) {
      out.append(integer: lane)
      out.append(integer: 0 as UInt16)
      out.append(integer: UInt32(count))
    }
    out.append(integer: UInt32(runLanes.count))
    out.append(series: runLanes[...])
    out.append(series: runLengths[...])
    out.append(stream: kinds)
    appendSeries()
    for kind in 0..<256 where kindCounts[kind] > 0 && table.columns[kind] & 0x80 != 0 {
      pieces.write(rows, kindRows(UInt8(kind)), asRuns: hasRuns && kind == EventKind.pageWrite.rawValue, to: &out)
    }
    return out.finish()
  }

  /// Numbers the lanes, orders the rows by lane, and finds the runs of each lane. Returns each lane's events.
  private func splitIntoLanes(_ rows: EventRows) -> [Int] {
    let count = rows.count
    for lane in lanes { laneOf[Self.slot(lane)] = .max }
    var counts = [Int](repeating: 0, count: TraceLimits.vcpus + 1)
    // SAFETY: rows below `count` are initialized, and indexes below stay under it.
    for index in 0..<count { counts[unsafe Self.slot(rows.rows[index].vcpu)] += 1 }
    lanes.removeAll(keepingCapacity: true)
    var starts: [Int] = []
    var total = 0
    for slot in counts.indices where counts[slot] > 0 {
      laneOf[slot] = UInt16(lanes.count)
      lanes.append(slot == TraceLimits.vcpus ? EventLayout.hostVCPU : UInt16(slot))
      starts.append(total)
      total += counts[slot]
    }
    order.resize(to: count, 0)
    runLanes.removeAll(keepingCapacity: true)
    runLengths.removeAll(keepingCapacity: true)
    var (last, start) = (-1, 0)
    for index in 0..<count {
      let lane = Int(laneOf[unsafe Self.slot(rows.rows[index].vcpu)])
      order[starts[lane]] = UInt32(index)
      starts[lane] += 1
      guard lane != last else { continue }
      if last >= 0 { runLengths.append(UInt64(index - start - 1)) }
      runLanes.append(UInt64(lane))
      (last, start) = (lane, index)
    }
    runLengths.append(UInt64(count - start - 1))
    return counts.filter { $0 > 0 }
  }

  private static func slot(_ vcpu: UInt16) -> Int { vcpu == EventLayout.hostVCPU ? TraceLimits.vcpus : Int(vcpu) }

  /// Fills the column of kinds, and brings the rows into the order of kinds, those of one kind in lane order.
  private func sortByKind(_ rows: EventRows) {
    let count = rows.count
    kinds.resize(to: count, 0)
    kindOrder.resize(to: count, 0)
    for kind in 0..<256 { kindCounts[kind] = 0 }
    for (position, index) in order.enumerated() {
      // SAFETY: `order` is a permutation of the rows below `count`.
      let kind = unsafe rows.rows[Int(index)].kind
      kinds[position] = kind
      kindCounts[Int(kind)] += 1
    }
    var starts = kindCounts
    var total = 0
    for kind in 0..<256 { (starts[kind], total) = (total, total + kindCounts[kind]) }
    for (position, index) in order.enumerated() {
      let kind = Int(kinds[position])
      kindOrder[starts[kind]] = index
      starts[kind] += 1
    }
  }

  private func kindRows(_ kind: UInt8) -> ArraySlice<UInt32> {
    let start = kindCounts[..<Int(kind)].reduce(0, +)
    return kindOrder[start..<start + kindCounts[Int(kind)]]
  }

  /// Fills every series with its differences.
  private func gather(_ rows: EventRows) {
    var total = 0
    for operand in 0..<8 {
      for kind in 0..<256 where carries(kind, operand) {
        next[operand * 256 + kind] = total
        total += kindCounts[kind]
      }
    }
    values.resize(to: total, 0)
    var laneGPA = [UInt64](repeating: 0, count: 256)
    // SAFETY: a series gets as many numbers as its kind has rows; `order` is a permutation of the rows; tables have 256 entries for each operand.
    unsafe values.withUnsafeMutableBufferPointer { values in
      unsafe next.withUnsafeMutableBufferPointer { next in
        @inline(__always) func put(_ operand: Int, _ kind: Int, _ value: UInt64) {
          unsafe values[next[operand &* 256 &+ kind]] = value
          unsafe next[operand &* 256 &+ kind] &+= 1
        }
        var time = rows.times.lowerBound
        for index in 0..<rows.count {
          let row = unsafe rows.rows[index]
          put(7, Int(row.kind), row.time &- time)
          time = row.time
        }
        var (gpa, rip, rendezvous, digest, lane) = (0 as UInt64, 0 as UInt64, 0 as UInt64, 0 as UInt64, -1)
        for index in order {
          let row = unsafe rows.rows[Int(index)]
          let kind = Int(row.kind)
          let mask = table.columns[kind]
          if Int(row.vcpu) != lane {
            (gpa, rip, rendezvous, digest, lane) = (0, 0, 0, 0, Int(row.vcpu))
            for kind in 0..<256 { laneGPA[kind] = 0 }
          }
          let coding = EventLayout.coding[kind]
          if mask & 1 != 0 {
            if coding & EventLayout.isPage != 0 {
              put(0, kind, EventLayout.zigzag(EventLayout.rotatedRight(row.gpa) &- EventLayout.rotatedRight(laneGPA[kind])))
            } else {
              put(0, kind, EventLayout.zigzag(row.gpa &- (coding & EventLayout.followsLane != 0 ? gpa : laneGPA[kind])))
            }
            laneGPA[kind] = row.gpa
            gpa = row.gpa
          }
          if mask & 2 != 0 {
            put(1, kind, EventLayout.zigzag(row.rip &- rip))
            rip = row.rip
          }
          if mask & 4 != 0 { put(2, kind, row.cause == 0 ? 0 : rows.firstSeq &+ UInt64(index) &- row.cause) }
          if mask & 8 != 0 { put(3, kind, row.a) }
          if mask & 16 != 0 {
            if coding & EventLayout.numbersRendezvous != 0 {
              put(4, kind, EventLayout.zigzag(row.b &- rendezvous))
              rendezvous = row.b
            } else {
              put(4, kind, row.b)
            }
          }
          if mask & 32 != 0 {
            put(5, kind, row.c &- digest)
            digest = row.c
          }
          if mask & 64 != 0 { put(6, kind, row.d) }
        }
      }
    }
  }

  /// Whether events of this kind are there and have a number for the operand; all have a time.
  private func carries(_ kind: Int, _ operand: Int) -> Bool { kindCounts[kind] > 0 && (operand == 7 || table.columns[kind] >> UInt8(operand) & 1 != 0) }

  private func appendSeries() {
    for operand in [7, 0, 1, 2, 3, 4, 5, 6] {
      for kind in 0..<256 where carries(kind, operand) {
        let end = next[operand * 256 + kind]
        out.append(series: values[end - kindCounts[kind]..<end], asLengths: operand == 5)
      }
    }
  }
}

extension Array {
  mutating func resize(to count: Int, _ filler: Element) {
    if self.count > count { removeLast(self.count - count) } else { append(contentsOf: repeatElement(filler, count: count - self.count)) }
  }
}
