import TraceEvents

/// Hypercalls that anyone may make. `pagetape_abi.h` is the contract with guests.
extension HypervisorCore {
  /// Takes in a hypercall. It is carried out at once, unless its vCPU is to be stopped or interrupted for the privileged mode first: then it is
  /// owed (`Activity.inHypercall`), and carried out when the vCPU is back. So nothing that one vCPU asks for changes what another
  /// one finds in the privileged mode. Going offline is never owed: it answers a stop by itself.
  mutating func receive(
    _ number: UInt64, _ arguments: [UInt64], rip: UInt64, interruptsEnabled: Bool, from vcpu: Int, host: inout some HypervisorHost
  ) {
    let call = Hypercall(rawValue: number)
    let known = arguments.prefix(call?.argumentCount ?? arguments.count)
    let data = known.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> ($0 * 8)) } }
    let event = host.record(Event(.hypercall, vcpu: UInt16(vcpu), rip: rip, a: number, data: data))
    let request = Hypercall.Request(
      number: number, arguments: Array(known), rip: rip, interruptsEnabled: interruptsEnabled, event: event)
    if stops.isWanted(vcpu), call != .offline {
      vcpus[vcpu].owed = request
    } else {
      carryOut(request, for: vcpu, host: &host)
    }
  }

  /// Carries out a hypercall and gives its result.
  mutating func carryOut(_ request: Hypercall.Request, for vcpu: Int, host: inout some HypervisorHost) {
    let outcome = Hypercall(rawValue: request.number).map { perform($0, request, vcpu, &host) } ?? .error(.unknown)
    switch outcome {
    case .result(let status, let value): answer(request, status, value: value, vcpu: vcpu, host: &host)
    case .refused(let reason, let status):
      _ = refuse(reason, rip: request.rip, cause: request.event, vcpu: vcpu, host: &host)
      answer(request, status, value: 0, vcpu: vcpu, host: &host)
    case .noReturn: break
    }
  }

  private func answer(_ request: Hypercall.Request, _ status: Hypercall.Status, value: UInt64, vcpu: Int, host: inout some HypervisorHost) {
    _ = host.record(
      Event(
        .hypercallResult, vcpu: UInt16(vcpu), cause: request.event, a: UInt64(bitPattern: status.rawValue), b: value))
    host.setHypercallResult(vcpu, status: status.rawValue, value: value)
  }

  /// A refused request performs an alert action instead of the request: it is denied, and an alert says so. Returns the `refusal`.
  func refuse(_ reason: RefusalReason, rip: UInt64, cause: UInt64, vcpu: Int, host: inout some HypervisorHost) -> UInt64 {
    let seq = host.record(Event(.refusal, vcpu: UInt16(vcpu), rip: rip, cause: cause, a: reason.rawValue))
    if faults.contains(.silentRefusal) { return seq }
    _ = host.record(
      Event(.alert, vcpu: UInt16(vcpu), rip: rip, cause: seq, a: UInt64(AlertAction.deny.rawValue), b: AlertOrigin.refusal.rawValue))
    return seq
  }

  private mutating func perform(
    _ call: Hypercall, _ request: Hypercall.Request, _ vcpu: Int, _ host: inout some HypervisorHost
  ) -> Hypercall.Outcome {
    switch call {
    case .version: .result(.ok, value: Hypercall.abiVersion)
    case .registerEntry: registerEntry(request, vcpu, &host)
    case .registerPages: registerPages(request, vcpu, &host)
    case .setBase: setBase(request, vcpu, &host)
    case .lock: lock(request, vcpu, &host)
    case .enter: enterIntegrityMode(request, vcpu, &host)
    case .leave: leaveIntegrityMode(request, vcpu, &host)
    case .protect: protect(request, vcpu, &host)
    case .unprotect: unprotect(request, vcpu, &host)
    case .privileged: askForPrivileged(request, vcpu, &host)
    case .privilegedLeave: leavePrivileged(vcpu, &host)
    case .ipi: sendInterrupt(request, vcpu, &host)
    case .startVCPU: startVCPU(request, vcpu, &host)
    case .offline: goOffline(vcpu, &host)
    case .console: print(request, vcpu, &host)
    case .finish: finish(request, &host)
    case .yield: .ok
    }
  }

  // MARK: Interrupts and the privileged mode

  /// The vCPU that an argument names, or what is wrong with it.
  private func onlineTarget(_ argument: UInt64) -> (target: Int, error: Hypercall.Outcome?) {
    guard argument < UInt64(vcpus.count) else { return (0, .error(.invalid)) }
    return (Int(argument), isOnline(Int(argument)) ? nil : .error(.missing))
  }

  private mutating func askForPrivileged(_ request: Hypercall.Request, _ vcpu: Int, _ host: inout some HypervisorHost) -> Hypercall.Outcome {
    let (target, error) = onlineTarget(request.argument(0))
    if let error { return error }
    raisePrivileged(target, sender: UInt16(vcpu), cause: request.event, host: &host)
    return .ok
  }

  private mutating func leavePrivileged(_ vcpu: Int, _ host: inout some HypervisorHost) -> Hypercall.Outcome {
    guard stops.isInside(vcpu) else { return .refusal(.notInMode) }
    stops.exit(vcpu, host: &host)
    return .noReturn
  }

  private mutating func sendInterrupt(_ request: Hypercall.Request, _ vcpu: Int, _ host: inout some HypervisorHost) -> Hypercall.Outcome {
    let (target, error) = onlineTarget(request.argument(0))
    guard let vector = UInt8(exactly: request.argument(1)), vector >= 32 else { return .error(.invalid) }
    if let error { return error }
    raiseInterrupt(target, vector: vector, sender: UInt16(vcpu), cause: request.event, host: &host)
    return .ok
  }

  // MARK: vCPUs, console, end

  private mutating func startVCPU(_ request: Hypercall.Request, _ vcpu: Int, _ host: inout some HypervisorHost) -> Hypercall.Outcome {
    let rip = request.argument(1)
    guard request.argument(0) < UInt64(vcpus.count), configuration.isRAM(gpa: rip, length: 1) else { return .error(.invalid) }
    let target = Int(request.argument(0))
    switch vcpus[target].life {
    case .starting, .online: return .error(.exists)
    case .gone: return .error(.missing)
    case .offline: break
    }
    start(target, rip: rip, argument: request.argument(2), sender: UInt16(vcpu), cause: request.event, host: &host)
    return .ok
  }

  private mutating func goOffline(_ vcpu: Int, _ host: inout some HypervisorHost) -> Hypercall.Outcome {
    // A vCPU in integrity mode leaves it first.
    guard stops.mayGoOffline(vcpu), !vcpus[vcpu].hasIntegrity else { return .error(.busy) }
    stops.goOffline(vcpu, host: &host)
    vcpus[vcpu] = VCPU(life: .gone)
    interrupts.forget(vcpu)
    endIfIdle(host: &host)
    return .noReturn
  }

  private func print(_ request: Hypercall.Request, _ vcpu: Int, _ host: inout some HypervisorHost) -> Hypercall.Outcome {
    let (gpa, count) = (request.argument(0), request.argument(1))
    if count == 0 { return .ok }
    guard count <= guestPageSize, configuration.isRAM(gpa: gpa, length: count), let text = host.readMemory(gpa: gpa, count: Int(count)) else {
      return .error(.invalid)
    }
    _ = host.record(Event(.console, vcpu: UInt16(vcpu), data: text))
    return .ok
  }

  private mutating func finish(_ request: Hypercall.Request, _ host: inout some HypervisorHost) -> Hypercall.Outcome {
    requestEnd(.guestFinished, detail: "exit code \(request.argument(0))", host: &host)
    return .noReturn
  }
}

extension StopProtocol {
  /// Whether the vCPU is to be stopped, or interrupted for the mode, before its guest code goes on.
  func isWanted(_ vcpu: Int) -> Bool { members[vcpu].place == .outside && (members[vcpu].stop != nil || members[vcpu].latched != nil) }
}
