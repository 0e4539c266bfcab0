internal import Analyzer
internal import HappensBefore
internal import TraceEvents
internal import TraceOrder

/// An access to a suspected page, with all that a finding tells of it.
struct PageAccess {
  var what: Finding.Access.What
  var seq: UInt64
  var vcpu: UInt16
  var epoch: Clocks.Epoch
  /// Bytes in the page.
  var bytes: ByteRuns
  var mode: RaceAnalysis.Mode
  /// Of the privileged mode that it was made in; 0 outside.
  var rendezvous: UInt64
  /// The stop signal that its vCPU had not acknowledged, 0 for none.
  var pendingStop: UInt64
  var rip: UInt64?
  /// The entry into the guest that it came after; nil where it is exact.
  var since: UInt64?
  /// A touch of the region while it was not in the view: no access to memory, but one to privileged code had it come while the region was there.
  var isOutOfView = false
  /// Of each range of `bytes` what was in memory afterwards and, where it is known, before.
  var after: [[UInt8]] = []
  var before: [[UInt8]?] = []

  var isElevated: Bool { mode != .ordinary }
  var changesProtection: Bool { what == .install || what == .remove }

  /// What was in these bytes of the page afterwards, and before; nil where that is not known. At most 16 bytes.
  func values(of range: Range<Int>) -> (before: [UInt8]?, after: [UInt8]?) {
    guard let index = bytes.ranges.firstIndex(where: { $0.lowerBound <= range.lowerBound && range.upperBound <= $0.upperBound }), index < after.count else {
      return (nil, nil)
    }
    let start = range.lowerBound - bytes.ranges[index].lowerBound
    let part = start..<start + min(range.count, 16)
    return (before[index].map { Array($0[part]) }, Array(after[index][part]))
  }

  /// Neither is a change of protection, or dropped, and one of them writes.
  private func bothAccess(_ other: PageAccess) -> Bool {
    !changesProtection && !other.changesProtection && what != .attempt && other.what != .attempt && (what == .write || other.what == .write)
  }

  func conflicts(with other: PageAccess, isSpecial: Bool) -> Bool {
    if isOutOfView || other.isOutOfView { return (mode == .privileged || other.mode == .privileged) && bothAccess(other) && bytes.meets(other.bytes) }
    if changesProtection || other.changesProtection {
      let access = changesProtection ? other : self
      return changesProtection != other.changesProtection && access.what != .read
    }
    return bothAccess(other) && (isSpecial || isElevated || other.isElevated) && bytes.meets(other.bytes)
  }
}

/// The accesses to one page that a later one may race with, and what is known of its bytes.
struct PageAccesses {
  private(set) var kept: [PageAccess] = []
  /// From this event on the page is a node's, the driver's, or of the region; `.max` for never.
  private var specialSince: UInt64
  var contents = PageContents()
  var writers = PageWriters()

  static let limit = 2048
  /// One access is told to race with so many others at most.
  static let raceLimit = 16

  init(specialSince: UInt64) { self.specialSince = specialSince }

  /// Those that race with a new one; it is kept from here on. False in `fits` where one had to go for it.
  mutating func add(_ access: PageAccess, _ clocks: borrowing TraceClocks) -> (races: [PageAccess], fits: Bool) {
    var races: [PageAccess] = []
    var next = 0
    for index in kept.indices {
      let other = kept[index]
      let isBefore = clocks.isOrdered(other.epoch, before: access.vcpu)
      if !isBefore, races.count < Self.raceLimit, access.conflicts(with: other, isSpecial: access.seq >= specialSince) { races.append(other) }
      // What is ordered before a later access that touches all it touched can go: whoever races with it races with the later one.
      let isReplaced =
        isBefore && other.what == access.what && other.mode == access.mode
        && other.rendezvous == access.rendezvous && other.pendingStop == access.pendingStop && (other.since == nil) == (access.since == nil)
        && other.isOutOfView == access.isOutOfView && access.bytes.covers(other.bytes)
      if isReplaced { continue }
      if next != index { kept[next] = other }
      next += 1
    }
    kept.removeLast(kept.count - next)
    kept.append(access)
    // Nodes and driver pages are traced: one that no longer is, is neither.
    if access.what == .remove { specialSince = .max }
    guard kept.count > Self.limit else { return (races, true) }
    kept.removeFirst()
    return (races, false)
  }

  /// What became of a write that trapped: the bytes in memory before and after.
  mutating func complete(_ trap: UInt64, before: ArraySlice<UInt8>, after: ArraySlice<UInt8>) {
    guard let index = kept.lastIndex(where: { $0.seq <= trap }), kept[index].seq == trap, kept[index].what == .attempt else { return }
    guard let range = kept[index].bytes.ranges.first, range.count == before.count, before.count == after.count else { return }
    kept[index].before = [Array(before)]
    kept[index].after = [Array(after)]
  }

  /// What every vCPU knows of can race with nothing any more.
  mutating func prune(_ clocks: borrowing TraceClocks, vcpuCount: Int) {
    var next = 0
    for index in kept.indices {
      let epoch = kept[index].epoch
      var isKnown = true
      for vcpu in 0..<vcpuCount where !clocks.isOrdered(epoch, before: UInt16(vcpu)) {
        isKnown = false
        break
      }
      if isKnown { continue }
      kept[next] = kept[index]
      next += 1
    }
    kept.removeLast(kept.count - next)
  }

  mutating func forget() {
    kept.removeAll()
    contents = PageContents()
    writers.forget()
  }
}

/// What a page holds, byte by byte, as far as the trace has shown it.
struct PageContents {
  private var bytes: [UInt8] = []
  private var known: [Bool] = []

  mutating func set(_ page: [UInt8]) {
    guard page.count == 4096 else { return }
    bytes = page
    known = Array(repeating: true, count: 4096)
  }

  mutating func store(_ data: ArraySlice<UInt8>, at offset: Int) {
    guard offset >= 0, offset + data.count <= 4096 else { return }
    if bytes.isEmpty {
      bytes = Array(repeating: 0, count: 4096)
      known = Array(repeating: false, count: 4096)
    }
    for (index, byte) in data.enumerated() {
      bytes[offset + index] = byte
      known[offset + index] = true
    }
  }

  /// Nil where not all of them are known.
  func read(_ range: Range<Int>) -> [UInt8]? {
    guard !bytes.isEmpty, range.upperBound <= 4096, known[range].allSatisfy({ $0 }) else { return nil }
    return Array(bytes[range])
  }
}
