/// A range of guest-physical addresses.
@frozen public struct GuestRange: Hashable, Sendable {
  public var start: UInt64
  /// In bytes.
  public var length: UInt64

  public init(start: UInt64, length: UInt64) {
    self.start = start
    self.length = length
  }

  @inlinable public func contains(_ gpa: UInt64) -> Bool { gpa &- start < length }
}

/// Bytes of a guest page.
public let guestPageSize: UInt64 = 4096

/// Which writes of the guest a recorder made trap, and so knows exactly.
public enum WriteMode: String, Sendable, CaseIterable {
  /// Every one, to guest RAM and to the special region: `writeTrap` and `writeResult` on traced pages, `guestWrite` on all others.
  case exact
  /// None: page-writes only. A write trace is a promise that nothing keeps.
  case pages
  /// Those to traced pages; of all others, page-writes.
  case protected
}

/// What a `pageWrite` says about who wrote (see the KVM notes in the format document).
public enum WriteAttribution: UInt8, Sendable, CaseIterable {
  /// The host logs every write under the vCPU that made it (an emulating host, or one vCPU at a time).
  case everyWrite = 0
  /// The host logs the first write to a page since the last harvest; a second vCPU that wrote it meanwhile left no entry.
  case firstWriter = 1
}
