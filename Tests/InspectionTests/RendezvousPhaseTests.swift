import Inspection
import Testing
import TraceEvents
import TraceFormat

struct RendezvousPhaseTests {
  @Test func aRendezvousGoesThroughItsPhases() throws {
    let steps: [(Event, RendezvousPhase)] = [
      (Event(.vcpuOnline, vcpu: 0), .free), (Event(.vcpuOnline, vcpu: 1), .free),
      (Event(.privilegedRaise, vcpu: Event.host, a: 0), .free), (Event(.rendezvousClaim, vcpu: 0, cause: 3, b: 1), .stopping),
      (Event(.stopSend, vcpu: 0, a: 1, b: 1), .stopping), (Event(.stopAck, vcpu: 1, cause: 5, b: 1), .stopping),
      (Event(.regionMap, vcpu: 0, gpa: 4096, a: 4096, b: 1), .mapped), (Event(.modeEnter, vcpu: 0, cause: 3, b: 1), .inMode),
      (Event(.privilegedRaise, vcpu: Event.host, a: 1), .inMode), (Event(.modeExit, vcpu: 0, a: ExitPath.handOver.rawValue, b: 1), .handingOver),
      (Event(.modeEnter, vcpu: 1, cause: 9, a: EntryPath.handedOver.rawValue, b: 1), .inMode),
      (Event(.modeExit, vcpu: 1, a: ExitPath.last.rawValue, b: 1), .unmapping), (Event(.regionUnmap, vcpu: 1, gpa: 4096, a: 4096, b: 1), .resuming),
      (Event(.resumeSend, vcpu: 1, a: 0, b: 1), .resuming), (Event(.rendezvousEnd, vcpu: 1, b: 1), .free),
    ]
    let batch = try EventBatch(encoding: steps.map(\.0), header: TraceHeader(vcpuCount: 2))
    for (index, step) in steps.enumerated() {
      var state = MachineState(vcpuCount: 2)
      state.fold(batch, through: UInt64(index + 1))
      #expect(RendezvousPhase(state) == step.1, "after \(step.0.kind.name) at \(index + 1)")
    }
  }
}
