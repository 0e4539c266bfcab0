import Analyzer
import TraceEvents
import TreeFormat

/// Builds the events that a recorder writes of a guest with an integrity driver, call by call, with memory kept beside them.
///
/// The machine: 4 GiB, driver code at `code`, driver data at `data`, a base node of level 1 over one leaf. The leaf protects `denied` (whole,
/// deny), bytes 512 to 1023 of `ranged` (deny) and `noticed` (whole, notify).
struct TreeScenario {
  static let entry: UInt64 = 0x10010
  static let code: UInt64 = 0x10000
  static let data: UInt64 = 0x12000
  static let base: UInt64 = 0x20000
  static let leaf: UInt64 = 0x21000
  static let spare: UInt64 = 0x22000
  static let denied: UInt64 = 0x30000
  static let ranged: UInt64 = 0x31000
  static let noticed: UInt64 = 0x32000
  static let free: UInt64 = 0x40000
  static let userRIP: UInt64 = 0x1000
  static let region = GuestRange(start: 0x7000_0000, length: 0x10_0000)

  var events: [Event] = []
  var memory: [UInt64: [UInt8]] = [:]
  var vcpuCount: Int
  var attribution = WriteAttribution.everyWrite
  var writes = WriteMode.protected

  /// Nothing but vCPUs that are online and in the guest.
  init(bare vcpuCount: Int) {
    self.vcpuCount = vcpuCount
    add(.sessionStart, Event.host, a: UInt64(vcpuCount))
    for vcpu in 0..<vcpuCount {
      add(.vcpuOnline, UInt16(vcpu))
      enter(UInt16(vcpu))
    }
  }

  /// The machine as described above, registered and locked.
  init(vcpus: Int = 2) {
    self.init(bare: vcpus)
    register()
    buildTree()
    setBase(Self.base)
    lock()
  }

  // MARK: Events

  @discardableResult
  mutating func add(
    _ kind: EventKind, _ vcpu: UInt16, gpa: UInt64 = 0, rip: UInt64 = 0, cause: UInt64 = 0, a: UInt64 = 0, b: UInt64 = 0, c: UInt64 = 0,
    d: UInt64 = 0, data: [UInt8] = []
  ) -> UInt64 {
    let seq = UInt64(events.count + 1)
    events.append(Event(kind, vcpu: vcpu, seq: seq, time: seq, gpa: gpa, rip: rip, cause: cause, a: a, b: b, c: c, d: d, data: data))
    return seq
  }

  @discardableResult mutating func enter(_ vcpu: UInt16, rip: UInt64 = userRIP) -> UInt64 { add(.guestEnter, vcpu, rip: rip) }
  mutating func exit(_ vcpu: UInt16, _ reason: GuestExitReason, rip: UInt64 = userRIP) { add(.guestExit, vcpu, rip: rip, a: reason.rawValue) }
  mutating func kick(_ vcpu: UInt16, rip: UInt64 = userRIP) {
    exit(vcpu, .kick, rip: rip)
    enter(vcpu, rip: rip)
  }

  /// A hypercall with what the hypervisor does about it in between; the vCPU goes on afterwards.
  mutating func call(
    _ vcpu: UInt16, _ number: UInt64, _ arguments: [UInt64] = [], rip: UInt64 = userRIP, status: Int64 = 0,
    _ body: (inout TreeScenario, UInt64) -> Void = { _, _ in }
  ) {
    exit(vcpu, .hypercall, rip: rip)
    let data = arguments.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64($0 * 8)) } }
    let seq = add(.hypercall, vcpu, rip: rip, a: number, data: data)
    body(&self, seq)
    add(.hypercallResult, vcpu, cause: seq, a: UInt64(bitPattern: status))
    enter(vcpu, rip: rip)
  }

  // MARK: Registration

  mutating func register() {
    call(0, 1, [Self.entry]) { $0.add(.entryPointSet, 0, rip: Self.entry, cause: $1) }
    registerPages(Self.code, .code)
    registerPages(Self.data, .data)
  }

  mutating func registerPages(_ gpa: UInt64, _ kind: DriverPageKind) {
    call(0, 2, [gpa, 1, kind.rawValue]) {
      $0.add(.driverPagesSet, 0, gpa: gpa, cause: $1, a: 1, b: kind.rawValue)
      $0.install(0, gpa, cause: $1)
    }
  }

  mutating func buildTree() {
    put(TreeNode(level: 1, action: 1, lowGFN: 0, endGFN: 1 << 36, body: .interior([.init(firstGFN: 0, gpa: Self.leaf)])), at: Self.base)
    put(
      TreeNode(
        level: 0, action: 1, lowGFN: 0, endGFN: 1 << 36,
        body: .leaf([
          .init(firstGFN: Self.denied >> 12, action: 1),
          .init(firstGFN: Self.ranged >> 12, firstByte: 512, endByte: 1024, action: 1),
          .init(firstGFN: Self.noticed >> 12, action: 0),
        ])), at: Self.leaf)
    protect(0, Self.base, pages: 2)
    protect(0, Self.denied, pages: 3)
  }

  mutating func setBase(_ gpa: UInt64) { call(0, 3, [gpa]) { $0.add(.basePointerSet, 0, gpa: gpa, cause: $1) } }
  mutating func lock() { call(0, 4) { $0.add(.registrationLocked, 0, cause: $1) } }

  // MARK: Integrity mode

  mutating func enterIntegrity(_ vcpu: UInt16, rip: UInt64 = entry, body: (inout TreeScenario) -> Void) {
    call(vcpu, 5, rip: rip) { $0.add(.integrityEnter, vcpu, rip: rip, cause: $1) }
    body(&self)
    call(vcpu, 6, rip: rip + 0x100) { $0.add(.integrityLeave, vcpu, rip: rip + 0x100, cause: $1) }
  }

  // MARK: Traces and memory

  mutating func put(_ node: TreeNode, at gpa: UInt64) { memory[gpa >> 12] = node.page }

  mutating func install(_ vcpu: UInt16, _ gpa: UInt64, pages: UInt64 = 1, cause: UInt64) {
    add(.traceInstall, vcpu, gpa: gpa, cause: cause, a: pages)
    for page in 0..<pages {
      let frame = gpa >> 12 + page
      add(.pageContents, vcpu, gpa: frame << 12, data: memory[frame] ?? [UInt8](repeating: 0, count: 4096))
    }
  }

  mutating func protect(_ vcpu: UInt16, _ gpa: UInt64, pages: UInt64 = 1, rip: UInt64 = entry, installs: Bool = true) {
    call(vcpu, 7, [gpa, pages, 0], rip: rip) { if installs { $0.install(vcpu, gpa, pages: pages, cause: $1) } }
  }

  mutating func unprotect(_ vcpu: UInt16, _ gpa: UInt64, pages: UInt64 = 1, rip: UInt64 = entry) {
    call(vcpu, 8, [gpa, pages], rip: rip) { $0.add(.traceRemove, vcpu, gpa: gpa, cause: $1, a: pages) }
  }

  // MARK: Writes

  /// A trapped write, start to end. `showsAfter` overrides what memory holds afterwards.
  @discardableResult
  mutating func write(
    _ vcpu: UInt16, _ gpa: UInt64, _ value: UInt64, count: Int = 8, _ outcome: WriteOutcome, alert: AlertAction? = nil,
    _ origin: AlertOrigin = .mapping, rip: UInt64 = userRIP, showsAfter: [UInt8]? = nil
  ) -> UInt64 {
    exit(vcpu, .trappedWrite, rip: rip)
    let bytes = (0..<count).map { UInt8(truncatingIfNeeded: value >> UInt64($0 * 8)) }
    let trap = add(.writeTrap, vcpu, gpa: gpa, rip: rip, data: bytes)
    if let alert { add(.alert, vcpu, gpa: gpa, rip: rip, cause: trap, a: UInt64(alert.rawValue), b: origin.rawValue) }
    let before = bytesAt(gpa, count)
    let after = showsAfter ?? (outcome == .applied ? bytes : before)
    store(after, at: gpa)
    add(.writeResult, vcpu, gpa: gpa, cause: trap, a: outcome.rawValue, data: before + after)
    enter(vcpu, rip: rip)
    return trap
  }

  /// The driver's own write, in integrity mode.
  mutating func driverWrite(_ vcpu: UInt16, _ gpa: UInt64, _ value: UInt64, count: Int = 8) {
    write(vcpu, gpa, value, count: count, .applied, rip: Self.entry + 0x20)
  }

  /// An untraced write, told by the dirty ring at an exit of its vCPU.
  mutating func pageWrite(_ vcpu: UInt16, _ gpa: UInt64, _ bytes: [UInt8] = [1], rip: UInt64 = userRIP) {
    store(bytes, at: gpa)
    exit(vcpu, .kick, rip: rip)
    add(.pageWrite, vcpu, gpa: gpa & ~4095, a: 1, data: PageDiff(runs: [.init(offset: Int(gpa & 4095), bytes: bytes)]).encoded)
    enter(vcpu, rip: rip)
  }

  /// An untraced write, in a recording where every write traps.
  mutating func exactWrite(_ vcpu: UInt16, _ gpa: UInt64, _ bytes: [UInt8] = [1], rip: UInt64 = userRIP) {
    exit(vcpu, .trappedWrite, rip: rip)
    let before = bytesAt(gpa, bytes.count)
    store(bytes, at: gpa)
    add(.guestWrite, vcpu, gpa: gpa, rip: rip, data: before + bytes)
    enter(vcpu, rip: rip)
  }

  func bytesAt(_ gpa: UInt64, _ count: Int) -> [UInt8] {
    guard let page = memory[gpa >> 12] else { return [UInt8](repeating: 0, count: count) }
    return Array(page[Int(gpa & 4095)..<Int(gpa & 4095) + count])
  }

  mutating func store(_ bytes: [UInt8], at gpa: UInt64) {
    var page = memory[gpa >> 12] ?? [UInt8](repeating: 0, count: 4096)
    page.replaceSubrange(Int(gpa & 4095)..<Int(gpa & 4095) + bytes.count, with: bytes)
    memory[gpa >> 12] = page
  }

  // MARK: Judging

  /// Appends the end of the session and judges everything.
  func verdict(complete: Bool = true) -> Verdict {
    var analyzer = Analyzer(
      Analyzer.Subject(
        vcpuCount: vcpuCount, memory: [GuestRange(start: 0, length: 1 << 30)], region: Self.region, attribution: attribution, writes: writes))
    for event in events { analyzer.consume(event) }
    if complete { analyzer.consume(Event(.sessionEnd, vcpu: Event.host, seq: UInt64(events.count + 1))) }
    return analyzer.finish()
  }

  /// The rules broken, the end of the recording aside.
  func broken(complete: Bool = true) -> [String] {
    verdict(complete: complete).findings.map(\.rule.name).filter { !$0.hasPrefix("trace/") }.sorted()
  }

  func finding(_ rule: Rule) -> Finding? { verdict().findings.first { $0.rule == rule } }
}

/// Where in the leaf's page an entry's page count is: what a driver stores last to publish a mapping.
func mappingCount(_ leaf: UInt64, _ index: Int) -> UInt64 { leaf + 64 + UInt64(index) * 32 + 8 }

extension TreeScenario {
  /// Publishes a whole-page mapping as entry `index` of the leaf: key, bytes, count of the entry, then the node's own count.
  mutating func publish(_ vcpu: UInt16, _ gpa: UInt64, index: Int, action: UInt64 = 1, leaf: UInt64 = TreeScenario.leaf) {
    let entry = leaf + 64 + UInt64(index) * 32
    driverWrite(vcpu, entry, gpa >> 12)
    driverWrite(vcpu, entry + 16, 4096 << 16 | action << 32)
    driverWrite(vcpu, entry + 8, 1)
    driverWrite(vcpu, leaf + 8, UInt64(index + 1), count: 2)
  }
}
