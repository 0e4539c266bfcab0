import TraceEvents

/// What the guest integrity driver registers at boot (US20170300430A1): its one entry point, its pages, the base pointer. Then it is locked.
struct Registration: Hashable, Sendable {
  struct DriverPages: Hashable, Sendable {
    var pages: Range<UInt64>
    var kind: DriverPageKind
  }

  var entryPoint: UInt64?
  var driverPages: [DriverPages] = []
  /// The address of the base node of the protected-page tree. The guest cannot reach it.
  var basePointer: UInt64?
  var isLocked = false

  func driverPageKind(_ gfn: UInt64) -> DriverPageKind? { driverPages.first { $0.pages.contains(gfn) }?.kind }
}
