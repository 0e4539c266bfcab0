/// A part of a file that is not as it was written, and what is lost by it.
public struct DamageReport: Hashable, Sendable, CustomStringConvertible {
  public enum What: String, Hashable, Sendable {
    /// Bytes that are no block: a damaged prologue and what follows, up to the next block.
    case unreadable
    /// A block whose frame fails its checksum or breaks the format.
    case block
    /// The file ends in the middle of a block.
    case cutShort = "cut-short"
    /// The file ends after a whole block, without its index: the recording was not finished.
    case unfinished
    /// The seek table differs from what it must be, or something follows it.
    case seekTable = "seek-table"
    /// Numbers are missing between two blocks, though the file shows no other damage there.
    case gap
    /// A block repeats events, or goes back.
    case order
  }

  public let what: What
  /// Byte range of the file.
  public let offset: UInt64
  public let length: UInt64
  /// What was expected there.
  public let expected: String
  /// Number of the zstd frame in the file, from 0, prologues counted; nil where that is not known.
  public let frame: Int?
  /// Events that are missing here, where known.
  public internal(set) var missing: Range<UInt64>?

  public init(_ what: What, offset: UInt64, length: UInt64, expected: String, frame: Int? = nil, missing: Range<UInt64>? = nil) {
    self.what = what
    self.offset = offset
    self.length = length
    self.expected = expected
    self.frame = frame
    self.missing = missing
  }

  public var description: String {
    var text = "\(what.rawValue): bytes \(offset) to \(offset + length)"
    if let frame { text += ", frame \(frame)" }
    text += ": expected \(expected)"
    if let missing { text += "; events \(missing.lowerBound) to \(missing.upperBound - 1) are missing" }
    return text
  }
}
