/// What changed in a page: runs of bytes, each as offset (u16 little-endian), length minus one (u16 little-endian), the new bytes.
/// Runs ascend and do not overlap. Empty: nothing changed that could be seen.
public struct PageDiff: Sendable {
  public struct Run: Equatable, Sendable {
    public let offset: Int
    public let bytes: [UInt8]

    public init(offset: Int, bytes: [UInt8]) {
      self.offset = offset
      self.bytes = bytes
    }
  }

  public var runs: [Run]

  public init(runs: [Run]) { self.runs = runs }

  /// Reads an encoded diff; nil where it is not one (a run past the page or past the data, runs that do not ascend).
  public init?(_ data: [UInt8]) {
    runs = []
    var at = 0
    var floor = 0
    while at < data.count {
      guard data.count - at >= 4 else { return nil }
      let offset = Int(data[at]) | Int(data[at + 1]) << 8
      let length = (Int(data[at + 2]) | Int(data[at + 3]) << 8) + 1
      at += 4
      guard offset >= floor, offset + length <= 4096, data.count - at >= length else { return nil }
      runs.append(Run(offset: offset, bytes: Array(data[at..<at + length])))
      at += length
      floor = offset + length
    }
  }

  public var encoded: [UInt8] {
    var out: [UInt8] = []
    for run in runs {
      let last = run.bytes.count - 1
      out += [UInt8(truncatingIfNeeded: run.offset), UInt8(truncatingIfNeeded: run.offset >> 8)]
      out += [UInt8(truncatingIfNeeded: last), UInt8(truncatingIfNeeded: last >> 8)]
      out += run.bytes
    }
    return out
  }
}
