/// One node, decoded and checked by itself. What holds between nodes (no cycle, keys inside the parent's) is for whoever walks.
public struct TreeNode: Hashable, Sendable {
  public struct Child: Hashable, Sendable {
    public var firstGFN: UInt64
    public var gpa: UInt64

    public init(firstGFN: UInt64, gpa: UInt64) {
      self.firstGFN = firstGFN
      self.gpa = gpa
    }
  }

  /// A leaf's entry: what is protected, and how.
  public struct Mapping: Hashable, Sendable {
    public var firstGFN: UInt64
    public var pageCount: UInt64
    /// Bytes of the page that are protected; 0..<4096 but for one-page mappings.
    public var firstByte: UInt16
    public var endByte: UInt16
    /// Raw value of the alert action, checked to be 0 to 3.
    public var action: UInt8

    public init(firstGFN: UInt64, pageCount: UInt64 = 1, firstByte: UInt16 = 0, endByte: UInt16 = 4096, action: UInt8) {
      self.firstGFN = firstGFN
      self.pageCount = pageCount
      self.firstByte = firstByte
      self.endByte = endByte
      self.action = action
    }

    /// Whether a write of `length` bytes at `gpa` touches what this protects. The write must not cross a page.
    public func covers(gpa: UInt64, length: UInt64) -> Bool {
      let gfn = gpa >> 12
      let offset = gpa & 4095
      return gfn >= firstGFN && gfn - firstGFN < pageCount && offset < UInt64(endByte) && offset + length > UInt64(firstByte)
    }
  }

  public enum Body: Hashable, Sendable {
    case interior([Child])
    /// Used entries only.
    case leaf([Mapping])
  }

  public var level: UInt8
  /// Raw value of the alert action for writes to the node itself, 0 to 3.
  public var action: UInt8
  public var lowGFN: UInt64
  public var endGFN: UInt64
  public var body: Body

  public init(level: UInt8, action: UInt8, lowGFN: UInt64, endGFN: UInt64, body: Body) {
    self.level = level
    self.action = action
    self.lowGFN = lowGFN
    self.endGFN = endGFN
    self.body = body
  }
}

/// Why a page is not a node, with the byte offset in the page where it shows.
public struct TreeNodeError: Error, Hashable, Sendable, CustomStringConvertible {
  public enum Code: UInt8, Hashable, Sendable {
    case badMagic, badVersion, badLevel, badAction, tooManyEntries, reservedNotZero, badCover, keysNotAscending, keyOutsideCover
    case childMisaligned, badByteRange, wrongPageSize
  }

  public let code: Code
  public let offset: Int

  public init(_ code: Code, at offset: Int) {
    self.code = code
    self.offset = offset
  }

  public var description: String { "\(code) at byte \(offset) of the node" }
}
