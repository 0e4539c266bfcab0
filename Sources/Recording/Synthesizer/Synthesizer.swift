public import TraceEvents
internal import TreeFormat

/// Writes a trace that keeps every rule, of any length, without a guest: to measure with, and to test with.
///
/// It plays a machine with a tree of protected pages: vCPUs write ordinary pages, some writes hit protected pages and are denied or
/// miss the protected bytes, the driver on vCPU 0 protects and unprotects pages in integrity mode, and now and then some vCPUs enter the
/// privileged mode together. The mix is that of recorded sessions: mostly page-writes between a `guest-enter` and a `guest-exit`.
public struct Synthesizer<Sink: EventSink>: ~Copyable {
  /// Layout of the machine that is played.
  public static var memory: GuestRange { GuestRange(start: 0, length: 256 << 20) }
  /// Room for a page of each of 1,024 vCPUs.
  public static var region: GuestRange { GuestRange(start: 0x7000_0000, length: 0x80_0000) }

  struct VCPU {
    var rip: UInt64
    /// Pages near here are written next: writes have locality.
    var workingSet: UInt64
    var digest: UInt64
  }

  var sink: Sink
  var random: SplitMix64
  var vcpus: [VCPU]
  var time: UInt64 = 0
  var events: UInt64 = 0
  var rendezvous: UInt64 = 0
  /// Mappings in the one leaf that the driver edits, ascending.
  var leaf: [TreeNode.Mapping] = []
  /// Slots of that leaf whose bytes were written once.
  var filledSlots = 2
  /// Reused, so that a page-write allocates nothing.
  var pageWrite: Event

  public init(into sink: Sink, vcpuCount: Int, seed: UInt64) {
    self.sink = sink
    random = SplitMix64(seed: seed)
    vcpus = (0..<vcpuCount).map { index in
      VCPU(rip: 0x10_2000 + UInt64(index) * 0x100, workingSet: Layout.ordinary + UInt64(index % 56) * 0x40_0000, digest: UInt64(index) &* 0x9e37_79b9_7f4a_7c15)
    }
    pageWrite = Event(.pageWrite, vcpu: 0, data: [0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0])
  }

  /// Writes at least `count` events, and ends cleanly after the round under way. Returns the sink and how many there are.
  public consuming func write(_ count: UInt64) throws -> (sink: Sink, events: UInt64) {
    try start()
    while events < count {
      switch random.below(1000) {
      case 0..<12: try integritySession()
      case 12..<20: try rendezvousRound()
      case 20..<140: try protectedPageWrite()
      default: try pageWrites()
      }
    }
    try end()
    return (sink, events)
  }

  // MARK: The primitives

  @discardableResult
  mutating func emit(_ event: consuming Event) throws -> UInt64 {
    events += 1
    time += 40 + UInt64(random.below(64))
    event.time = time
    return try sink.append(event)
  }

  mutating func enter(_ vcpu: Int) throws {
    try emit(Event(.guestEnter, vcpu: UInt16(vcpu), rip: vcpus[vcpu].rip))
  }

  /// Leaves the guest at `rip`, or somewhere in the vCPU's ordinary code.
  mutating func exit(_ vcpu: Int, _ reason: GuestExitReason, at rip: UInt64? = nil) throws {
    vcpus[vcpu].rip = rip ?? 0x10_2000 + UInt64(vcpu) * 0x100 + UInt64(random.below(16)) * 4
    try emit(Event(.guestExit, vcpu: UInt16(vcpu), rip: vcpus[vcpu].rip, a: reason.rawValue))
  }
}

/// Guest-physical addresses of the machine that is played.
enum Layout {
  static let driverCode: UInt64 = 0x10_0000
  static let driverCodePages: UInt64 = 1
  static let driverData: UInt64 = 0x10_1000
  static let entryPoint: UInt64 = 0x10_0010
  static let baseNode: UInt64 = 0x11_0000
  static let leafNode: UInt64 = 0x11_1000
  /// Whole pages, denied.
  static let denied: UInt64 = 0x20_0000
  static let deniedPages: UInt64 = 16
  /// One page of which only the first 64 bytes are protected.
  static let partlyProtected: UInt64 = 0x30_0000
  /// Pages that the driver protects and unprotects.
  static let churned: UInt64 = 0x40_0000
  static let churnedPages = 64
  static let ordinary: UInt64 = 0x80_0000
}
