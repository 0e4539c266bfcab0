import GuestImages
import Runner
import Testing
import TraceEvents

/// A guest that tries to get around the protection, under the real hypervisor core: every attempt ends in its alert.
@Suite(.serialized) struct AttackTests {
  @Test(.needsKVM, arguments: [1, 2, 4]) func everyAttackIsAnswered(vcpus: Int) throws {
    let recorded = try Recorded(image: try GuestImage(nameOrPath: "attacks"), vcpus: vcpus)
    #expect(recorded.summary.endReason == .guestFinished && recorded.summary.detail == "exit code 0", "\(recorded.summary)")
    let alerts = recorded.of(.alert)
    let refusals = recorded.of(.refusal)
    for vcpu in 0..<UInt16(vcpus) {
      let origins = alerts.filter { $0.vcpu == vcpu }.map { AlertOrigin(rawValue: $0.b) }
      // Counted in attacks.S: attack_pages, what the driver writes for whoever jumps into it, attack_region.
      #expect(origins.count { $0 == .node } == 6)
      #expect(origins.count { $0 == .mapping } == 2)
      #expect(origins.count { $0 == .driverPage } == 4)
      #expect(origins.count { $0 == .region } == 4)
      let own = refusals.filter { $0.vcpu == vcpu }
      #expect(origins.count { $0 == .refusal } == own.count)
      let reasons = Set(own.compactMap { RefusalReason(rawValue: $0.a) })
      #expect(
        reasons.isSuperset(of: [
          .wrongEntryPoint, .outsideIntegrityMode, .registrationLocked, .notInMode, .alreadyInMode, .interruptsEnabled, .haltInMode,
        ]), "vCPU \(vcpu): \(reasons)")
      if vcpu == 0 {
        #expect(own.count { $0.a == RefusalReason.malformedTree.rawValue } == 6)
        #expect(own.count { $0.a == RefusalReason.alreadyRegistered.rawValue } == 2)
      }
    }
    // Each answers an event of its own vCPU.
    let answered = Dictionary(uniqueKeysWithValues: (recorded.of(.writeTrap) + refusals + recorded.of(.regionAccess)).map { ($0.seq, $0.vcpu) })
    for alert in alerts { #expect(answered[alert.cause] == alert.vcpu) }
    #expect(Set(alerts.map(\.cause)).count == alerts.count)
    // No attempt has an effect: every denied write left what was there.
    for result in recorded.of(.writeResult) where result.a == WriteOutcome.dropped.rawValue {
      let half = result.data.count / 2
      #expect(result.data[..<half] == result.data[half...])
    }
  }
}
