public import TraceEvents
public import TraceFormat

/// The state right after an event, and how sure it is.
public struct StateReading: Sendable {
  public var state: MachineState
  /// The last event of the keyframe that it starts from; nil for the start of the recording.
  public var keyframe: UInt64?
  /// Events up to the one asked for that are not in the state: the file lacks them, or they cannot be read. Ascending.
  public var missing: [Range<UInt64>]
}

extension TraceReader {
  /// The state right after event `seq`: the nearest keyframe before, and the events since. The next batch is then any; `seek` to go on.
  ///
  /// Where blocks in between are damaged (`damage` says so), the state lacks their events.
  public func state(at seq: UInt64) -> MachineState { readState(at: seq).state }

  /// The same, and what is missing from it. Reads a keyframe and the blocks from there to `seq`, however long the trace is.
  public func readState(at seq: UInt64) -> StateReading {
    let start = keyframe(before: seq)
    var state = start?.state ?? MachineState(vcpuCount: header.vcpuCount)
    var missing = start.map { holes(before: $0.block) } ?? []
    func note(upTo end: UInt64) {
      if state.seq + 1 < end { missing.append(state.seq + 1..<end) }
    }
    let batch = EventBatch()
    seek(toSeq: state.seq + 1)
    while state.seq < seq, nextBatch(into: batch), batch.firstSeq <= seq {
      guard batch.firstSeq > state.seq else { continue }
      note(upTo: batch.firstSeq)
      state.fold(batch, through: seq)
    }
    note(upTo: seq == .max ? seq : seq + 1)
    return StateReading(state: state, keyframe: start?.state.seq, missing: missing)
  }

  /// The event of this number; nil where the file does not hold it, or it cannot be read. The next batch is then any.
  public func event(_ seq: UInt64) -> Event? {
    let batch = EventBatch()
    seek(toSeq: seq)
    guard nextBatch(into: batch), batch.firstSeq <= seq, seq - batch.firstSeq < UInt64(batch.count) else { return nil }
    return batch.withCursor { cursor in
      while cursor.next() { if cursor.seq == seq { return cursor.event } }
      return nil
    }
  }

  /// Numbers of the first and of the last event that the file holds, as its blocks say; nil where there is none.
  public var numbers: ClosedRange<UInt64>? {
    var range: ClosedRange<UInt64>?
    for block in blocks where block.prologue.type == BlockType.events.rawValue {
      let (first, last) = (block.prologue.firstSeq, block.prologue.lastSeq)
      range = min(range?.lowerBound ?? first, first)...max(range?.upperBound ?? last, last)
    }
    return range
  }

  /// Whether the file holds the end of a longer recording only. Reads the first block of events.
  public var beginsTail: Bool {
    guard let first = blocks.firstIndex(where: { $0.prologue.type == BlockType.events.rawValue }) else { return false }
    let batch = EventBatch()
    return read(first, into: batch) == nil && batch.beginsTail
  }

  /// The machine before the first event of a trace that is the end of a longer recording; nil where it begins with the recording.
  public var startOfTail: MachineState? { beginsTail ? numbers.map { readState(at: $0.lowerBound).state } : nil }

  /// Events that the file does not hold before one of its keyframes, and that the keyframe lacks for that.
  ///
  /// A keyframe holds all that its recorder saw: also what was let go of before a tail, and what became unreadable later. But one in a copy that
  /// was made of what was left of a damaged file lacks what was lost there. Such a copy has no unreadable bytes where numbers are missing.
  private func holes(before keyframe: Int) -> [Range<UInt64>] {
    var holes: [Range<UInt64>] = []
    var expected: UInt64 = 1
    var end: UInt64 = 0
    var isWhole = true
    for block in blocks[..<keyframe] {
      if block.offset != end { isWhole = false }
      end = block.end
      guard block.prologue.type == BlockType.events.rawValue else { continue }
      let first = block.prologue.firstSeq
      if first > expected, isWhole, expected > 1 || !beginsTail { holes.append(expected..<first) }
      expected = max(expected, block.prologue.lastSeq + 1)
      isWhole = true
    }
    return holes
  }

  /// The last readable keyframe that holds no event after `seq`, and its first block.
  private func keyframe(before seq: UInt64) -> (state: MachineState, block: Int)? {
    // First parts, the last one first; a keyframe cut off by a damaged block is passed over.
    var number = lastKeyframe(before: seq, from: blocks.count)
    while let last = number {
      let count = (0...last).reversed().prefix {
        blocks[$0].prologue.type == BlockType.keyframe.rawValue && blocks[$0].prologue.firstSeq == blocks[last].prologue.firstSeq
      }.count
      let parts = (last - count + 1...last).compactMap { rawBlock($0) }
      if parts.count == count, blocks[last].prologue.count == 0, let state = try? MachineState(keyframeParts: parts, vcpuCount: header.vcpuCount),
        state.seq == blocks[last].prologue.firstSeq
      {
        return (state, last - count + 1)
      }
      number = lastKeyframe(before: seq, from: last - count + 1)
    }
    return nil
  }

  private func lastKeyframe(before seq: UInt64, from end: Int) -> Int? {
    blocks[..<end].lastIndex { $0.prologue.type == BlockType.keyframe.rawValue && $0.prologue.firstSeq <= seq }
  }

  /// A block before compression, copied; nil where it is damaged.
  private func rawBlock(_ number: Int) -> [UInt8]? {
    let block = blocks[number]
    // SAFETY: the frame is used up before the input is read again, the decompressed bytes are copied.
    let frame = unsafe input.read(at: block.offset + UInt64(BlockPrologue.size), count: Int(block.prologue.compressedSize))
    guard let raw = try? unsafe decompressor.decompress(frame, block.prologue) else { return nil }
    return unsafe Array(raw)
  }
}

extension BlockPrologue {
  /// Number of the last event of an events block.
  fileprivate var lastSeq: UInt64 { firstSeq + UInt64(count) - 1 }
}
