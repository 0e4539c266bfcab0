import GuestImages
import Glibc
import Hypervisor
import Runner
import Testing
import TraceEvents

/// A vCPU whose thread is late: it comes online only once another has sent it an interrupt in vain, or vCPU 0 waits, or the others have done much.
struct LateDecider: VCPUDecider {
  private var core: CoreDecider
  private let late: Int
  private var isHeld = true
  private var exits = 0
  private static let interruptCall: UInt64 = 11

  init(_ options: RecordingOptions, late: Int) throws {
    self.late = late
    core = try CoreDecider(options)
  }

  mutating func start(_ vcpu: Int, rip: UInt64, argument: UInt64, host: inout some HypervisorHost) {
    core.start(vcpu, rip: rip, argument: argument, host: &host)
  }

  mutating func handle(_ input: HypervisorInput, on vcpu: Int, host: inout some HypervisorHost) {
    core.handle(input, on: vcpu, host: &host)
    guard isHeld else { return }
    exits += 1
    switch input {
    case .hypercall(Self.interruptCall, let arguments, _, _) where arguments[0] == UInt64(late): break
    case .halt where vcpu == 0: break
    default: if exits < 1000 { return }
    }
    isHeld = false
    host.wake(late)
  }

  mutating func step(_ vcpu: Int, readiness: VCPUReadiness, host: inout some HypervisorHost) -> Directive {
    isHeld && vcpu == late ? .wait : core.step(vcpu, readiness: readiness, host: &host)
  }

  mutating func protect(_ plan: ProtectionPlan, host: inout some HypervisorHost) throws(ProtectionPlanError) { try core.protect(plan, host: &host) }

  var outcome: (reason: EndReason, detail: String)? { core.outcome }
}

/// On a busy host a thread may start long after its vCPU was told to: no built-in guest waits for the answer of one that is not there.
@Suite(.serialized) struct LateStartTests {
  @Test(.needsKVM, arguments: BuiltinGuest.all.map(\.name).filter { !["hello", "writer"].contains($0) })
  func builtinGuestsRunToTheirEnd(name: String) throws {
    let path = temporaryPath()
    defer { _ = unsafe unlink(path) }
    let options = RecordingOptions(image: try GuestImage(nameOrPath: name), vcpuCount: 4, output: path)
    let summary = try Recording.run(options, decider: try LateDecider(options, late: 1))
    #expect(summary.endReason == .guestFinished, "\(summary.detail)")
    #expect(summary.detail == "exit code 0")
  }
}
