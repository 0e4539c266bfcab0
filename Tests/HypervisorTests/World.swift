import Hypervisor
import TraceEvents

/// The core, its host, its judge, and a guest that may do anything it has budget for: one state of an exploration.
struct World: Hashable {
  /// Where a vCPU's thread is.
  enum Thread: UInt8, Hashable { case ready, waiting, running, finished }

  /// What guests may still do.
  struct Budget: Hashable {
    var raises = 0
    var interrupts = 0
    var halts = 0
    var starts = 0
    var offlines = 0
    /// Entries into integrity mode.
    var entries = 0
    var yields = 0
  }

  enum Action: Hashable {
    case step(Int)
    /// The kick took effect.
    case kicked(Int)
    case leave(Int)
    case raise(Int, Int)
    case interrupt(Int, Int)
    case halt(Int)
    case start(Int, Int)
    case offline(Int)
    case enterIntegrity(Int)
    case leaveIntegrity(Int)
    case yield(Int)
  }

  static let entryPoint: UInt64 = 0x5000

  var core: HypervisorCore
  var host: TestHost
  var model: ProtocolModel
  var threads: [Thread]
  /// Which of the running vCPUs were kicked, and which threads were woken and have not asked since.
  var kicked: UInt64 = 0
  var budget: Budget
  var canRaiseInMode = true

  init(vcpus: Int, online: Int, budget: Budget, faults: FaultSet = [], numbering: TestHost.Numbering = .symbolic) {
    let memory = [GuestRange(start: 0, length: 1 << 20)]
    let region = GuestRange(start: 0x7000_0000, length: 1 << 20)
    core = HypervisorCore(
      configuration: HypervisorConfiguration(vcpuCount: vcpus, memory: memory, region: region, faults: faults, endsWhenIdle: false))
    host = TestHost(vcpuCount: vcpus, memory: memory, numbering: numbering)
    model = ProtocolModel(vcpuCount: vcpus)
    threads = Array(repeating: .waiting, count: vcpus)
    self.budget = budget
    core.start(rip: 0x1000, argument: 16, host: &host)
    settle(0)
    call(1, [Self.entryPoint], on: 0)  // Register the entry point, then lock.
    call(4, [], on: 0)
    for target in 1..<max(online, 1) {
      call(12, [UInt64(target), 0x1000, UInt64(target + 1) * 16], on: 0)
      settle(target)
    }
    settle(0)
  }

  /// Runs one vCPU's thread until it is in the guest. For setting up.
  private mutating func settle(_ vcpu: Int) {
    if threads[vcpu] == .waiting { threads[vcpu] = .ready }
    while threads[vcpu] == .ready { _ = perform(.step(vcpu)) }
  }

  private mutating func call(_ number: UInt64, _ arguments: [UInt64], on vcpu: Int) {
    core.handle(.hypercall(number: number, arguments: arguments, rip: 0x2000, interruptsEnabled: true), on: vcpu, host: &host)
    _ = digest()
    threads[vcpu] = .ready
    settle(vcpu)
  }

  // MARK: What can happen next

  /// Every action that is possible now.
  var actions: [Action] {
    var all: [Action] = []
    for vcpu in threads.indices {
      if threads[vcpu] == .ready { all.append(.step(vcpu)) }
      if threads[vcpu] == .running { addGuestActions(vcpu, to: &all) }
    }
    return all
  }

  private func addGuestActions(_ vcpu: Int, to all: inout [Action]) {
    if kicked & 1 << UInt64(vcpu) != 0 { all.append(.kicked(vcpu)) }
    let state = model.vcpus[vcpu]
    let isInside = state.place == .inside
    if isInside { all.append(.leave(vcpu)) }
    if budget.raises > 0, !isInside || canRaiseInMode {
      for target in threads.indices where model.vcpus[target].place != .offline { all.append(.raise(vcpu, target)) }
    }
    if budget.interrupts > 0 {
      for target in threads.indices where model.vcpus[target].place != .offline { all.append(.interrupt(vcpu, target)) }
    }
    if budget.starts > 0 {
      for target in threads.indices where model.vcpus[target].place == .offline { all.append(.start(vcpu, target)) }
    }
    if isInside { return }
    if state.hasIntegrity { all.append(.leaveIntegrity(vcpu)) }
    if budget.entries > 0, !state.hasIntegrity { all.append(.enterIntegrity(vcpu)) }
    if budget.halts > 0, !state.hasIntegrity { all.append(.halt(vcpu)) }
    if budget.offlines > 0 { all.append(.offline(vcpu)) }
    if budget.yields > 0 { all.append(.yield(vcpu)) }
  }

  /// Nothing is under way: no thread asks, no kick is on its way, nobody is in the mode.
  var isAtRest: Bool {
    !threads.indices.contains {
      threads[$0] == .ready || (threads[$0] == .running && (kicked & 1 << UInt64($0) != 0 || model.vcpus[$0].place == .inside))
    }
  }

  // MARK: Doing it

  /// Lets an action happen: the rules that this breaks.
  mutating func perform(_ action: Action) -> [String] {
    switch action {
    case .step(let vcpu): return step(vcpu)
    case .kicked(let vcpu): return exit(vcpu, .kicked)
    case .leave(let vcpu): return hypercall(vcpu, 10)
    case .raise(let vcpu, let target):
      budget.raises -= 1
      return hypercall(vcpu, 9, [UInt64(target)])
    case .interrupt(let vcpu, let target):
      budget.interrupts -= 1
      return hypercall(vcpu, 11, [UInt64(target), 64])
    case .halt(let vcpu):
      budget.halts -= 1
      return exit(vcpu, .halt(rip: 0x2000))
    case .start(let vcpu, let target):
      budget.starts -= 1
      return hypercall(vcpu, 12, [UInt64(target), 0x1000, UInt64(target + 1) * 16])
    case .offline(let vcpu):
      budget.offlines -= 1
      return hypercall(vcpu, 13)
    case .enterIntegrity(let vcpu):
      budget.entries -= 1
      return hypercall(vcpu, 5, rip: Self.entryPoint)
    case .leaveIntegrity(let vcpu): return hypercall(vcpu, 6)
    case .yield(let vcpu):
      budget.yields -= 1
      return hypercall(vcpu, 16)
    }
  }

  /// An interrupt that no guest sends: the rules that this breaks.
  mutating func interruptFromHost(_ target: Int, isPrivileged: Bool) -> [String] {
    let isOnline = model.vcpus[target].place != .offline
    let isTaken =
      isPrivileged ? core.raisePrivileged(target, host: &host) : core.raiseInterrupt(target, vector: 32, host: &host)
    return digest() + (isTaken == isOnline ? [] : ["host/answer"])
  }

  private mutating func hypercall(_ vcpu: Int, _ number: UInt64, _ arguments: [UInt64] = [], rip: UInt64 = 0x2000) -> [String] {
    exit(vcpu, .hypercall(number: number, arguments: arguments, rip: rip, interruptsEnabled: rip != Self.entryPoint))
  }

  private mutating func exit(_ vcpu: Int, _ input: HypervisorInput) -> [String] {
    kicked &= ~(1 << UInt64(vcpu))
    threads[vcpu] = .ready
    core.handle(input, on: vcpu, host: &host)
    return digest()
  }

  private mutating func step(_ vcpu: Int) -> [String] {
    host.wakes &= ~(1 << UInt64(vcpu))
    let directive = core.step(vcpu, readiness: VCPUReadiness(canTakeInterrupt: true), host: &host)
    switch directive {
    case .again: break
    case .wait: threads[vcpu] = .waiting
    case .finish: threads[vcpu] = .finished
    case .run: threads[vcpu] = .running
    }
    var broken = digest()
    if case .run = directive { broken += model.judgeRun(vcpu) }
    return broken
  }

  /// Takes in what the core recorded and signalled.
  private mutating func digest() -> [String] {
    let broken = host.takeEvents().flatMap { model.apply($0) }
    for vcpu in threads.indices {
      if host.wakes & 1 << UInt64(vcpu) != 0, threads[vcpu] == .waiting { threads[vcpu] = .ready }
      if host.kicks & 1 << UInt64(vcpu) != 0, threads[vcpu] == .running { kicked |= 1 << UInt64(vcpu) }
      host.injected[vcpu] = []
    }
    host.wakes = 0
    host.kicks = 0
    return broken + (host.isRegionMapped == model.isMapped ? [] : ["host/view-differs"])
  }
}
