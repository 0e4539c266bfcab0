package import Hypervisor
package import TraceEvents

/// The hypervisor core, as what decides for a session.
package struct CoreDecider: VCPUDecider {
  private var core: HypervisorCore

  package init(_ options: RecordingOptions) throws(RecordingError) {
    var faults: FaultSet = []
    for name in options.faults {
      guard let fault = Fault(name: name) else { throw .usage("no fault named '\(name)'; 'pagetape faults' lists them") }
      faults.formUnion(FaultSet(fault))
    }
    core = HypervisorCore(
      configuration: HypervisorConfiguration(
        vcpuCount: options.vcpuCount, memory: [GuestRange(start: 0, length: options.memorySize)],
        region: GuestRange(start: GuestInterface.regionBase, length: GuestInterface.regionSize), faults: faults,
        canTrace: options.writes != .pages))
  }

  package mutating func start(_ vcpu: Int, rip: UInt64, argument: UInt64, host: inout some HypervisorHost) {
    core.start(vcpu, rip: rip, argument: argument, host: &host)
  }

  package mutating func handle(_ input: HypervisorInput, on vcpu: Int, host: inout some HypervisorHost) {
    core.handle(input, on: vcpu, host: &host)
  }

  package mutating func step(_ vcpu: Int, readiness: VCPUReadiness, host: inout some HypervisorHost) -> Directive {
    core.step(vcpu, readiness: readiness, host: &host)
  }

  package mutating func protect(_ plan: ProtectionPlan, host: inout some HypervisorHost) throws(ProtectionPlanError) {
    try core.protect(plan, host: &host)
  }

  package var outcome: (reason: EndReason, detail: String)? { core.sessionEnd.map { ($0, core.sessionEndDetail) } }
}
