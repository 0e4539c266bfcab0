import TraceEvents

/// What a vCPU does next.
extension HypervisorCore {
  /// Decides what the vCPU's thread does next, and does what it must do before. One transition of the stop protocol a call.
  public mutating func step(_ vcpu: Int, readiness: VCPUReadiness, host: inout some HypervisorHost) -> Directive {
    let directive = decide(vcpu, readiness: readiness, host: &host)
    vcpus[vcpu].isExecuting = if case .run = directive { true } else { false }
    pokeAll(host: &host)
    return directive
  }

  private mutating func decide(_ vcpu: Int, readiness: VCPUReadiness, host: inout some HypervisorHost) -> Directive {
    if sessionEnd != nil { return .finish }
    switch vcpus[vcpu].life {
    case .offline: return .wait
    case .gone: return .finish
    case .starting(let event, let rip, let argument):
      comeOnline(vcpu, cause: event, rip: rip, argument: argument, host: &host)
      return .again
    case .online: break
    }
    if faults.contains(.forgetHalt), stops.members[vcpu].resume != nil { vcpus[vcpu].isHalted = false }
    if faults.contains(.forgetHypercall), stops.members[vcpu].resume != nil { vcpus[vcpu].owed = nil }
    if faults.contains(.wakeOnInterrupt), stops.members[vcpu].place == .stopped, interrupt(vcpu, readiness, host: &host) { return .again }
    switch stops.advance(vcpu, activity: vcpus[vcpu].activity, host: &host) {
    case .moved: return .again
    case .wait: return .wait
    case .inside: return .run(interruptWindow: false)
    case .outside: return decideOutside(vcpu, readiness: readiness, host: &host)
    }
  }

  private mutating func decideOutside(_ vcpu: Int, readiness: VCPUReadiness, host: inout some HypervisorHost) -> Directive {
    if let request = vcpus[vcpu].owed {
      vcpus[vcpu].owed = nil
      carryOut(request, for: vcpu, host: &host)
      return .again
    }
    let isElevated = vcpus[vcpu].hasIntegrity && !faults.contains(.acceptInterrupts)
    let isDeaf = isElevated || !readiness.canTakeInterrupt
    let next = isElevated ? nil : interrupts.next(for: vcpu)
    if vcpus[vcpu].isHalted {
      guard let next, !isDeaf else { return sleep(vcpu, host: &host) }
      vcpus[vcpu].isHalted = false
      _ = host.record(Event(.vcpuUnhalt, vcpu: UInt16(vcpu), cause: next.raise))
    }
    guard next != nil else { return .run(interruptWindow: false) }
    if isDeaf { return .run(interruptWindow: true) }
    interrupts.deliver(to: vcpu, host: &host)
    return .run(interruptWindow: interrupts.next(for: vcpu) != nil)
  }

  /// Faults only: delivers an ordinary interrupt to a stopped vCPU; false where none is held for it, or it cannot take one.
  private mutating func interrupt(_ vcpu: Int, _ readiness: VCPUReadiness, host: inout some HypervisorHost) -> Bool {
    let state = vcpus[vcpu]
    guard let next = interrupts.next(for: vcpu), readiness.canTakeInterrupt, !state.hasIntegrity, state.owed == nil else { return false }
    if state.isHalted { _ = host.record(Event(.vcpuUnhalt, vcpu: UInt16(vcpu), cause: next.raise)) }
    vcpus[vcpu].isHalted = false
    interrupts.deliver(to: vcpu, host: &host)
    return true
  }

  private mutating func comeOnline(_ vcpu: Int, cause: UInt64, rip: UInt64, argument: UInt64, host: inout some HypervisorHost) {
    host.prepareStart(vcpu, rip: rip, argument: argument)
    vcpus[vcpu].life = .online
    let rendezvous = stops.comeOnline(vcpu, registers: host.registers(of: vcpu))
    _ = host.record(
      Event(.vcpuOnline, vcpu: UInt16(vcpu), cause: cause, a: rendezvous == nil ? 0 : 1, b: rendezvous ?? 0))
  }

  // MARK: Nobody left to run

  private mutating func sleep(_ vcpu: Int, host: inout some HypervisorHost) -> Directive {
    vcpus[vcpu].isAsleep = true
    endIfIdle(host: &host)
    return sessionEnd == nil ? .wait : .finish
  }

  /// Ends the session where no vCPU will ever run again: all are offline, or halted with nothing under way that could wake one.
  mutating func endIfIdle(host: inout some HypervisorHost) {
    guard configuration.endsWhenIdle, stops.phase == .free else { return }
    var isAnyOnline = false
    for index in vcpus.indices {
      switch vcpus[index].life {
      case .starting: return
      case .offline, .gone: continue
      case .online:
        guard vcpus[index].isHalted, vcpus[index].isAsleep, stops.members[index].isQuiet else { return }
        isAnyOnline = true
      }
    }
    if isAnyOnline {
      requestEnd(.allVCPUsHalted, detail: "every online vCPU is halted, and no interrupt is under way", host: &host)
    } else {
      requestEnd(.guestFinished, detail: "every vCPU is offline", host: &host)
    }
  }
}

extension StopProtocol.Member {
  /// Outside, with nothing sent to it that it has not taken.
  fileprivate var isQuiet: Bool { place == .outside && stop == nil && resume == nil && latched == nil }
}
