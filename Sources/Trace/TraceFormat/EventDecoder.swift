import TraceEvents

/// Decodes one events block and checks everything in it: after this, reading the batch needs no checks.
@safe struct EventDecoder {
  let block: UnsafeRawBufferPointer
  let table: KindTable
  let count: Int
  private let laneCount: Int
  let hasRuns: Bool
  private let firstSeq: UInt64
  private let firstTime: UInt64
  private let lastTime: UInt64
  private let vcpuCount: Int
  var reader: SeriesReader
  /// Events of each kind.
  var kindCounts = [Int](repeating: 0, count: 256)
  /// Numbers in the scratch.
  var used = 0

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
    batch.reserve(events: count, data: 0)
    batch.laneCount = laneCount
    batch.firstSeq = firstSeq
    // SAFETY: the tables have 256 entries each.
    for kind in 0..<256 {
      unsafe batch.kindColumns[kind] = table.columns[kind]
      unsafe batch.kindSteps[kind] = table.steps[kind]
    }
    let laneSizes = try readLanes(batch)
    try readRuns(batch, laneSizes)
    let kindStart = try reader.take(count, "kinds")
    let totals = try countKinds(batch, laneSizes, at: kindStart)
    try readSeries(batch.scratch)
    try mergeLanes(batch, laneSizes, kindStart)
    try undoDifferences(batch, laneSizes, kindStart)
    // SAFETY: each column has room for two values more than there are events.
    for column in 0..<7 {
      unsafe batch.columns[column][Int(totals[column])] = 0
      unsafe batch.columns[column][Int(totals[column]) + 1] = 0
    }
    try readData(batch, kindStart)
    guard reader.remaining == 0 else { throw TraceFormatError(.inconsistent, at: reader.offset, expected: "the end of the block") }
    batch.count = count
  }

  private func readLanes(_ batch: EventBatch) throws(TraceFormatError) -> [Int] {
    var sizes: [Int] = []
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
      unsafe batch.laneVCPUs[lane] = vcpu
    }
    guard total == count else {
      throw TraceFormatError(.inconsistent, at: EventLayout.headerSize, expected: "lanes that hold \(count) events together")
    }
    return sizes
  }

  /// Tells each event its lane.
  private mutating func readRuns(_ batch: EventBatch, _ laneSizes: [Int]) throws(TraceFormatError) {
    let at = try reader.take(4, "the number of runs")
    let runs = unsafe Int(block.u32(at))
    let failure = TraceFormatError(.inconsistent, at: at, expected: "runs of lanes that hold \(count) events together")
    guard runs >= 1, runs <= count else { throw failure }
    let scratch = batch.scratch
    scratch.reserve(runs * 2, keeping: 0)
    try unsafe reader.read(runs, into: scratch.values)
    try unsafe reader.read(runs, into: scratch.values + runs)
    var left = laneSizes
    var event = 0
    for run in 0..<runs {
      // SAFETY: both series were just read; lanes and lengths are checked before they are used.
      let (number, length) = unsafe (scratch.values[run], scratch.values[runs + run])
      guard number < UInt64(laneCount), length < UInt64(left[Int(number)]) else { throw failure }
      left[Int(number)] -= Int(length) + 1
      unsafe (batch.lanes + event).update(repeating: UInt16(number), count: Int(length) + 1)
      event += Int(length) + 1
    }
    guard event == count else { throw failure }
  }

  /// Counts the kinds and finds where each lane's values start. Returns the values in each column.
  private mutating func countKinds(_ batch: EventBatch, _ laneSizes: [Int], at start: Int) throws(TraceFormatError) -> SIMD8<UInt32> {
    var total = SIMD8<UInt32>()
    var position = start
    for (lane, size) in laneSizes.enumerated() {
      // SAFETY: there are `laneCount` lanes, and all kinds are inside the block.
      unsafe batch.laneStarts[lane] = total
      var counts = [Int](repeating: 0, count: 256)
      unsafe counts.withUnsafeMutableBufferPointer { counts in
        for at in position..<position + size { unsafe counts[Int(block[at])] &+= 1 }
      }
      position += size
      for kind in 0..<256 where counts[kind] > 0 {
        guard table.listed[kind] else { throw TraceFormatError(.outOfRange, at: start, expected: "kinds that the header lists, not \(kind)") }
        kindCounts[kind] += counts[kind]
        total &+= table.steps[kind] &* UInt32(counts[kind])
      }
    }
    batch.unknownCount = (0..<256).reduce(0) { $0 + (table.known[$1] ? 0 : kindCounts[$1]) }
    return total
  }

  /// Reads the times and the first seven operands as they are stored.
  private mutating func readSeries(_ scratch: DecodingScratch) throws(TraceFormatError) {
    used = 0
    for operand in [7, 0, 1, 2, 3, 4, 5, 6] {
      for kind in 0..<256 where kindCounts[kind] > 0 && (operand == 7 || table.columns[kind] >> UInt8(operand) & 1 != 0) {
        try readSeries(kindCounts[kind], scratch)
        unsafe scratch.next[operand * 256 + kind] = used - kindCounts[kind]
      }
    }
  }

  /// Reads one series behind the others.
  mutating func readSeries(_ size: Int, _ scratch: DecodingScratch) throws(TraceFormatError) {
    if used + size > scratch.capacity { scratch.reserve(max(used + size, count * 4, scratch.capacity * 2), keeping: used) }
    // SAFETY: there is room for `size` numbers from `used` on.
    try unsafe reader.read(size, into: scratch.values + used)
    used += size
  }

  /// Brings kinds and times into the order of events.
  private func mergeLanes(_ batch: EventBatch, _ laneSizes: [Int], _ start: Int) throws(TraceFormatError) {
    let scratch = batch.scratch
    var next: [Int] = []
    var at = start
    for size in laneSizes {
      next.append(at)
      at += size
    }
    var time = firstTime
    var wrapped = false
    // SAFETY: each lane has as many events as its size says, and each kind as many times as events (both checked).
    unsafe next.withUnsafeMutableBufferPointer { next in
      let (values, times) = unsafe (scratch.values, scratch.next + 7 * 256)
      for index in 0..<count {
        let lane = unsafe Int(batch.lanes[index])
        let kind = unsafe block[next[lane]]
        unsafe next[lane] &+= 1
        unsafe batch.kinds[index] = kind
        let (sum, overflow) = unsafe time.addingReportingOverflow(values[times[Int(kind)]])
        unsafe times[Int(kind)] &+= 1
        wrapped = wrapped || overflow
        time = sum
        unsafe batch.times[index] = sum
      }
    }
    guard !wrapped, time == lastTime else { throw TraceFormatError(.inconsistent, at: start, expected: "time steps that end at \(lastTime)") }
  }

  /// Brings operands into lane order and makes them whole again.
  private func undoDifferences(_ batch: EventBatch, _ laneSizes: [Int], _ start: Int) throws(TraceFormatError) {
    let scratch = batch.scratch
    let (values, next, gpas, columns) = unsafe (scratch.values, scratch.next, scratch.gpas, batch.columns)
    var position = start
    var at = SIMD8<UInt32>()
    var farthest: UInt64 = 0
    // SAFETY: a kind has as many numbers in each of its series as it has events, and a column as many values as its kinds have events together.
    unsafe EventLayout.coding.withUnsafeBufferPointer { coding in
      @inline(__always) func take(_ operand: Int, _ kind: Int) -> UInt64 {
        let number = unsafe next[operand &* 256 &+ kind]
        unsafe next[operand &* 256 &+ kind] = number &+ 1
        return unsafe values[number]
      }
      for size in laneSizes {
        var (gpa, rip, rendezvous, digest) = (0 as UInt64, 0 as UInt64, 0 as UInt64, 0 as UInt64)
        unsafe gpas.update(repeating: 0, count: 256)
        for place in position..<position + size {
          let kind = unsafe Int(block[place])
          let mask = unsafe batch.kindColumns[kind]
          if mask & 1 != 0 {
            let code = unsafe coding[kind]
            let delta = EventLayout.unzigzag(take(0, kind))
            if code & EventLayout.isPage != 0 {
              gpa = unsafe EventLayout.rotatedLeft(EventLayout.rotatedRight(gpas[kind]) &+ delta)
            } else {
              gpa = unsafe (code & EventLayout.followsLane != 0 ? gpa : gpas[kind]) &+ delta
            }
            unsafe gpas[kind] = gpa
            unsafe columns[0][Int(at[0])] = gpa
          }
          if mask & 2 != 0 {
            rip &+= EventLayout.unzigzag(take(1, kind))
            unsafe columns[1][Int(at[1])] = rip
          }
          if mask & 4 != 0 {
            let distance = take(2, kind)
            farthest = max(farthest, distance)
            unsafe columns[2][Int(at[2])] = distance
          }
          if mask & 8 != 0 { unsafe columns[3][Int(at[3])] = take(3, kind) }
          if mask & 16 != 0 {
            var b = take(4, kind)
            if unsafe coding[kind] & EventLayout.numbersRendezvous != 0 {
              b = rendezvous &+ EventLayout.unzigzag(b)
              rendezvous = b
            }
            unsafe columns[4][Int(at[4])] = b
          }
          if mask & 32 != 0 {
            digest &+= take(5, kind)
            unsafe columns[5][Int(at[5])] = digest
          }
          if mask & 64 != 0 { unsafe columns[6][Int(at[6])] = take(6, kind) }
          at &+= unsafe batch.kindSteps[kind]
        }
        position += size
      }
    }
    if farthest >= firstSeq { try checkCauses(batch) }
  }

  /// A cause must be an earlier event. In all blocks but a trace's first ones no distance reaches back past event 1.
  private func checkCauses(_ batch: EventBatch) throws(TraceFormatError) {
    let values = unsafe batch.columns[2]
    var next = (0..<laneCount).map { unsafe Int(batch.laneStarts[$0][2]) }
    // SAFETY: lanes and kinds were checked, and each lane's values end where the next one's start.
    for index in 0..<count where unsafe table.columns[Int(batch.kinds[index])] & 4 != 0 {
      let lane = unsafe Int(batch.lanes[index])
      guard unsafe values[next[lane]] < firstSeq + UInt64(index) else {
        throw TraceFormatError(.outOfRange, at: EventLayout.headerSize, expected: "causes from event 1 on")
      }
      next[lane] += 1
    }
  }
}
