import Hypervisor
import Synthesizer
import TraceEvents

/// The hypervisor core on a machine without KVM: vCPUs whose guest code makes up its mind at every exit, on a schedule drawn from a seed.
///
/// Between a directive and the entry into the guest, and between any two transitions, any other vCPU may go on, as with real threads.
struct ModelMachine {
  static let region = GuestRange(start: 0x7000_0000, length: 0x10_0000)
  static let memory = [GuestRange(start: 0, length: 64 << 20)]

  enum Thread {
    case absent, ready, entering, executing, waiting, finished
  }

  var core: HypervisorCore
  var host: ModelHost
  let seed: UInt64
  var random: SplitMix64
  let mayHalt: Bool
  /// Half of the machines come to rest by themselves: guests do nothing but halt, and nobody interrupts them any more.
  var isWindingDown = false

  init(vcpus: Int, seed: UInt64, faults: FaultSet = [], mayHalt: Bool = true) {
    core = HypervisorCore(
      configuration: HypervisorConfiguration(vcpuCount: vcpus, memory: Self.memory, region: Self.region, faults: faults))
    host = ModelHost(count: vcpus)
    self.seed = seed
    random = SplitMix64(seed: seed)
    self.mayHalt = mayHalt
  }

  private mutating func below(_ bound: Int) -> Int { Int(random.next() >> 33) % bound }

  /// The events of a session of at least `count` of them, or as far as it gets.
  mutating func run(_ count: Int) -> [Event] {
    _ = host.record(Event(.sessionStart, vcpu: Event.host, a: UInt64(host.vcpus.count)))
    host.vcpus[0].thread = .ready
    core.start(rip: 0x1000, argument: 0, host: &host)
    var idle = 0
    while core.sessionEnd == nil, host.events.count < count {
      let movable = host.vcpus.indices.filter { [.ready, .entering, .executing].contains(host.vcpus[$0].thread) }
      isWindingDown = isWindingDown || (seed & 1 == 0 && host.events.count > count / 2)
      if !isWindingDown, below(40) == 0 || movable.isEmpty { _ = core.raisePrivileged(below(host.vcpus.count), host: &host) }
      idle = movable.isEmpty ? idle + 1 : 0
      if idle > 100 { break }
      if let vcpu = movable.isEmpty ? nil : movable[below(movable.count)] { move(vcpu) }
    }
    end(isStuck: idle > 100)
    return host.events
  }

  private mutating func end(isStuck: Bool) {
    core.requestEnd(.interrupted, host: &host)
    for vcpu in host.vcpus.indices where host.vcpus[vcpu].thread == .executing { exitGuest(vcpu, .kick) }
    if isStuck { host.time += 5_000_000_000 }
    _ = host.record(Event(.sessionEnd, vcpu: Event.host, a: (core.sessionEnd ?? .interrupted).rawValue))
  }

  private mutating func move(_ vcpu: Int) {
    switch host.vcpus[vcpu].thread {
    case .ready: step(vcpu)
    case .entering:
      _ = host.record(Event(.guestEnter, vcpu: UInt16(vcpu), rip: host.vcpus[vcpu].rip))
      host.vcpus[vcpu].thread = .executing
    case .executing: execute(vcpu)
    default: break
    }
  }

  private mutating func step(_ vcpu: Int) {
    host.vcpus[vcpu].isWoken = false
    switch core.step(vcpu, readiness: VCPUReadiness(canTakeInterrupt: true), host: &host) {
    case .run: host.vcpus[vcpu].thread = .entering
    case .again: host.vcpus[vcpu].thread = .ready
    case .wait: host.vcpus[vcpu].thread = host.vcpus[vcpu].isWoken ? .ready : .waiting
    case .finish: host.vcpus[vcpu].thread = .finished
    }
  }

  private mutating func exitGuest(_ vcpu: Int, _ reason: GuestExitReason) {
    host.vcpus[vcpu].rip += 4
    _ = host.record(Event(.guestExit, vcpu: UInt16(vcpu), rip: host.vcpus[vcpu].rip, a: reason.rawValue))
    host.vcpus[vcpu].thread = .ready
  }

  /// A stretch of guest code, up to its exit.
  private mutating func execute(_ vcpu: Int) {
    let isKicked = host.vcpus[vcpu].isKicked
    let page = host.vcpus[vcpu].isInHandler ? Self.region.start + 0x1000 : 0x10_0000 + UInt64(below(8)) * guestPageSize
    if below(2) == 0 { _ = host.record(Event(.pageWrite, vcpu: UInt16(vcpu), gpa: page, a: 1)) }
    if isKicked, below(3) > 0 {
      host.vcpus[vcpu].isKicked = false
      exitGuest(vcpu, .kick)
      core.handle(.kicked, on: vcpu, host: &host)
      return
    }
    let choice = below(16)
    if host.vcpus[vcpu].isInHandler {
      call(vcpu, choice < 8 ? 10 : choice < 12 ? 9 : 16, [UInt64(below(host.vcpus.count))])
    } else if mayHalt, choice == 0 || isWindingDown {
      exitGuest(vcpu, .halt)
      core.handle(.halt(rip: host.vcpus[vcpu].rip), on: vcpu, host: &host)
    } else {
      let target = UInt64(below(host.vcpus.count))
      switch choice {
      case 15:
        exitGuest(vcpu, .unmappedAccess)
        core.handle(
          .unmappedAccess(gpa: Self.region.start + 64, write: [UInt8(below(256))], length: 1, rip: host.vcpus[vcpu].rip), on: vcpu, host: &host)
      case 1...4: call(vcpu, 9, [target])
      case 5...7: call(vcpu, 11, [target, 40])
      case 8...9: call(vcpu, 12, [target, 0x2000, 0])
      case 10 where below(8) == 0: call(vcpu, 13, [])
      default: call(vcpu, 16, [])
      }
    }
  }

  private mutating func call(_ vcpu: Int, _ number: UInt64, _ arguments: [UInt64]) {
    exitGuest(vcpu, .hypercall)
    core.handle(
      .hypercall(number: number, arguments: arguments, rip: host.vcpus[vcpu].rip, interruptsEnabled: false), on: vcpu, host: &host)
  }
}

/// What the core's commands do to the model.
struct ModelHost: HypervisorHost {
  struct VCPU {
    var thread = ModelMachine.Thread.absent
    var rip: UInt64 = 0
    var saved: UInt64 = 0
    var isInHandler = false
    var isKicked = false
    var isWoken = false
  }

  var vcpus: [VCPU]
  var events: [Event] = []
  var time: UInt64 = 0

  init(count: Int) { vcpus = Array(repeating: VCPU(), count: count) }

  mutating func record(_ event: Event) -> UInt64 {
    var event = event
    time += 100
    event.time = time
    event.seq = UInt64(events.count + 1)
    events.append(event)
    return event.seq
  }

  mutating func kick(_ vcpu: Int) { vcpus[vcpu].isKicked = true }
  mutating func wake(_ vcpu: Int) {
    vcpus[vcpu].isWoken = true
    if vcpus[vcpu].thread == .waiting || vcpus[vcpu].thread == .absent { vcpus[vcpu].thread = .ready }
  }
  mutating func setRegionMapped(_ mapped: Bool) {}
  mutating func setTraced(_ traced: Bool, firstGFN: UInt64, pageCount: UInt64) {}
  func readMemory(gpa: UInt64, count: Int) -> [UInt8]? { Array(repeating: 0, count: count) }
  mutating func writeMemory(gpa: UInt64, _ bytes: [UInt8]) {}
  func registers(of vcpu: Int) -> RegisterSnapshot { RegisterSnapshot(rip: vcpus[vcpu].rip, digest: vcpus[vcpu].rip &* 0x9e37_79b9) }
  mutating func setHypercallResult(_ vcpu: Int, status: Int64, value: UInt64) {}
  mutating func enterHandler(_ vcpu: Int) {
    vcpus[vcpu].saved = vcpus[vcpu].rip
    vcpus[vcpu].rip = ModelMachine.region.start
    vcpus[vcpu].isInHandler = true
  }
  mutating func restoreInterrupted(_ vcpu: Int) {
    vcpus[vcpu].rip = vcpus[vcpu].saved
    vcpus[vcpu].isInHandler = false
  }
  mutating func injectInterrupt(_ vcpu: Int, vector: UInt8) {}
  mutating func prepareStart(_ vcpu: Int, rip: UInt64, argument: UInt64) { vcpus[vcpu].rip = rip }
}
