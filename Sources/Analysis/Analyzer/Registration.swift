internal import TraceEvents

/// What the guest registered at boot: entry point, driver pages, base pointer, and whether that is locked.
struct Registration {
  private(set) var entryPoint: UInt64?
  private(set) var entryPointSetAt: UInt64 = 0
  private(set) var codePages = RangeSet()
  private(set) var dataPages = RangeSet()
  private(set) var basePointer: UInt64?
  private(set) var basePointerSetAt: UInt64 = 0
  /// Seq of the lock, nil before it.
  private(set) var lockedAt: UInt64?
  /// Whether what is known is all there is: not so after a hole before the lock.
  private(set) var isComplete = true

  init() {}

  func driverPageKind(of frame: UInt64) -> DriverPageKind? {
    if codePages.contains(frame) { return .code }
    return dataPages.contains(frame) ? .data : nil
  }

  mutating func apply(_ event: borrowing EventView) {
    switch event.kind {
    case .entryPointSet:
      entryPoint = event.rip
      entryPointSetAt = event.seq
    case .driverPagesSet:
      let pages = FrameRange(gpa: event.gpa, count: event.a)
      if event.b == DriverPageKind.code.rawValue {
        codePages.insert(pages.low, pages.end)
      } else {
        dataPages.insert(pages.low, pages.end)
      }
    case .basePointerSet:
      basePointer = event.gpa
      basePointerSetAt = event.seq
    case .registrationLocked:
      if lockedAt == nil { lockedAt = event.seq }
    default: break
    }
  }

  mutating func forget() {
    if lockedAt == nil { isComplete = false }
  }
}

/// A range of page frames as an event names it, cut to what frame numbers can be.
struct FrameRange {
  var low: UInt64
  var end: UInt64

  init(gpa: UInt64, count: UInt64) {
    low = min(gpa >> 12, 1 << 52)
    end = low + min(count, 1 << 52)
  }
}
