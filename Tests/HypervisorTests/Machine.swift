import Hypervisor
import TraceEvents
import TreeFormat

/// A core with a host, for tests that look at one request after the other.
struct Machine {
  static let megabyte: UInt64 = 1 << 20
  static let region = GuestRange(start: 0x7000_0000, length: megabyte)
  static let entry: UInt64 = 0x5000

  var core: HypervisorCore
  var host: TestHost

  /// RAM is 16 MiB from 0. All vCPUs are online and in the guest.
  init(vcpus: Int = 1, faults: FaultSet = [], locked: Bool = false, endsWhenIdle: Bool = false) {
    let memory = [GuestRange(start: 0, length: 16 * Self.megabyte)]
    core = HypervisorCore(
      configuration: HypervisorConfiguration(
        vcpuCount: vcpus, memory: memory, region: Self.region, faults: faults, endsWhenIdle: endsWhenIdle))
    host = TestHost(vcpuCount: vcpus, memory: memory, numbering: .counted)
    core.start(rip: 0x1000, argument: 7, host: &host)
    settle(0)
    for target in 1..<max(vcpus, 1) {
      call(.startVCPU, UInt64(target), 0x1000, 0)
      settle(target)
    }
    if locked {
      call(.registerEntry, Self.entry)
      call(.lock)
    }
    host.events = []
  }

  enum Call: UInt64 {
    case version = 0
    case registerEntry, registerPages, setBase, lock, enter, leave, protect, unprotect, privileged, privilegedLeave, ipi, startVCPU, offline
    case console, finish, yield
  }

  /// Makes a hypercall and runs its vCPU on until it is in the guest, or waits: the status, nil where none was given.
  @discardableResult
  mutating func call(_ call: Call, _ arguments: UInt64..., on vcpu: Int = 0, rip: UInt64 = 0x2000, interrupts: Bool = false) -> Int64? {
    raw(call.rawValue, arguments, on: vcpu, rip: rip, interrupts: interrupts)
  }

  mutating func raw(_ number: UInt64, _ arguments: [UInt64], on vcpu: Int = 0, rip: UInt64 = 0x2000, interrupts: Bool = false) -> Int64? {
    host.results[vcpu] = nil
    core.handle(.hypercall(number: number, arguments: arguments, rip: rip, interruptsEnabled: interrupts), on: vcpu, host: &host)
    settle(vcpu)
    return host.results[vcpu]
  }

  /// Enters integrity mode.
  mutating func enter(on vcpu: Int = 0) { call(.enter, on: vcpu, rip: Self.entry) }

  /// Asks what to do until there is an answer that is not "again".
  @discardableResult
  mutating func settle(_ vcpu: Int, canTakeInterrupt: Bool = true) -> Directive {
    var directive = Directive.again
    while directive == .again { directive = core.step(vcpu, readiness: VCPUReadiness(canTakeInterrupt: canTakeInterrupt), host: &host) }
    return directive
  }

  /// Lets every vCPU that is not in the mode ask, until none has anything to do.
  mutating func settleAll() {
    for _ in 0..<20 { for vcpu in host.vcpus.indices { settle(vcpu) } }
  }

  mutating func write(_ gpa: UInt64, _ bytes: [UInt8] = [1, 2, 3, 4], on vcpu: Int = 0) -> [Event] {
    host.events = []
    core.handle(.trappedWrite(gpa: gpa, bytes: bytes, rip: 0x3000, flags: 0), on: vcpu, host: &host)
    return host.takeEvents()
  }

  mutating func kinds() -> [EventKind] { host.takeEvents().map(\.kind) }

  mutating func put(_ node: TreeNode, at gpa: UInt64) { host.writeMemory(gpa: gpa, node.page) }

  /// Makes a tree of these nodes, the first at the base, registers it and locks. The pages of nodes and mappings are traced.
  mutating func plant(_ nodes: [(gpa: UInt64, node: TreeNode)]) {
    for (gpa, node) in nodes {
      put(node, at: gpa)
      call(.protect, gpa, 1, 1)
      if case .leaf(let mappings) = node.body {
        for mapping in mappings { call(.protect, mapping.firstGFN * 4096, mapping.pageCount, 0) }
      }
    }
    call(.setBase, nodes[0].gpa)
    call(.registerEntry, Self.entry)
    call(.lock)
    host.events = []
  }

  static func leaf(_ mappings: [TreeNode.Mapping], action: AlertAction = .deny, low: UInt64 = 0, end: UInt64 = 1 << 30) -> TreeNode {
    TreeNode(level: 0, action: action.rawValue, lowGFN: low, endGFN: end, body: .leaf(mappings))
  }
}

extension Event {
  var alertAction: AlertAction? { AlertAction(rawValue: UInt8(truncatingIfNeeded: a)) }
  var alertOrigin: AlertOrigin? { AlertOrigin(rawValue: b) }
}
