import TraceEvents

/// The facts that the events up to some point add up to: what is mapped, traced and registered, and where each vCPU is.
///
/// Facts only, as recorded; whether they are right is for an analyzer. It is what a keyframe holds, so that the state in the middle of a trace
/// is had without reading from the start.
public struct MachineState: Hashable, Sendable {
  /// Where a vCPU is with respect to the stop protocol.
  public enum Place: UInt8, Sendable, CaseIterable {
    /// In the guest, or about to be.
    case normal = 0
    /// Takes the first-in path, before its entry.
    case claiming
    case stopped
    case privileged
    /// The last one out, before it goes back.
    case leaving
  }

  public enum Life: UInt8, Sendable, CaseIterable {
    case notStarted = 0, online, offline
  }

  public struct VCPU: Hashable, Sendable {
    public var life = Life.notStarted
    public var place = Place.normal
    public var isExecuting = false
    public var isHalted = false
    public var inIntegrityMode = false
    /// As last recorded.
    public var rip: UInt64 = 0
    /// What was stopped or interrupted last: `Activity` and digest of the registers.
    public var activity: UInt64 = 0
    public var digest: UInt64 = 0
    /// Numbers of the events that are still unanswered; 0 for none.
    public var pendingStop: UInt64 = 0
    public var pendingResume: UInt64 = 0
    public var latchedInterrupt: UInt64 = 0
    public var pendingHypercall: UInt64 = 0
    public var pendingTrap: UInt64 = 0

    public init() {}
  }

  /// Driver pages as registered.
  public struct DriverPages: Hashable, Sendable {
    public var gpa: UInt64
    public var pageCount: UInt64
    /// `DriverPageKind`.
    public var kind: UInt64
  }

  /// Pages whose contents are kept at most. Those of further ones are not.
  public static let contentsLimit = 65_536

  /// The last event that counts.
  public internal(set) var seq: UInt64 = 0
  public internal(set) var time: UInt64 = 0
  public internal(set) var vcpus: [VCPU]
  /// `EndReason`, nil while the session goes on.
  public internal(set) var endReason: UInt64?
  /// Events that the recorder itself said it lost.
  public internal(set) var lostEvents: UInt64 = 0
  /// Whether the special region is in the view, and the map or unmap that made it so (0 for none).
  public internal(set) var regionIsMapped = false
  public internal(set) var regionChange: UInt64 = 0
  /// Number of the last rendezvous (0 for none), the vCPU that claimed it, and whether it still goes on.
  public internal(set) var rendezvous: UInt64 = 0
  public internal(set) var claimer: UInt16 = Event.host
  public internal(set) var inRendezvous = false
  public internal(set) var entryPoint: UInt64?
  public internal(set) var basePointer: UInt64?
  public internal(set) var isLocked = false
  public internal(set) var driverPages: [DriverPages] = []
  /// GFNs with write traces: ascending, apart from each other.
  public internal(set) var tracedPages: [Range<UInt64>] = []
  /// Contents of traced pages, where a `pageContents` told them while the page was traced, with the writes since. By GFN.
  public internal(set) var contents: [UInt64: [UInt8]] = [:]

  public init(vcpuCount: Int) { vcpus = Array(repeating: VCPU(), count: vcpuCount) }

  public func isTraced(gfn: UInt64) -> Bool {
    let index = firstRange(endingAfter: gfn)
    return index < tracedPages.count && tracedPages[index].contains(gfn)
  }

  /// Index of the first range that ends past `gfn`.
  func firstRange(endingAfter gfn: UInt64) -> Int {
    var (low, high) = (0, tracedPages.count)
    while low < high {
      let middle = (low + high) / 2
      if tracedPages[middle].upperBound > gfn { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
