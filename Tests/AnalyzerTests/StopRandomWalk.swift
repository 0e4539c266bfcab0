import TraceEvents

/// A correct hypervisor of its own, made for tests: takes any step that the protocol allows, drawn at random, hand-overs included.
struct StopRandomWalk {
  enum Place {
    case offline, outside, stopped, claiming, inMode, leaving, returning
  }

  enum Phase {
    case free, stopping, mapped, open, closing, resuming, handing
  }

  enum Step {
    case raise(Int), touchGuest(Int), halt(Int), unhalt(Int), online(Int), claim(Int), stop(Int), ack(Int), map, first, next(Int), exit(Int)
    case takeOver(Int), unmap, resume(Int), finish, goBack(Int), take(Int)
  }

  var scenario: StopScenario
  var places: [Place]
  var phase = Phase.free
  var owner = 0
  /// The rendezvous that stopped each vCPU.
  var stoppedBy: [UInt64]
  private var state: UInt64

  init(vcpus: Int, offline: Int, seed: UInt64) {
    scenario = StopScenario(vcpus, offline: offline)
    places = (0..<vcpus).map { $0 < vcpus - offline ? .outside : .offline }
    stoppedBy = Array(repeating: 0, count: vcpus)
    state = seed &* 0x9e37_79b9_7f4a_7c15 | 1
  }

  private mutating func below(_ bound: Int) -> Int {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return Int(state >> 33) % bound
  }

  mutating func walk(_ count: Int) {
    for _ in 0..<count {
      let enabled = enabledSteps(places.indices)
      take(enabled[below(enabled.count)])
    }
    scenario.finish()
  }

  // MARK: What may happen next

  private func enabledSteps(_ vcpus: Range<Int>) -> [Step] {
    var steps: [Step] = []
    for vcpu in vcpus { steps += enabledSteps(of: vcpu) }
    switch phase {
    case .stopping:
      let open = vcpus.filter { places[$0] == .outside || places[$0] == .returning }
      steps += open.filter { scenario.vcpus[$0].stop == 0 && places[$0] == .outside }.map { .stop($0) }
      if open.isEmpty, vcpus.allSatisfy({ scenario.vcpus[$0].resume == 0 }) { steps.append(.map) }
    case .mapped: steps.append(.first)
    case .closing: steps.append(.unmap)
    case .resuming:
      let waiting = vcpus.filter { places[$0] == .stopped && scenario.vcpus[$0].resume == 0 }
      steps += waiting.isEmpty ? [.finish] : waiting.map { .resume($0) }
    case .free, .open, .handing: break
    }
    return steps
  }

  private func enabledSteps(of vcpu: Int) -> [Step] {
    let state = scenario.vcpus[vcpu]
    let isAsked = state.raise != 0
    switch places[vcpu] {
    case .offline: return phase == .free ? [] : [.online(vcpu)]
    case .outside:
      if state.stop != 0 { return [.ack(vcpu), .touchGuest(vcpu)].filter { if case .touchGuest = $0 { state.isInGuest } else { true } } }
      if isAsked, phase == .free { return [.claim(vcpu), .raise(vcpu)] }
      return state.activity == .halted ? [.unhalt(vcpu), .raise(vcpu)] : [.touchGuest(vcpu), .raise(vcpu), .halt(vcpu)]
    case .stopped:
      if state.resume != 0 { return [.take(vcpu)] }
      if isAsked, phase == .open { return [.next(vcpu), .raise(vcpu)] }
      return isAsked && phase == .handing ? [.takeOver(vcpu)] : [.raise(vcpu)]
    case .inMode: return [.exit(vcpu), .touchGuest(vcpu), .raise(vcpu)]
    case .claiming, .leaving: return []
    case .returning: return [.goBack(vcpu)]
    }
  }

  // MARK: Doing it

  private mutating func take(_ step: Step) {
    switch step {
    case .raise(let vcpu): scenario.raise(vcpu)
    case .touchGuest(let vcpu): touchGuest(vcpu)
    case .halt(let vcpu): scenario.halt(vcpu)
    case .unhalt(let vcpu):
      scenario.unhalt(vcpu)
      scenario.enter(vcpu)
    case .online(let vcpu):
      scenario.add(.vcpuOnline, vcpu, a: 1, b: scenario.rendezvous)
      (places[vcpu], stoppedBy[vcpu]) = (.stopped, scenario.rendezvous)
    case .claim(let vcpu):
      scenario.claim(vcpu)
      (places[vcpu], phase, owner) = (.claiming, .stopping, vcpu)
    case .stop(let vcpu): scenario.stop(vcpu)
    case .ack(let vcpu):
      scenario.ack(vcpu)
      (places[vcpu], stoppedBy[vcpu]) = (.stopped, scenario.rendezvous)
    case .map:
      scenario.map()
      phase = .mapped
    case .first:
      scenario.enterMode(owner, .first)
      (places[owner], phase) = (.inMode, .open)
    case .next(let vcpu):
      scenario.enterMode(vcpu, .next)
      places[vcpu] = .inMode
    default: takeBack(step)
    }
  }

  /// The steps of the way out.
  private mutating func takeBack(_ step: Step) {
    switch step {
    case .exit(let vcpu): exit(vcpu)
    case .takeOver(let vcpu):
      scenario.enterMode(vcpu, .handedOver)
      (places[vcpu], phase) = (.inMode, .open)
    case .unmap:
      scenario.unmap(by: owner)
      phase = .resuming
    case .resume(let vcpu): scenario.resume(vcpu, by: owner)
    case .finish:
      scenario.end(by: owner)
      (places[owner], phase) = (.returning, .free)
    case .goBack(let vcpu):
      scenario.goBack(vcpu)
      goOn(vcpu)
    case .take(let vcpu):
      scenario.take(vcpu, number: stoppedBy[vcpu])
      goOn(vcpu)
    default: break
    }
  }

  private mutating func goOn(_ vcpu: Int) {
    places[vcpu] = .outside
    if scenario.vcpus[vcpu].activity == .running, scenario.vcpus[vcpu].stop == 0 { scenario.enter(vcpu) }
  }

  private mutating func exit(_ vcpu: Int) {
    let others = places.indices.contains { $0 != vcpu && places[$0] == .inMode }
    let heir = places.indices.first { places[$0] == .stopped && scenario.vcpus[$0].raise != 0 }
    if others {
      scenario.exitMode(vcpu, .notLast)
    } else if heir != nil, below(2) == 0 {
      scenario.exitMode(vcpu, .handOver)
      phase = .handing
    } else {
      scenario.exitMode(vcpu, .last)
      (places[vcpu], phase, owner) = (.leaving, .closing, vcpu)
      return
    }
    (places[vcpu], stoppedBy[vcpu]) = (.stopped, scenario.rendezvous)
  }

  private mutating func touchGuest(_ vcpu: Int) {
    if scenario.vcpus[vcpu].isInGuest {
      let base: UInt64 = places[vcpu] == .inMode ? StopScenario.region.start : 0x8000
      if below(2) == 0 { scenario.add(.pageWrite, vcpu, gpa: base + UInt64(below(16)) * 4096, a: 1) }
      scenario.exit(vcpu, .interruptWindow)
    } else {
      scenario.enter(vcpu)
    }
  }
}
