internal import TraceEvents

/// What each kind of event belongs to.
extension EventBonds.Builder {
  mutating func take(_ event: Event, _ index: Int32) {
    if isNamed(event.kind) { indices[event.seq] = index }
    let cause = self.index(of: event.cause)
    if cause >= 0 {
      set(index, .cause, cause)
      bond(index, cause)
    }
    takeShared(event, index)
    if Int(event.vcpu) < vcpus.count { takeOwn(event, index, Int(event.vcpu)) }
    if event.kind != .pageContents, event.kind != .traceInstall { lastInstall = nil }
  }

  /// Whether others may name such an event.
  private func isNamed(_ kind: EventKind) -> Bool {
    switch kind {
    case .guestEnter, .guestExit, .pageWrite, .guestWrite, .console, .pageContents: false
    default: true
    }
  }

  /// What all vCPUs share: rendezvous and traces.
  private mutating func takeShared(_ event: Event, _ index: Int32) {
    switch event.kind {
    case .rendezvousClaim:
      claims[event.b] = index
    case .stopSend, .stopAck, .regionMap, .regionUnmap, .resumeSend, .resumeTake, .rendezvousEnd, .modeReturn:
      if let claim = claims[event.b] {
        bond(index, claim)
        set(index, .other, claim)
      }
      for word in event.kind == .regionMap ? event.words : [] { bond(index, self.index(of: word)) }
    case .modeEnter:
      if let claim = claims[event.b] {
        set(index, .other, claim)
        if event.a != EntryPath.next.rawValue { bond(index, claim) }
      } else if event.a == EntryPath.handedOver.rawValue {
        claims[event.b] = index
      }
    case .modeExit:
      guard let claim = claims[event.b] else { return }
      set(index, .other, claim)
      if event.a != ExitPath.notLast.rawValue { bond(index, claim) }
    case .vcpuOnline:
      if event.b != 0, let claim = claims[event.b] { set(index, .other, claim) }
    case .privilegedRaise:
      guard event.a < UInt64(vcpus.count) else { return }
      let target = Int(event.a)
      if event.b != 0 { set(index, .other, vcpus[target].latched) } else { vcpus[target].latched = index }
    case .traceInstall, .traceRemove, .pageContents, .writeTrap: takeTraced(event, index)
    default: break
    }
  }

  private mutating func takeTraced(_ event: Event, _ index: Int32) {
    let pages = Pages(gpa: event.gpa >> 12, count: event.a)
    switch event.kind {
    case .traceInstall:
      installs[pages] = index
      installsAt[pages.gpa] = index
      lastInstall = (index, pages)
    case .traceRemove:
      if let install = installs.removeValue(forKey: pages) {
        bond(index, install)
      } else if let install = installsAt[pages.gpa] {
        set(index, .other, install)
      }
    case .pageContents:
      guard let lastInstall, pages.gpa >= lastInstall.pages.gpa, pages.gpa - lastInstall.pages.gpa < lastInstall.pages.count else { return }
      // Of all pages that were protected at once, few matter, and the installation says what it says without what was in the others.
      set(index, .other, lastInstall.index)
    default:
      if let install = installsAt[pages.gpa] { set(index, .other, install) }
    }
  }

  /// What one vCPU does, and what it is in meanwhile.
  private mutating func takeOwn(_ event: Event, _ index: Int32, _ vcpu: Int) {
    let state = vcpus[vcpu]
    set(index, .online, state.online)
    set(index, .place, state.place)
    set(index, .integrity, state.integrity)
    if state.integrity >= 0, state.place < 0, isWork(event.kind) { transactions.join(index, state.integrity) }
    switch event.kind {
    case .vcpuOnline: vcpus[vcpu] = EventBonds.Builder.VCPU(online: index, latched: state.latched)
    case .guestEnter: vcpus[vcpu].entry = index
    case .guestExit:
      bond(index, state.entry)
    case .pageWrite, .guestWrite, .writeTrap, .regionAccess, .unmappedAccess: set(index, .entry, state.entry)
    case .vcpuHalt: vcpus[vcpu].halt = index
    case .vcpuUnhalt:
      bond(index, state.halt)
      vcpus[vcpu].halt = -1
    case .integrityEnter: vcpus[vcpu].integrity = index
    case .integrityLeave:
      bond(index, state.integrity)
      vcpus[vcpu].integrity = -1
    case .hypercall: if state.place < 0 { vcpus[vcpu].hypercall = index }
    case .hypercallResult: if state.place < 0 { vcpus[vcpu].hypercall = -1 }
    case .stopAck:
      setActivity(index, state)
      vcpus[vcpu].place = index
    case .modeEnter:
      setActivity(index, state)
      vcpus[vcpu].place = index
      vcpus[vcpu].latched = -1
    case .modeExit:
      bond(index, state.place)
      vcpus[vcpu].place = -1
    case .resumeTake, .modeReturn:
      setActivity(index, state)
      vcpus[vcpu].place = -1
    default: break
    }
  }

  private mutating func setActivity(_ index: Int32, _ state: VCPU) { set(index, .activity, state.halt >= 0 ? state.halt : state.hypercall) }

  /// What a driver enters integrity mode for.
  private func isWork(_ kind: EventKind) -> Bool {
    switch kind {
    case .writeTrap, .writeResult, .guestWrite, .hypercall, .hypercallResult, .traceInstall, .traceRemove, .pageContents: true
    default: false
    }
  }
}
