import TraceEvents

/// An independent judge of the stop protocol and of interrupts: it knows nothing but the recorded events and which vCPU runs guest code.
struct ProtocolModel: Hashable {
  enum Place: UInt8, Hashable { case offline, outside, claiming, stopped, inside, leaving }

  struct VCPU: Hashable {
    var place = Place.offline
    var stop: UInt64 = 0
    var resume: UInt64 = 0
    var latched: UInt64 = 0
    var isHalted = false
    var hasIntegrity = false
    /// The hypercall that has not been answered.
    var call: UInt64 = 0
    /// Where it was when it was stopped or interrupted.
    var savedActivity: UInt64 = 0
    var savedDigest: UInt64 = 0
    var hasSaved = false
    /// Vectors sent and not delivered.
    var vectors: Set<UInt64> = []

    var activity: UInt64 {
      (isHalted ? Activity.halted : call != 0 ? .inHypercall : .running).inIntegrityMode(hasIntegrity).rawValue
    }
  }

  var vcpus: [VCPU]
  var isMapped = false
  var isRendezvous = false
  var claimant = -1
  var hasLastExit = false
  var number: UInt64 = 0
  var acks: Set<UInt64> = []
  var isOver = false

  init(vcpuCount: Int) { vcpus = Array(repeating: VCPU(), count: vcpuCount) }

  var insideCount: Int { vcpus.count { $0.place == .inside } }

  /// Everyone online but `vcpu` is stopped or in the mode.
  private func areOthersStopped(_ vcpu: Int) -> Bool {
    vcpus.indices.allSatisfy { $0 == vcpu || [.offline, .stopped, .inside].contains(vcpus[$0].place) }
  }

  /// The vCPU goes into the guest: the rules that this breaks.
  func judgeRun(_ vcpu: Int) -> [String] {
    let state = vcpus[vcpu]
    var broken: [String] = []
    switch state.place {
    case .inside: if !isMapped { broken.append("stop/entry-unmapped") }
    case .outside:
      if insideCount > 0 { broken.append("stop/unstopped-peer") }
      if isMapped { broken.append("stop/region-exposed") }
      if state.isHalted || state.call != 0 { broken.append("stop/wrong-return") }
    default: broken.append("stop/ran-while-stopped")
    }
    return broken
  }

  /// Nothing moves any more and nobody is in the mode: the rules that this breaks.
  func judgeRest() -> [String] {
    var broken: [String] = []
    if isRendezvous || isMapped { broken.append("stop/lost-signal") }
    for state in vcpus where state.place != .offline {
      if state.stop != 0 || state.resume != 0 || state.place != .outside { broken.append("stop/lost-signal") }
      if state.latched != 0 { broken.append("stop/lost-interrupt") }
      if state.call != 0 { broken.append("stop/wrong-return") }
      if !state.vectors.isEmpty, !state.hasIntegrity { broken.append("interrupt/lost") }
    }
    return broken
  }

  // MARK: Events

  /// Takes in an event: the rules that it breaks.
  mutating func apply(_ event: Event) -> [String] {
    if isOver { return ["session/went-on"] }
    let index = Int(event.vcpu)
    switch event.kind {
    case .vcpuOnline: return applyOnline(event)
    case .vcpuOffline: return applyOffline(event)
    case .privilegedRaise:
      let target = Int(event.a)
      let coalesces = vcpus[target].latched != 0
      if !coalesces { vcpus[target].latched = event.seq }
      return coalesces == (event.b == 1) ? [] : ["stop/lost-interrupt"]
    case .interruptRaise:
      vcpus[Int(event.a)].vectors.insert(event.b)
      return []
    case .interruptDeliver: return applyDelivery(event)
    case .vcpuHalt: vcpus[index].isHalted = true
    case .vcpuUnhalt:
      defer { vcpus[index].isHalted = false }
      return vcpus[index].place == .outside && vcpus[index].isHalted ? [] : ["stop/wrong-wake"]
    case .hypercall: if vcpus[index].place != .inside { vcpus[index].call = event.seq }
    case .hypercallResult:
      if vcpus[index].place == .inside { return [] }
      defer { vcpus[index].call = 0 }
      return vcpus[index].place == .outside && vcpus[index].call == event.cause ? [] : ["stop/ran-while-stopped"]
    case .integrityEnter: vcpus[index].hasIntegrity = true
    case .integrityLeave: vcpus[index].hasIntegrity = false
    case .rendezvousClaim: return applyClaim(event)
    case .stopSend: return applyStop(event)
    case .stopAck: return applyAck(event)
    case .regionMap: return applyMap(event)
    case .modeEnter: return applyEntry(event)
    case .modeExit: return applyExit(event)
    case .regionUnmap:
      defer { isMapped = false }
      return isMapped && hasLastExit && insideCount == 0 ? [] : ["stop/early-unmap"]
    case .resumeSend: return applyResume(event)
    case .resumeTake: return applyTake(event)
    case .rendezvousEnd: return applyEnd(event)
    case .modeReturn: return applyReturn(event)
    default: break
    }
    return []
  }

  private mutating func applyOnline(_ event: Event) -> [String] {
    let isBornStopped = event.a == 1
    vcpus[Int(event.vcpu)] = VCPU(place: isBornStopped ? .stopped : .outside)
    if isBornStopped { vcpus[Int(event.vcpu)].hasSaved = false }
    return isBornStopped == isRendezvous && (!isBornStopped || event.b == number) ? [] : ["stop/cpu-set-changed"]
  }

  private mutating func applyOffline(_ event: Event) -> [String] {
    let state = vcpus[Int(event.vcpu)]
    if state.stop != 0 { acks.insert(event.seq) }
    vcpus[Int(event.vcpu)] = VCPU()
    if state.latched != 0 { return ["stop/lost-interrupt"] }
    return state.place == .outside && event.cause == state.stop && (event.b != 0) == (state.stop != 0) ? [] : ["stop/cpu-set-changed"]
  }

  private mutating func applyDelivery(_ event: Event) -> [String] {
    let state = vcpus[Int(event.vcpu)]
    vcpus[Int(event.vcpu)].vectors.remove(event.a)
    if !state.vectors.contains(event.a) { return ["interrupt/spurious"] }
    if state.hasIntegrity { return ["integrity/interrupted"] }
    return state.place == .outside && !state.isHalted && state.call == 0 ? [] : ["stop/wrong-wake"]
  }

  private mutating func applyClaim(_ event: Event) -> [String] {
    let index = Int(event.vcpu)
    if isRendezvous || vcpus[index].place != .outside { return ["stop/double-first"] }
    isRendezvous = true
    hasLastExit = false
    claimant = index
    number = event.b
    acks = []
    let state = vcpus[index]
    vcpus[index].place = .claiming
    vcpus[index].savedActivity = state.activity
    vcpus[index].hasSaved = false
    return state.latched != 0 && state.latched == event.cause ? [] : ["stop/uninvited-entry"]
  }

  private mutating func applyStop(_ event: Event) -> [String] {
    let state = vcpus[Int(event.a)]
    vcpus[Int(event.a)].stop = event.seq
    if Int(event.vcpu) != claimant || event.b != number { return ["stop/double-first"] }
    return state.place == .outside && state.stop == 0 && state.resume == 0 ? [] : ["stop/double-signal"]
  }

  private mutating func applyAck(_ event: Event) -> [String] {
    let index = Int(event.vcpu)
    let state = vcpus[index]
    vcpus[index].place = .stopped
    vcpus[index].stop = 0
    vcpus[index].savedActivity = event.a
    vcpus[index].savedDigest = event.c
    vcpus[index].hasSaved = true
    acks.insert(event.seq)
    if state.stop == 0 || state.stop != event.cause || state.place != .outside || event.b != number { return ["stop/spurious-ack"] }
    return event.a == state.activity ? [] : ["stop/wrong-return"]
  }
}
