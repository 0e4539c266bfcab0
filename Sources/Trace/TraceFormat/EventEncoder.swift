/// Turns rows into the columns of an events block. Reusable; keeps its buffers.
///
/// Values are stored lane by lane (a lane is a vCPU, or the host): each vCPU's own sequence is far more regular than their interleaving.
@safe public final class EventEncoder {
  let table: KindTable
  private var lanes: [UInt16] = []
  private var laneOf = [UInt16](repeating: .max, count: TraceLimits.vcpus + 1)
  private var laneStream: [UInt16] = []
  private var order: [UInt32] = []
  private var kinds: [UInt8] = []
  private var times: [UInt64] = []
  /// Eight columns of `stride` values each: flat, so that the hot loop checks no array.
  private var values: [UInt64] = []
  private var stride = 0
  private var counts: [Int] = Array(repeating: 0, count: 8)
  var encodings: [EventLayout.Encoding] = EventEncoder.defaultEncodings

  static let defaultEncodings: [EventLayout.Encoding] = [
    .planes, .planes, .planes, .lengths, .lengths, .lengths, .lengths, .lengths, .lengths, .lengths, .lengths, .planes,
  ]

  public init(_ table: KindTable) { self.table = table }

  /// The events block before compression. There must be at least one row, and every kind must be in the table.
  public func encode(_ rows: EventRows) -> [UInt8] {
    precondition(rows.count > 0, "an events block holds at least one event")
    let laneCounts = splitIntoLanes(rows)
    gather(rows)
    var out: [UInt8] = []
    out.reserveCapacity(rows.count * 24 + rows.dataCount + 1024)
    out.append(integer: EventLayout.magic)
    out.append(integer: 0 as UInt32)
    out.append(integer: UInt32(rows.count))
    out.append(integer: UInt16(lanes.count))
    out.append(integer: UInt16(EventLayout.columnCount))
    out.append(integer: rows.firstSeq)
    out.append(integer: rows.times.lowerBound)
    out.append(integer: rows.times.upperBound)
    out.append(contentsOf: [UInt8](repeating: 0, count: EventLayout.columnCount * EventLayout.directoryEntrySize))
    for (lane, count) in zip(lanes, laneCounts) {
      out.append(integer: lane)
      out.append(integer: 0 as UInt16)
      out.append(integer: UInt32(count))
    }
    appendColumns(rows, to: &out)
    out.patch(UInt32(out.count), at: 4)
    return out
  }

  /// Numbers the lanes, orders the rows by lane and fills the two columns that stay in the order of events. Returns each lane's events.
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
    let laneCounts = counts.filter { $0 > 0 }
    laneStream.resize(to: count, 0)
    times.resize(to: count, 0)
    order.resize(to: count, 0)
    var last = rows.times.lowerBound
    for index in 0..<count {
      let lane = Int(laneOf[unsafe Self.slot(rows.rows[index].vcpu)])
      laneStream[index] = UInt16(lane)
      order[starts[lane]] = UInt32(index)
      starts[lane] += 1
      let time = unsafe rows.rows[index].time
      times[index] = time &- last
      last = time
    }
    return laneCounts
  }

  private static func slot(_ vcpu: UInt16) -> Int { vcpu == EventLayout.hostVCPU ? TraceLimits.vcpus : Int(vcpu) }

  /// Fills the dense columns, lane by lane. A value is always stored and kept only by advancing past it: no branch on the kind.
  private func gather(_ rows: EventRows) {
    let count = rows.count
    kinds.resize(to: count, 0)
    stride = count + 1
    values.resize(to: stride * 8, 0)
    let stride = stride
    var at = SIMD8<UInt32>()
    var (gpa, rip, digest, lane) = (0 as UInt64, 0 as UInt64, 0 as UInt64, UInt16.max)
    // SAFETY: a column's position never passes the rows seen so far, and each column has room for one more.
    unsafe values.withUnsafeMutableBufferPointer { values in
      for (position, index) in order.enumerated() {
        // SAFETY: `order` is a permutation of the rows below `count`.
        let row = unsafe rows.rows[Int(index)]
        if laneStream[Int(index)] != lane { (gpa, rip, digest, lane) = (0, 0, 0, laneStream[Int(index)]) }
        kinds[position] = row.kind
        let mask = table.columns[Int(row.kind)]
        unsafe values[0 &* stride &+ Int(at[0])] = EventLayout.zigzag(row.gpa &- gpa)
        unsafe values[1 &* stride &+ Int(at[1])] = EventLayout.zigzag(row.rip &- rip)
        unsafe values[2 &* stride &+ Int(at[2])] = row.cause == 0 ? 0 : rows.firstSeq &+ UInt64(index) &- row.cause
        unsafe values[3 &* stride &+ Int(at[3])] = row.a
        unsafe values[4 &* stride &+ Int(at[4])] = row.b
        unsafe values[5 &* stride &+ Int(at[5])] = row.c &- digest
        unsafe values[6 &* stride &+ Int(at[6])] = row.d
        unsafe values[7 &* stride &+ Int(at[7])] = UInt64(rows.dataRange(Int(index)).count)
        if mask & 1 != 0 { gpa = row.gpa }
        if mask & 2 != 0 { rip = row.rip }
        if mask & 32 != 0 { digest = row.c }
        at &+= table.steps[Int(row.kind)]
      }
    }
    for column in 0..<8 { counts[column] = Int(at[column]) }
  }

  private func appendColumns(_ rows: EventRows, to out: inout [UInt8]) {
    func entry(_ column: EventLayout.Column, _ encoding: EventLayout.Encoding, width: Int, from start: Int) {
      let at = EventLayout.headerSize + column.rawValue * EventLayout.directoryEntrySize
      out[at] = encoding.rawValue
      out[at + 1] = UInt8(width)
      out.patch(UInt32(out.count - start), at: at + 4)
    }
    var start = out.count
    let wide = lanes.count > 256
    for lane in laneStream { out.append(UInt8(truncatingIfNeeded: lane)) }
    if wide { for lane in laneStream { out.append(UInt8(lane >> 8)) } }
    entry(.lane, .planes, width: wide ? 2 : 1, from: start)
    start = out.count
    out.append(contentsOf: kinds)
    entry(.kind, .planes, width: 1, from: start)
    start = out.count
    var width = out.append(column: times[...], encodings[EventLayout.Column.time.rawValue])
    entry(.time, encodings[EventLayout.Column.time.rawValue], width: width, from: start)
    for index in 0..<8 {
      let column = EventLayout.Column(rawValue: EventLayout.Column.gpa.rawValue + index)!
      start = out.count
      width = out.append(column: values[index * stride..<index * stride + counts[index]], encodings[column.rawValue])
      entry(column, encodings[column.rawValue], width: width, from: start)
    }
    start = out.count
    for index in order {
      let range = rows.dataRange(Int(index))
      guard !range.isEmpty, table.columns[unsafe Int(rows.rows[Int(index)].kind)] & 0x80 != 0 else { continue }
      // SAFETY: the range is inside the data appended to the rows.
      unsafe out.append(contentsOf: UnsafeRawBufferPointer(start: rows.data + range.lowerBound, count: range.count))
    }
    entry(.data, .planes, width: 1, from: start)
  }
}

extension Array {
  fileprivate mutating func resize(to count: Int, _ filler: Element) {
    if self.count > count { removeLast(self.count - count) } else { append(contentsOf: repeatElement(filler, count: count - self.count)) }
  }
}

extension [UInt8] {
  mutating func patch(_ value: UInt32, at offset: Int) {
    for index in 0..<4 { self[offset + index] = UInt8(truncatingIfNeeded: value >> UInt32(index * 8)) }
  }

  /// Appends a column of integers and returns its width in bytes.
  fileprivate mutating func append(column values: ArraySlice<UInt64>, _ encoding: EventLayout.Encoding) -> Int {
    var all: UInt64 = 0
    for value in values { all |= value }
    let width = (64 - all.leadingZeroBitCount + 7) / 8
    let codes = (values.count + 1) / 2
    let bound = encoding == .planes ? width * values.count : codes + width * values.count + 8
    let start = count
    append(contentsOf: repeatElement(0, count: bound))
    // SAFETY: `bound` bytes follow `start`; every value is stored as 8 bytes of which its length is kept, so 8 spare ones are there.
    let used = unsafe withUnsafeMutableBytes { bytes in
      let out = unsafe bytes.baseAddress! + start
      var at = encoding == .planes ? 0 : codes
      if encoding == .planes {
        for plane in 0..<width {
          for value in values {
            unsafe out.storeBytes(of: UInt8(truncatingIfNeeded: value &>> UInt64(plane &* 8)), toByteOffset: at, as: UInt8.self)
            at &+= 1
          }
        }
        return at
      }
      var index = 0
      for value in values {
        let length = (71 &- value.leadingZeroBitCount) &>> 3
        let code = unsafe out.load(fromByteOffset: index &>> 1, as: UInt8.self) | UInt8(truncatingIfNeeded: length &<< ((index & 1) &<< 2))
        unsafe out.storeBytes(of: code, toByteOffset: index &>> 1, as: UInt8.self)
        unsafe out.storeBytes(of: value.littleEndian, toByteOffset: at, as: UInt64.self)
        at &+= length
        index &+= 1
      }
      return at
    }
    removeLast(bound - used)
    return width
  }
}
