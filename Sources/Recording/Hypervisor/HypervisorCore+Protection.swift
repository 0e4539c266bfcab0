import TraceEvents

/// Hypercalls of the guest integrity driver: registration, integrity mode, protection.
extension HypervisorCore {
  // MARK: Registration

  /// Whether registration is over.
  private var isClosed: Bool { registration.isLocked && !faults.contains(.acceptLateRegistration) }

  mutating func registerEntry(_ request: Hypercall.Request, _ vcpu: Int, _ host: inout some HypervisorHost) -> Hypercall.Outcome {
    if isClosed { return .refusal(.registrationLocked) }
    let address = request.argument(0)
    guard configuration.isRAM(gpa: address, length: 1) else { return .error(.invalid) }
    guard registration.entryPoint == nil || registration.isLocked else { return .refused(.alreadyRegistered, status: .exists) }
    registration.entryPoint = address
    _ = host.record(Event(.entryPointSet, vcpu: UInt16(vcpu), rip: address, cause: request.event))
    return .ok
  }

  mutating func registerPages(_ request: Hypercall.Request, _ vcpu: Int, _ host: inout some HypervisorHost) -> Hypercall.Outcome {
    if isClosed { return .refusal(.registrationLocked) }
    guard let pages = pages(request), let kind = DriverPageKind(rawValue: request.argument(2)) else { return .error(.invalid) }
    guard !traces.isAnyTraced(pages) else { return .error(.exists) }
    registration.driverPages.append(Registration.DriverPages(pages: pages, kind: kind))
    traces.install(pages, vcpu: UInt16(vcpu), cause: request.event, host: &host)
    _ = host.record(
      Event(
        .driverPagesSet, vcpu: UInt16(vcpu), gpa: pages.lowerBound * guestPageSize, cause: request.event, a: UInt64(pages.count),
        b: kind.rawValue))
    return .ok
  }

  mutating func setBase(_ request: Hypercall.Request, _ vcpu: Int, _ host: inout some HypervisorHost) -> Hypercall.Outcome {
    if isClosed { return .refusal(.registrationLocked) }
    let gpa = request.argument(0)
    guard configuration.arePages(gpa: gpa, pages: 1) else { return .error(.invalid) }
    guard registration.basePointer == nil || registration.isLocked else { return .refused(.alreadyRegistered, status: .exists) }
    if !faults.contains(.uncheckedBase) {
      guard traces.isTraced(gpa / guestPageSize) else { return .error(.missing) }
      guard ProtectionTree(base: gpa, host: host).isWellFormed() else { return .refused(.malformedTree, status: .malformed) }
    }
    registration.basePointer = gpa
    _ = host.record(Event(.basePointerSet, vcpu: UInt16(vcpu), gpa: gpa, cause: request.event))
    return .ok
  }

  mutating func lock(_ request: Hypercall.Request, _ vcpu: Int, _ host: inout some HypervisorHost) -> Hypercall.Outcome {
    if registration.isLocked { return .refusal(.registrationLocked) }
    guard registration.entryPoint != nil else { return .refusal(.notRegistered) }
    registration.isLocked = true
    _ = host.record(Event(.registrationLocked, vcpu: UInt16(vcpu), cause: request.event))
    return .ok
  }

  // MARK: Integrity mode

  /// Enters integrity mode: from the registered entry point only, after the lock, with interrupts off, and from no other elevated mode.
  mutating func enterIntegrityMode(_ request: Hypercall.Request, _ vcpu: Int, _ host: inout some HypervisorHost) -> Hypercall.Outcome {
    guard !stops.isInside(vcpu), !vcpus[vcpu].hasIntegrity || faults.contains(.acceptNested) else { return .refusal(.alreadyInMode) }
    guard registration.isLocked else { return .refusal(.notRegistered) }
    guard request.rip == registration.entryPoint || faults.contains(.acceptAnyEntry) else { return .refusal(.wrongEntryPoint) }
    guard !request.interruptsEnabled || faults.contains(.acceptInterrupts) else { return .refusal(.interruptsEnabled) }
    vcpus[vcpu].hasIntegrity = true
    _ = host.record(Event(.integrityEnter, vcpu: UInt16(vcpu), rip: request.rip, cause: request.event))
    return .ok
  }

  mutating func leaveIntegrityMode(_ request: Hypercall.Request, _ vcpu: Int, _ host: inout some HypervisorHost) -> Hypercall.Outcome {
    guard isInIntegrityMode(vcpu) || (faults.contains(.acceptLeave) && !stops.isInside(vcpu)) else { return .refusal(.notInMode) }
    leave(Event(.integrityLeave, vcpu: UInt16(vcpu), rip: request.rip, cause: request.event), host: &host)
    return .ok
  }

  /// Takes integrity mode from a vCPU.
  mutating func leave(_ event: Event, host: inout some HypervisorHost) {
    if faults.contains(.lateLeave) {
      vcpus[Int(event.vcpu)].lateLeave = event
      return
    }
    vcpus[Int(event.vcpu)].hasIntegrity = false
    _ = host.record(event)
  }

  // MARK: Protection

  /// Puts write traces on pages, before the tree names them. Until the lock anyone may ask, for the tree is built then.
  mutating func protect(_ request: Hypercall.Request, _ vcpu: Int, _ host: inout some HypervisorHost) -> Hypercall.Outcome {
    guard isInIntegrityMode(vcpu) || !registration.isLocked || faults.contains(.acceptOutside) else {
      return .refusal(.outsideIntegrityMode)
    }
    let kind = request.argument(2)
    guard let pages = pages(request), kind <= 1 else { return .error(.invalid) }
    guard !traces.isAnyTraced(pages) else { return .error(.exists) }
    if faults.contains(kind == 1 ? .skipNodeTrace : .skipMappingTrace) {
      traces.pretend(pages)
    } else if faults.contains(.lateTrace), kind == 0 {
      traces.pretend(pages)
      vcpus[vcpu].lateTraces.append(request)
    } else {
      traces.install(pages, vcpu: UInt16(vcpu), cause: request.event, host: &host)
    }
    return .ok
  }

  /// Takes write traces off pages, after the tree no longer names them. Pages that it still names, that store a reachable node, or that are
  /// the driver's stay as they are, all of them.
  mutating func unprotect(_ request: Hypercall.Request, _ vcpu: Int, _ host: inout some HypervisorHost) -> Hypercall.Outcome {
    guard isInIntegrityMode(vcpu) || faults.contains(.acceptOutside) else { return .refusal(.outsideIntegrityMode) }
    guard let pages = pages(request) else { return .error(.invalid) }
    guard traces.areAllTraced(pages) else { return .error(.missing) }
    if isStillNeeded(pages, host: host) { return .refused(.stillProtected, status: .busy) }
    if faults.contains(.keepTrace) {
      traces.keep(pages)
    } else {
      traces.remove(pages, vcpu: UInt16(vcpu), cause: request.event, host: &host)
    }
    return .ok
  }

  private func isStillNeeded(_ pages: Range<UInt64>, host: some HypervisorHost) -> Bool {
    let tree = ProtectionTree(base: registration.basePointer, host: host)
    return pages.contains { gfn in
      if registration.driverPageKind(gfn) != nil { return true }
      switch tree.naming(gpa: gfn * guestPageSize, length: guestPageSize) {
      case .none: return false
      case .node: return true
      case .mapping: return !faults.contains(.unprotectLinked)
      }
    }
  }

  /// Faults only: what was put off until now. Returns the alert that is to follow.
  mutating func takeLate(_ vcpu: Int, host: inout some HypervisorHost) -> Event? {
    let alert = vcpus[vcpu].lateAlert
    vcpus[vcpu].lateAlert = nil
    if let event = vcpus[vcpu].lateLeave {
      vcpus[vcpu].lateLeave = nil
      vcpus[vcpu].hasIntegrity = false
      _ = host.record(event)
    }
    guard !isInIntegrityMode(vcpu) else { return alert }
    let requests = vcpus[vcpu].lateTraces
    vcpus[vcpu].lateTraces = []
    for request in requests {
      if let pages = pages(request) { traces.install(pages, vcpu: UInt16(vcpu), cause: request.event, host: &host) }
    }
    return alert
  }

  /// The pages that a request's first two arguments name, nil where they are not all guest RAM (or too many).
  private func pages(_ request: Hypercall.Request) -> Range<UInt64>? {
    let (gpa, count) = (request.argument(0), request.argument(1))
    guard configuration.arePages(gpa: gpa, pages: count) else { return nil }
    return gpa / guestPageSize..<gpa / guestPageSize + count
  }
}
