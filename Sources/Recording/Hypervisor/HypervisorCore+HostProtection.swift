import TraceEvents
import TreeFormat

/// Protection that the host asks for, not a driver in the guest.
extension HypervisorCore {
  /// Puts the plan's tree into guest memory, traces its pages and those that it names, and takes it for the tree: in the order in which a driver would.
  ///
  /// Registration is locked then, with no entry point: nobody in the guest can change what is protected. Called while no vCPU is in the guest.
  public mutating func protect(_ plan: ProtectionPlan, host: inout some HypervisorHost) throws(ProtectionPlanError) {
    guard registration.basePointer == nil, !registration.isLocked else { throw .alreadyRegistered }
    for range in plan.memory where !configuration.isRAM(gpa: range.start, length: range.length) { throw .noSuchMemory(range) }
    for node in plan.nodes { host.writeMemory(gpa: node.gpa, node.node.page) }
    var end: UInt64 = 0
    for range in plan.ranges {
      // Two ranges may meet in a page.
      let first = max(range.start / guestPageSize, end)
      end = max((range.start + range.length + guestPageSize - 1) / guestPageSize, end)
      if first < end { traces.install(first..<end, vcpu: Event.host, cause: 0, host: &host) }
    }
    let first = plan.tree.start / guestPageSize
    traces.install(first..<first + UInt64(plan.nodes.count), vcpu: Event.host, cause: 0, host: &host)
    registration.basePointer = plan.base
    _ = host.record(Event(.basePointerSet, vcpu: Event.host, gpa: plan.base))
    registration.isLocked = true
    _ = host.record(Event(.registrationLocked, vcpu: Event.host))
  }
}
