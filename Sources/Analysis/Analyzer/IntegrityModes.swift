internal import TraceEvents

/// Which vCPUs are in integrity mode, and since when each is outside it.
///
/// A vCPU in the privileged mode counts as outside: its integrity mode, if it had one, is suspended until it returns.
struct IntegrityModes {
  enum State: UInt8 {
    case outside, inside, unknown
  }

  private struct VCPU {
    var state = State.outside
    var isPrivileged = false
    /// Seq since when this vCPU is outside; `.max` while it is not, or may not be.
    var outsideSince: UInt64 = 0
    /// Seq of the last entry, 0 for none.
    var enteredAt: UInt64 = 0
  }

  private var vcpus: [VCPU]

  init(count: Int) { vcpus = Array(repeating: VCPU(), count: count) }

  /// What counts for writes and hypercalls: the privileged mode is outside.
  func state(of vcpu: UInt16) -> State {
    guard Int(vcpu) < vcpus.count else { return .unknown }
    let one = vcpus[Int(vcpu)]
    return one.isPrivileged ? .outside : one.state
  }

  /// Whether the vCPU has not left the mode, be it suspended or not.
  func stateKept(by vcpu: UInt16) -> State {
    Int(vcpu) < vcpus.count ? vcpus[Int(vcpu)].state : .unknown
  }

  func isPrivileged(_ vcpu: UInt16) -> Bool { Int(vcpu) < vcpus.count && vcpus[Int(vcpu)].isPrivileged }

  func enteredAt(_ vcpu: UInt16) -> UInt64 { Int(vcpu) < vcpus.count ? vcpus[Int(vcpu)].enteredAt : 0 }

  /// Whether the vCPU was outside from `seq` until now.
  func isOutside(_ vcpu: UInt16, since seq: UInt64) -> Bool {
    Int(vcpu) < vcpus.count && vcpus[Int(vcpu)].outsideSince <= seq
  }

  /// Whether every vCPU was.
  func areAllOutside(since seq: UInt64) -> Bool {
    vcpus.allSatisfy { $0.outsideSince <= seq }
  }

  /// Whether no vCPU keeps the mode, by what is known of all of them.
  func isNobodyIn(besides vcpu: UInt16) -> Bool {
    vcpus.indices.allSatisfy { $0 == Int(vcpu) || vcpus[$0].state == .outside }
  }

  mutating func apply(_ event: borrowing EventView) {
    guard Int(event.vcpu) < vcpus.count else { return }
    let index = Int(event.vcpu)
    switch event.kind {
    case .vcpuOnline, .vcpuOffline:
      vcpus[index].state = .outside
      vcpus[index].isPrivileged = false
    case .integrityEnter:
      vcpus[index].state = .inside
      vcpus[index].enteredAt = event.seq
    case .integrityLeave: vcpus[index].state = .outside
    case .modeEnter:
      learn(index, from: event.d)
      vcpus[index].isPrivileged = true
    case .modeExit: vcpus[index].isPrivileged = false
    case .stopAck, .resumeTake, .modeReturn: learn(index, from: event.a)
    default: return
    }
    if state(of: event.vcpu) != .outside {
      vcpus[index].outsideSince = .max
    } else if vcpus[index].outsideSince == .max {
      vcpus[index].outsideSince = event.seq
    }
  }

  /// An activity says whether the vCPU is in integrity mode: worth knowing after a hole.
  private mutating func learn(_ index: Int, from activity: UInt64) {
    guard vcpus[index].state == .unknown else { return }
    vcpus[index].state = Activity(rawValue: activity).inIntegrityMode ? .inside : .outside
  }

  mutating func forget() {
    for index in vcpus.indices {
      vcpus[index] = VCPU(state: .unknown, outsideSince: .max)
    }
  }
}
