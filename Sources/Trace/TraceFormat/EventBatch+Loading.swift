import TraceEvents

/// A series that was checked and stays in the block, and where its numbers go when they are loaded.
struct StoredSeries: BitwiseCopyable {
  /// Its first byte: 0 to 8 planes, or the mark of lengths.
  var mark: UInt8 = 0
  /// Where its bytes after the mark are in the block, and how many.
  var offset = 0
  var size = 0
  /// Numbers.
  var count = 0
  /// Where its numbers go in the batch's values.
  var room = 0
}

/// A kind's data that were checked and stay in the block.
struct StoredData: BitwiseCopyable {
  /// Where they go in the batch's data, and where their offsets go.
  var start = 0
  var offsets = 0
  /// Whether each event's data are runs: then the kind's lengths say how many, and these say what they are.
  var isRuns = false
  var gaps = StoredSeries()
  var lengths = StoredSeries()
}

/// What loads, when it is first asked for, what the decoder has checked and left in the block.
extension EventBatch {
  /// The values of a column.
  @discardableResult
  @inline(never) @unsafe func load(_ index: Int) -> UnsafeMutablePointer<UInt64> {
    if let values = unsafe columns[index] { return unsafe values }
    // SAFETY: the decoder checked the series and reserved room for its numbers; neither moves until the batch is filled anew.
    let series = unsafe stored[index]
    let target = unsafe values.base + series.room
    unsafe read(series, into: target)
    unsafe columns[index] = target
    return unsafe target
  }

  @unsafe func read(_ series: StoredSeries, into target: UnsafeMutablePointer<UInt64>) {
    unsafe ColumnCodec.read(series, of: UnsafeRawPointer(block.base), into: target)
  }

  /// The times of all events, in order.
  @inline(never) @usableFromInline @unsafe func loadTimes() -> UnsafeMutablePointer<UInt64> {
    if let times = unsafe columns[Self.allTimes] { return unsafe times }
    times.reserve(count)
    var next: [UnsafeMutablePointer<UInt64>?] = unsafe []
    for slot in 0..<slotCount {
      let index = slot * Self.columnsPerSlot + Self.timesColumn
      unsafe next.append(stored[index].count > 0 ? load(index) : nil)
    }
    let (target, slots) = unsafe (times.base, slots)
    // SAFETY: each kind has as many times as it has events, and runs and lanes hold `count` events; the decoder checked all of it.
    unsafe target[0] = 0
    unsafe next.withUnsafeMutableBufferPointer { next in
      var at = 0
      var time: UInt64 = 0
      unsafe forEachRun { kinds, count in
        for index in 0..<count {
          let slot = unsafe Int(slots[Int(kinds[index])])
          if let step = unsafe next[slot] {
            time &+= unsafe step[0]
            unsafe next[slot] = unsafe step + 1
          }
          unsafe target[at] = time
          at &+= 1
        }
      }
    }
    let start = unsafe firstTime &- target[0]
    for index in 0..<count { unsafe target[index] &+= start }
    unsafe columns[Self.allTimes] = target
    return unsafe target
  }

  /// Shows the kinds of each run of a lane, in the order of events.
  @inline(__always) @unsafe private func forEachRun(_ body: (UnsafePointer<UInt8>, Int) -> Void) {
    var next: [Int] = (0..<laneCount).map { unsafe Int(laneKinds.base[$0]) }
    let runs = unsafe self.runs.base
    let kinds = unsafe UnsafePointer(block.base)
    for run in 0..<runCount {
      let (lane, count) = unsafe (Int(runs[run].lane), Int(runs[run].count))
      unsafe body(kinds + next[lane], count)
      next[lane] += count
    }
  }

  /// The time of one event. Near the end that takes a look at the events after it alone.
  public func time(of seq: UInt64) -> UInt64 {
    precondition(seq >= firstSeq && seq - firstSeq < UInt64(count))
    let event = Int(seq - firstSeq)
    if unsafe columns[Self.allTimes] != nil || count - event > 256 { return unsafe loadTimes()[event] }
    var time = lastTime
    var passed: [Int: Int] = [:]
    var ends: [Int: Int] = [:]
    var left = count - 1 - event
    for run in (0..<runCount).reversed() {
      guard left > 0 else { break }
      // SAFETY: as in `loadTimes()`; runs, lanes and kinds are walked from their ends.
      let (lane, length) = unsafe (Int(runs.base[run].lane), Int(runs.base[run].count))
      var end = ends[lane] ?? endOfLane(lane)
      ends[lane] = end - length
      for _ in 0..<min(length, left) {
        end -= 1
        let slot = unsafe Int(slots[Int(block.base[end])])
        passed[slot, default: 0] += 1
        let series = unsafe stored[slot * Self.columnsPerSlot + Self.timesColumn]
        time &-= number(series.count - (passed[slot] ?? 0), of: slot * Self.columnsPerSlot + Self.timesColumn)
        left -= 1
      }
    }
    return time
  }

  private func endOfLane(_ lane: Int) -> Int {
    // SAFETY: kinds are in lane order, `count` of them.
    unsafe lane + 1 < laneCount ? Int(laneKinds.base[lane + 1]) : Int(laneKinds.base[0]) + count
  }

  /// One number of a column that may not be loaded.
  private func number(_ index: Int, of column: Int) -> UInt64 {
    let series = unsafe stored[column]
    if series.mark == EventLayout.lengthsMark { return unsafe load(column)[index] }
    // SAFETY: the series was checked to lie inside the block.
    return (0..<Int(series.mark)).reduce(0) { unsafe $0 | UInt64(block.base[series.offset + $1 * series.count + index]) << UInt64($1 * 8) }
  }

  // MARK: Data

  /// Puts the data of a kind together. Returns where each event's begin.
  @inline(never) @usableFromInline @unsafe func loadData(_ slot: Int) -> UnsafeMutablePointer<UInt32> {
    if let offsets = unsafe dataOffsets[slot] { return unsafe offsets }
    // SAFETY: lengths and runs were added up and checked: no piece ends past the block, and the data and the offsets have their room.
    let what = unsafe storedData[slot]
    let target = unsafe offsets.base + what.offsets
    if what.isRuns { unsafe assembleRuns(slot, what, target) } else { unsafe assemblePieces(slot, what, target) }
    unsafe dataOffsets[slot] = target
    return unsafe target
  }

  @unsafe private func assemblePieces(_ slot: Int, _ what: StoredData, _ offsets: UnsafeMutablePointer<UInt32>) {
    let lengths = unsafe load(slot * Self.columnsPerSlot + Self.lengthsColumn)
    let count = unsafe stored[slot * Self.columnsPerSlot + Self.lengthsColumn].count
    let (data, block) = unsafe (UnsafeMutableRawPointer(data.base), UnsafeRawPointer(block.base))
    var at = what.start
    let places = unsafe places + slot * EventLayout.placesPerKind
    for event in 0..<count {
      unsafe offsets[event] = UInt32(truncatingIfNeeded: at)
      let length = unsafe Int(lengths[event])
      unsafe Self.copyPiece(length, places, from: block, to: data + at)
      at &+= length
    }
    unsafe offsets[count] = UInt32(truncatingIfNeeded: at)
  }

  @unsafe private func assembleRuns(_ slot: Int, _ what: StoredData, _ offsets: UnsafeMutablePointer<UInt32>) {
    let numbers = unsafe load(slot * Self.columnsPerSlot + Self.lengthsColumn)
    let count = unsafe stored[slot * Self.columnsPerSlot + Self.lengthsColumn].count
    let runCount = what.gaps.count
    pieces.reserve(runCount * 2)
    let (gaps, lengths) = unsafe (pieces.base, pieces.base + runCount)
    unsafe read(what.gaps, into: gaps)
    unsafe read(what.lengths, into: lengths)
    let (data, block) = unsafe (UnsafeMutableRawPointer(data.base), UnsafeRawPointer(block.base))
    var at = what.start
    var run = 0
    let places = unsafe places + slot * EventLayout.placesPerKind
    for event in 0..<count {
      unsafe offsets[event] = UInt32(truncatingIfNeeded: at)
      var end: UInt64 = 0
      for _ in unsafe 0..<numbers[event] {
        let (gap, length) = unsafe (gaps[run], lengths[run])
        run &+= 1
        let offset = (end &+ gap) & 0xFFFF
        unsafe data.storeBytes(of: UInt32(truncatingIfNeeded: offset | length << 16).littleEndian, toByteOffset: at, as: UInt32.self)
        unsafe Self.copyPiece(Int(length) &+ 1, places, from: block, to: data + at + 4)
        end = offset &+ length &+ 1
        at &+= Int(length) &+ 5
      }
    }
    unsafe offsets[count] = UInt32(truncatingIfNeeded: at)
  }

  @unsafe @inline(__always)
  private static func copyPiece(
    _ count: Int, _ places: UnsafeMutablePointer<Int>, from block: UnsafeRawPointer, to target: UnsafeMutableRawPointer
  ) {
    if count > EventLayout.shortPiece {
      unsafe target.copyMemory(from: block + places[EventLayout.shortPiece], byteCount: count)
      unsafe places[EventLayout.shortPiece] &+= count
      return
    }
    for position in 0..<count {
      let from = unsafe places[position]
      unsafe places[position] = from &+ 1
      unsafe target.storeBytes(of: block.load(fromByteOffset: from, as: UInt8.self), toByteOffset: position, as: UInt8.self)
    }
  }
}
