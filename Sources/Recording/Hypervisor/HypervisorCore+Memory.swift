import TraceEvents

/// Trapped writes, and accesses to what is not in the view.
extension HypervisorCore {
  /// Decides about a write to a traced page. Trap, alert and result are recorded together, so that nothing comes between.
  mutating func handleWrite(
    gpa: UInt64, bytes: [UInt8], rip: UInt64, flags: UInt64, on vcpu: Int, host: inout some HypervisorHost
  ) {
    let length = UInt64(bytes.count)
    precondition((1...8).contains(length) && gpa % guestPageSize + length <= guestPageSize, "a write of 1 to 8 bytes within a page")
    let number = UInt16(vcpu)
    let trap = host.record(Event(.writeTrap, vcpu: number, gpa: gpa, rip: rip, a: flags, data: bytes))
    let verdict = verdict(gpa: gpa, length: length, vcpu: vcpu, host: host)
    let before = host.readMemory(gpa: gpa, count: bytes.count) ?? []
    var outcome = WriteOutcome.applied
    var lands = true
    if case .alert(let action, let origin) = verdict {
      raiseAlert(Event(.alert, vcpu: number, gpa: gpa, rip: rip, cause: trap, a: UInt64(action.rawValue), b: origin.rawValue), host: &host)
      outcome = action == .notify ? .applied : .dropped
      lands = outcome == .applied || (action == .deny && faults.contains(.denyLands))
      perform(action, detail: "write to 0x\(String(gpa, radix: 16)) by vCPU \(vcpu)", host: &host)
    } else if faults.contains(.spuriousAlert) {
      _ = host.record(
        Event(
          .alert, vcpu: number, gpa: gpa, rip: rip, cause: trap, a: UInt64(AlertAction.notify.rawValue), b: AlertOrigin.mapping.rawValue))
    }
    let isTorn = faults.contains(.tornWrite) && bytes.count == 8 && isInIntegrityMode(vcpu)
    if lands, !before.isEmpty { host.writeMemory(gpa: gpa, isTorn ? Array(bytes.prefix(2)) : bytes) }
    let after = host.readMemory(gpa: gpa, count: bytes.count) ?? []
    _ = host.record(Event(.writeResult, vcpu: number, gpa: gpa, cause: trap, a: outcome.rawValue, data: before + after))
  }

  private func verdict(gpa: UInt64, length: UInt64, vcpu: Int, host: some HypervisorHost) -> AlertPolicy.Verdict {
    let policy = AlertPolicy(
      driverPage: registration.driverPageKind(gpa / guestPageSize), isInIntegrityMode: isInIntegrityMode(vcpu), faults: faults)
    return policy.verdict { ProtectionTree(base: registration.basePointer, host: host).naming(gpa: gpa, length: length) }
  }

  /// Raises the alert of a write.
  private mutating func raiseAlert(_ alert: Event, host: inout some HypervisorHost) {
    var alert = alert
    if alert.a == UInt64(AlertAction.deny.rawValue) {
      if faults.contains(.dropAlert) { return }
      if faults.contains(.wrongAction) { alert.a = UInt64(AlertAction.suspend.rawValue) }
      if faults.contains(.lateAlert) {
        vcpus[Int(alert.vcpu)].lateAlert = alert
        return
      }
    }
    _ = host.record(alert)
  }

  /// What an action means for the virtual machine.
  private mutating func perform(_ action: AlertAction, detail: String, host: inout some HypervisorHost) {
    switch action {
    case .notify, .deny: break
    case .suspend: requestEnd(.suspendedByAlert, detail: detail, host: &host)
    case .terminate: requestEnd(.terminatedByAlert, detail: detail, host: &host)
    }
  }

  /// A touch of the special region from outside the mode is denied, with an alert. Elsewhere nothing is there, and nobody is alerted.
  mutating func handleUnmappedAccess(
    gpa: UInt64, access: AccessKind, write: [UInt8]?, rip: UInt64, on vcpu: Int, host: inout some HypervisorHost
  ) {
    let isRegion = configuration.region.contains(gpa)
    let seq = host.record(
      Event(
        isRegion ? .regionAccess : .unmappedAccess, vcpu: UInt16(vcpu), gpa: gpa, rip: rip, a: access.rawValue, data: write ?? []))
    guard isRegion, !stops.isInside(vcpu) else { return }
    _ = host.record(
      Event(
        .alert, vcpu: UInt16(vcpu), gpa: gpa, rip: rip, cause: seq, a: UInt64(AlertAction.deny.rawValue), b: AlertOrigin.region.rawValue))
    guard let write, faults.contains(.serveRegion) else { return }
    host.writeMemory(gpa: gpa, write)
    let diff = PageDiff(runs: [PageDiff.Run(offset: Int(gpa % guestPageSize), bytes: write)])
    _ = host.record(Event(.pageWrite, vcpu: UInt16(vcpu), gpa: gpa & ~(guestPageSize - 1), a: 1, data: diff.encoded))
  }
}
