/// Writes the data of the events of one kind: how long they are, then their bytes. Short pieces are transposed, so that bytes that mean the same
/// stand together; the data of page-writes are taken apart into their runs first.
struct PieceWriter {
  private var lengths: [UInt64] = []
  private var gaps: [UInt64] = []
  private var runLengths: [UInt64] = []
  /// Where in the rows' data each piece begins, and its bytes.
  private var pieces: [(start: UInt32, count: UInt32)] = []

  /// Whether the data of all these rows are runs from their first byte to the last.
  func canSplit(_ rows: EventRows, _ indexes: ArraySlice<UInt32>) -> Bool {
    indexes.allSatisfy { index in
      let range = rows.dataRange(Int(index))
      var at = range.lowerBound
      while at < range.upperBound {
        guard range.upperBound - at >= 5 else { return false }
        at += 5 + Int(rows.dataField(at + 2))
      }
      return at == range.upperBound
    }
  }

  mutating func write(_ rows: EventRows, _ indexes: ArraySlice<UInt32>, asRuns: Bool, to out: inout SeriesWriter) {
    lengths.removeAll(keepingCapacity: true)
    pieces.removeAll(keepingCapacity: true)
    if asRuns {
      split(rows, indexes)
      out.append(series: lengths[...])
      out.append(series: gaps[...])
      out.append(series: runLengths[...])
    } else {
      for index in indexes {
        let range = rows.dataRange(Int(index))
        lengths.append(UInt64(range.count))
        pieces.append((UInt32(range.lowerBound), UInt32(range.count)))
      }
      out.append(series: lengths[...])
    }
    writePieces(rows, to: &out)
  }

  private mutating func split(_ rows: EventRows, _ indexes: ArraySlice<UInt32>) {
    gaps.removeAll(keepingCapacity: true)
    runLengths.removeAll(keepingCapacity: true)
    for index in indexes {
      let range = rows.dataRange(Int(index))
      var (at, end, runs) = (range.lowerBound, 0 as UInt16, 0 as UInt64)
      while at < range.upperBound {
        let (offset, length) = (rows.dataField(at), rows.dataField(at + 2))
        gaps.append(UInt64(offset &- end))
        runLengths.append(UInt64(length))
        pieces.append((UInt32(at + 4), UInt32(length) + 1))
        end = offset &+ length &+ 1
        at += 5 + Int(length)
        runs += 1
      }
      lengths.append(runs)
    }
  }

  private func writePieces(_ rows: EventRows, to out: inout SeriesWriter) {
    // Short pieces that have a byte at each position, then where the next byte of each goes.
    var sizes = [Int](repeating: 0, count: EventLayout.shortPiece + 1)
    var long = 0
    for piece in pieces {
      if piece.count <= EventLayout.shortPiece { sizes[Int(piece.count)] += 1 } else { long += Int(piece.count) }
    }
    for length in stride(from: EventLayout.shortPiece - 1, through: 0, by: -1) { sizes[length] += sizes[length + 1] }
    var next: [Int] = []
    var total = 0
    for position in 0..<EventLayout.shortPiece {
      next.append(total)
      total += sizes[position + 1]
    }
    let start = out.appendRoom(total + long)
    let ends = next.dropFirst() + [total]
    let starts = next
    // SAFETY: the room holds every piece's bytes, and pieces lie inside the rows' data.
    unsafe out.withBytes(from: start) { bytes in
      unsafe next.withUnsafeMutableBufferPointer { next in
        var at = total
        for piece in pieces {
          let (from, count) = unsafe (rows.data + Int(piece.start), Int(piece.count))
          if count > EventLayout.shortPiece {
            unsafe UnsafeMutableRawPointer(bytes + at).copyMemory(from: from, byteCount: count)
            at &+= count
          } else {
            for position in 0..<count {
              unsafe bytes[next[position]] = unsafe from.load(fromByteOffset: position, as: UInt8.self)
              unsafe next[position] &+= 1
            }
          }
        }
      }
    }
    for (from, to) in zip(starts, ends) where to > from { out.endStream(from: start + from, to: start + to) }
    if long > 0 { out.endStream(from: start + total) }
  }
}
