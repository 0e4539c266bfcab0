public import TraceFormat

extension TraceReader {
  /// The state right after event `seq`: the nearest keyframe before, and the events since. The next batch is then any; `seek` to go on.
  ///
  /// Where blocks in between are damaged (`damage` says so), the state lacks their events.
  public func state(at seq: UInt64) -> MachineState {
    var state = keyframe(before: seq) ?? MachineState(vcpuCount: header.vcpuCount)
    let batch = EventBatch()
    seek(toSeq: state.seq + 1)
    while state.seq < seq, nextBatch(into: batch), batch.firstSeq <= seq {
      if batch.firstSeq > state.seq { state.fold(batch, through: seq) }
    }
    return state
  }

  /// The last readable keyframe that holds no event after `seq`.
  private func keyframe(before seq: UInt64) -> MachineState? {
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
        return state
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
