internal import TraceEvents
internal import TreeFormat

extension Synthesizer {
  /// Boot: vCPU 0 registers the driver, builds the tree, locks, and starts the others.
  mutating func start() throws {
    try emit(Event(.sessionStart, vcpu: Event.host, a: UInt64(vcpus.count)))
    let first = try emit(Event(.vcpuStart, vcpu: Event.host, rip: vcpus[0].rip, a: 0))
    try emit(Event(.vcpuOnline, vcpu: 0, cause: first))
    try enter(0)
    try hypercall(0, 1, [Layout.entryPoint]) { synth, call in
      try synth.emit(Event(.entryPointSet, vcpu: 0, rip: Layout.entryPoint, cause: call))
    }
    try registerPages(Layout.driverCode, .code)
    try registerPages(Layout.driverData, .data)
    try buildTree()
    try hypercall(0, 3, [Layout.baseNode]) { synth, call in try synth.emit(Event(.basePointerSet, vcpu: 0, gpa: Layout.baseNode, cause: call)) }
    try hypercall(0, 4, []) { synth, call in try synth.emit(Event(.registrationLocked, vcpu: 0, cause: call)) }
    for target in vcpus.indices.dropFirst() {
      var start: UInt64 = 0
      let rip = vcpus[target].rip
      try hypercall(0, 12, [UInt64(target), rip, 0]) { synth, call in
        start = try synth.emit(Event(.vcpuStart, vcpu: 0, rip: rip, cause: call, a: UInt64(target)))
      }
      try emit(Event(.vcpuOnline, vcpu: UInt16(target), cause: start))
      try enter(target)
    }
  }

  mutating func end() throws {
    for vcpu in vcpus.indices { try exit(vcpu, .kick) }
    try emit(Event(.sessionEnd, vcpu: Event.host, a: EndReason.guestFinished.rawValue))
  }

  /// A hypercall of a vCPU that is in the guest; `effect` runs between the call and its result. The vCPU is in the guest again afterwards.
  @discardableResult
  mutating func hypercall(
    _ vcpu: Int, _ number: UInt64, _ arguments: [UInt64], rip: UInt64? = nil, effect: (inout Self, UInt64) throws -> Void = { _, _ in }
  ) throws -> UInt64 {
    try exit(vcpu, .hypercall, at: rip)
    let data = arguments.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64($0 * 8)) } }
    let call = try emit(Event(.hypercall, vcpu: UInt16(vcpu), rip: vcpus[vcpu].rip, a: number, data: data))
    try effect(&self, call)
    try emit(Event(.hypercallResult, vcpu: UInt16(vcpu), cause: call))
    try enter(vcpu)
    return call
  }

  private mutating func registerPages(_ gpa: UInt64, _ kind: DriverPageKind) throws {
    try hypercall(0, 2, [gpa, 1, kind.rawValue]) { synth, call in
      try synth.emit(Event(.driverPagesSet, vcpu: 0, gpa: gpa, cause: call, a: 1, b: kind.rawValue))
      try synth.install(gpa, 1, cause: call, contents: [UInt8](repeating: 0, count: 4096))
    }
  }

  private mutating func buildTree() throws {
    leaf = [
      TreeNode.Mapping(firstGFN: Layout.denied >> 12, pageCount: Layout.deniedPages, action: AlertAction.deny.rawValue),
      TreeNode.Mapping(firstGFN: Layout.partlyProtected >> 12, firstByte: 0, endByte: 64, action: AlertAction.deny.rawValue),
    ]
    let cover = (low: UInt64(0), end: UInt64(1) << 36)
    let leafPage = TreeNode(level: 0, action: AlertAction.deny.rawValue, lowGFN: cover.low, endGFN: cover.end, body: .leaf(leaf)).page
    let basePage = TreeNode(
      level: 1, action: AlertAction.deny.rawValue, lowGFN: cover.low, endGFN: cover.end,
      body: .interior([TreeNode.Child(firstGFN: 0, gpa: Layout.leafNode)])
    ).page
    let zeros = [UInt8](repeating: 0, count: 4096)
    let traced: [(gpa: UInt64, pages: UInt64, kind: UInt64, contents: [UInt8])] = [
      (Layout.denied, Layout.deniedPages, 0, zeros), (Layout.partlyProtected, 1, 0, zeros),
      (Layout.leafNode, 1, 1, leafPage), (Layout.baseNode, 1, 1, basePage),
    ]
    for item in traced {
      try hypercall(0, 7, [item.gpa, item.pages, item.kind]) { synth, call in
        try synth.install(item.gpa, item.pages, cause: call, contents: item.contents)
      }
    }
  }

  mutating func install(_ gpa: UInt64, _ pages: UInt64, cause: UInt64, contents: [UInt8]) throws {
    try emit(Event(.traceInstall, vcpu: 0, gpa: gpa, cause: cause, a: pages))
    for page in 0..<pages {
      try emit(Event(.pageContents, vcpu: 0, gpa: gpa + page * guestPageSize, data: contents))
    }
  }
}
