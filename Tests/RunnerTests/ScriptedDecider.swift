import Hypervisor
import Runner
import TraceEvents

/// Decides in the simplest way: does what the guest asks by hypercall, lets every write through.
struct ScriptedDecider: VCPUDecider {
  enum Call: UInt64 {
    case finish = 15, yield = 16, trace = 100, untrace = 101, start = 12, enterHandler = 9, leaveHandler = 10, mapRegion = 102, unmapRegion = 103
    case raise = 11
  }

  var outcome: (reason: EndReason, detail: String)?
  var online: Set<Int> = [0]
  var finished: Set<Int> = []
  var halted: Set<Int> = []
  var interrupts: [Int: [UInt8]] = [:]
  /// Digest before each entry of the handler, compared after it.
  var digests: [Int: RegisterSnapshot] = [:]
  var mismatches = 0

  mutating func start(_ vcpu: Int, rip: UInt64, argument: UInt64, host: inout some HypervisorHost) {
    host.prepareStart(vcpu, rip: rip, argument: argument)
  }

  mutating func step(_ vcpu: Int, readiness: VCPUReadiness, host: inout some HypervisorHost) -> Directive {
    if outcome != nil || finished.contains(vcpu) { return .finish }
    if readiness.canTakeInterrupt, let vector = interrupts[vcpu]?.first {
      interrupts[vcpu]?.removeFirst()
      host.injectInterrupt(vcpu, vector: vector)
      halted.remove(vcpu)
      return .run(interruptWindow: false)
    }
    guard online.contains(vcpu), !halted.contains(vcpu) else { return .wait }
    return .run(interruptWindow: interrupts[vcpu]?.isEmpty == false)
  }

  mutating func handle(_ input: HypervisorInput, on vcpu: Int, host: inout some HypervisorHost) {
    switch input {
    case .trappedWrite(let gpa, let bytes, let rip, let flags):
      let event = Event(.writeTrap, vcpu: UInt16(vcpu), gpa: gpa, rip: rip, a: flags, data: bytes)
      let trap = host.record(event)
      let before = host.readMemory(gpa: gpa, count: bytes.count) ?? []
      host.writeMemory(gpa: gpa, bytes)
      let after = host.readMemory(gpa: gpa, count: bytes.count) ?? []
      _ = host.record(Event(.writeResult, vcpu: UInt16(vcpu), gpa: gpa, cause: trap, data: before + after))
    case .unmappedAccess(let gpa, let write, _, let rip):
      let kind = write == nil ? AccessKind.read : .write
      _ = host.record(Event(.unmappedAccess, vcpu: UInt16(vcpu), gpa: gpa, rip: rip, a: kind.rawValue, data: write ?? []))
    case .hypercall(let number, let arguments, _, _): hypercall(number, arguments, vcpu, &host)
    case .halt: halted.insert(vcpu)
    case .kicked: break
    case .failed(let reason, let detail, _, _): outcome = (reason, detail)
    }
  }

  /// It has no tree.
  mutating func protect(_ plan: ProtectionPlan, host: inout some HypervisorHost) throws(ProtectionPlanError) { throw .nothing }

  private mutating func hypercall(_ number: UInt64, _ arguments: [UInt64], _ vcpu: Int, _ host: inout some HypervisorHost) {
    switch Call(rawValue: number) {
    case .finish: outcome = (.guestFinished, "code \(arguments[0])")
    case .trace: host.setTraced(true, firstGFN: arguments[0] / 4096, pageCount: arguments[1])
    case .untrace: host.setTraced(false, firstGFN: arguments[0] / 4096, pageCount: arguments[1])
    case .mapRegion: host.setRegionMapped(true)
    case .unmapRegion: host.setRegionMapped(false)
    case .start:
      let target = Int(arguments[0])
      host.prepareStart(target, rip: arguments[1], argument: arguments[2])
      online.insert(target)
      host.wake(target)
    case .enterHandler:
      digests[vcpu] = host.registers(of: vcpu)
      host.setRegionMapped(true)
      host.enterHandler(vcpu)
      return
    case .leaveHandler:
      host.restoreInterrupted(vcpu)
      if host.registers(of: vcpu) != digests[vcpu] { mismatches += 1 }
      if mismatches > 0 { outcome = (.internalError, "registers differ after the handler") }
    case .raise:
      let target = Int(arguments[0])
      interrupts[target, default: []].append(UInt8(arguments[1]))
      _ = host.record(Event(.interruptRaise, vcpu: UInt16(vcpu), a: arguments[0], b: arguments[1]))
      host.kick(target)
    case .yield, nil: break
    }
    host.setHypercallResult(vcpu, status: 0, value: number)
  }
}
