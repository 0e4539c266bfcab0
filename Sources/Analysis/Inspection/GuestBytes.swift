internal import TraceEvents

/// The bytes of guest-physical memory that a question is about: at least one, at most a page's worth, which may lie in two pages.
public struct GuestBytes: Hashable, Sendable {
  public static let longest: UInt64 = 4096
  /// Physical addresses end here, exclusive.
  public static let addressLimit: UInt64 = 1 << 52

  public let start: UInt64
  public let length: UInt64

  /// Nil where there are no such bytes, or too many.
  public init?(start: UInt64, length: UInt64) {
    guard length >= 1, length <= Self.longest, start < Self.addressLimit, length <= Self.addressLimit - start else { return nil }
    self.start = start
    self.length = length
  }

  public var end: UInt64 { start + length }

  /// Whether `count` bytes from `gpa` on have any of these.
  public func meets(_ gpa: UInt64, _ count: Int) -> Bool { gpa < end && (gpa >= start || UInt64(count) > start - gpa) && count > 0 }

  /// Whether a page has any of these.
  public func meets(page gpa: UInt64) -> Bool {
    let page = gpa / guestPageSize
    return page == start / guestPageSize || page == (end - 1) / guestPageSize
  }

  /// What of `bytes`, which begin at `gpa`, is asked about; nil for nothing.
  public func part(of bytes: some RandomAccessCollection<UInt8>, at gpa: UInt64) -> (gpa: UInt64, bytes: [UInt8])? {
    guard meets(gpa, bytes.count) else { return nil }
    let skipped = gpa < start ? start - gpa : 0
    let first = gpa + skipped
    let count = min(UInt64(bytes.count) - skipped, end - first)
    return (first, Array(bytes.dropFirst(Int(skipped)).prefix(Int(count))))
  }
}
