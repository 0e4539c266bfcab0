import TraceEvents

/// Entries, exits, resumes.
extension ProtocolModel {
  mutating func applyMap(_ event: Event) -> [String] {
    isMapped = true
    var broken: [String] = []
    if Int(event.vcpu) != claimant { broken.append("stop/double-first") }
    let others = vcpus.indices.allSatisfy {
      $0 == claimant || vcpus[$0].place == .offline || (vcpus[$0].place == .stopped && vcpus[$0].resume == 0)
    }
    if !others { broken.append("stop/region-exposed") }
    let named = stride(from: 0, to: event.data.count, by: 8).map { at in
      (0..<8).reduce(UInt64(0)) { $0 | UInt64(event.data[at + $1]) << UInt64($1 * 8) }
    }
    if Set(named) != acks { broken.append("stop/spurious-ack") }
    return broken
  }

  mutating func applyEntry(_ event: Event) -> [String] {
    let index = Int(event.vcpu)
    let state = vcpus[index]
    var broken: [String] = []
    if !isMapped { broken.append("stop/entry-unmapped") }
    if state.latched == 0 || state.latched != event.cause { broken.append("stop/uninvited-entry") }
    let isFirst = event.a == EntryPath.first.rawValue
    if isFirst != (index == claimant && state.place == .claiming) || isFirst != (insideCount == 0) || hasLastExit {
      broken.append("stop/double-first")
    }
    if !isFirst, state.place != .stopped { broken.append("stop/unstopped-peer") }
    let others = vcpus.indices.allSatisfy { $0 == index || [.offline, .stopped, .inside].contains(vcpus[$0].place) }
    if !others { broken.append("stop/unstopped-peer") }
    if event.d != (isFirst || state.hasSaved ? state.savedActivity : state.activity) { broken.append("stop/wrong-return") }
    if !isFirst, state.hasSaved, event.c != state.savedDigest { broken.append("stop/wrong-return") }
    if isFirst || !state.hasSaved {
      vcpus[index].savedActivity = event.d
      vcpus[index].savedDigest = event.c
      vcpus[index].hasSaved = true
    }
    vcpus[index].latched = 0
    vcpus[index].place = .inside
    return broken
  }

  mutating func applyExit(_ event: Event) -> [String] {
    let index = Int(event.vcpu)
    let isInside = vcpus[index].place == .inside
    let isLast = event.a == ExitPath.last.rawValue
    vcpus[index].place = isLast ? .leaving : .stopped
    if isLast { hasLastExit = true }
    return isInside && isLast == (insideCount == 0) ? [] : ["stop/double-first"]
  }

  mutating func applyResume(_ event: Event) -> [String] {
    let target = Int(event.a)
    let state = vcpus[target]
    vcpus[target].resume = event.seq
    var broken: [String] = []
    if isMapped { broken.append("stop/late-unmap") }
    if state.resume != 0 { broken.append("stop/double-signal") }
    if state.place != .stopped || !hasLastExit || event.b != number { broken.append("stop/wrong-wake") }
    return broken
  }

  mutating func applyTake(_ event: Event) -> [String] {
    let state = vcpus[Int(event.vcpu)]
    if state.resume == 0 || state.resume != event.cause || state.place != .stopped { return ["stop/wrong-wake"] }
    vcpus[Int(event.vcpu)].resume = 0
    return goBack(event, state)
  }

  mutating func applyReturn(_ event: Event) -> [String] {
    let state = vcpus[Int(event.vcpu)]
    if insideCount > 0 {
      _ = goBack(event, state)
      return ["stop/not-last-resumed"]
    }
    if state.place != .leaving || isRendezvous { return ["stop/wrong-wake"] }
    return goBack(event, state)
  }

  private mutating func goBack(_ event: Event, _ state: VCPU) -> [String] {
    let index = Int(event.vcpu)
    vcpus[index].place = .outside
    vcpus[index].hasSaved = false
    vcpus[index].savedActivity = 0
    vcpus[index].savedDigest = 0
    if event.a != state.activity { return ["stop/wrong-return"] }
    return !state.hasSaved || (event.a == state.savedActivity && event.c == state.savedDigest) ? [] : ["stop/wrong-return"]
  }

  mutating func applyEnd(_ event: Event) -> [String] {
    defer {
      isRendezvous = false
      claimant = -1
      acks = []
    }
    let isEverybodyResumed = vcpus.allSatisfy { $0.place != .stopped || $0.resume != 0 }
    return isEverybodyResumed && !isMapped && hasLastExit ? [] : ["stop/lost-signal"]
  }
}
