import Analyzer
import Hypervisor
import Minimization
import Reports
import Symbols
import TestSeeds
import Testing
import TraceEvents
import TreeFormat

/// What the host protects in a guest without a driver: the tree that it builds says just that, and the analyzer agrees.
struct HostProtectionTests {
  private static let treeAt: UInt64 = 0xff_0000
  private static let rip: UInt64 = 0x1000

  /// A guest of one vCPU under `plan`, which then stores 8 bytes at each of `writes`.
  private static func events(_ plan: ProtectionPlan, writes: [UInt64], canTrace: Bool = true) throws -> [Event] {
    var host = PlainHost()
    var core = HypervisorCore(
      configuration: HypervisorConfiguration(
        vcpuCount: 1, memory: ProtectionMachine.memory, region: ProtectionMachine.region, endsWhenIdle: false, canTrace: canTrace))
    _ = host.record(Event(.sessionStart, vcpu: Event.host, a: 1))
    core.start(rip: rip, argument: 0, host: &host)
    try core.protect(plan, host: &host)
    func goOn(_ core: inout HypervisorCore, _ host: inout PlainHost) {
      while case .again = core.step(0, readiness: VCPUReadiness(canTakeInterrupt: false), host: &host) {}
      _ = host.record(Event(.guestEnter, vcpu: 0, rip: rip))
    }
    goOn(&core, &host)
    for (number, gpa) in writes.enumerated() {
      let bytes = (0..<8).map { UInt8(truncatingIfNeeded: number + $0 + 1) }
      if host.traced.contains(gpa >> 12), canTrace {
        _ = host.record(Event(.guestExit, vcpu: 0, rip: rip, a: GuestExitReason.trappedWrite.rawValue))
        core.handle(.trappedWrite(gpa: gpa, bytes: bytes, rip: rip + UInt64(number), flags: 0), on: 0, host: &host)
        goOn(&core, &host)
      } else {
        host.write(gpa, bytes)
        host.dirty[0].insert(gpa >> 12)
      }
    }
    host.tellWrites(of: 0)
    _ = host.record(Event(.guestExit, vcpu: 0, rip: rip, a: GuestExitReason.kick.rawValue))
    _ = host.record(Event(.sessionEnd, vcpu: Event.host, a: EndReason.guestFinished.rawValue))
    return host.events
  }

  private static func verdict(_ events: [Event], writes: WriteMode = .protected) -> Verdict {
    var analyzer = Analyzer(
      Analyzer.Subject(
        vcpuCount: 1, memory: ProtectionMachine.memory, region: ProtectionMachine.region, attribution: .everyWrite, writes: writes))
    for event in events { analyzer.consume(event) }
    return analyzer.finish()
  }

  @Test func whatIsWrittenThereIsAlertedAboutAndFound() throws {
    var random = Seed(salt: 61)
    for round in 0..<60 {
      // From a few to more than a leaf holds, from bytes to pages, in one page or in many.
      let span = UInt64(1) << UInt64(12 + random.below(10))
      let ranges = (0...random.below(round % 4 == 0 ? 400 : 12)).map { _ in
        GuestRange(start: 0x10_0000 + random.next() % span, length: 1 + random.next() % (random.chance(20) ? 3 * 4096 : 40))
      }
      let plan: ProtectionPlan
      do { plan = try ProtectionPlan(protecting: ranges, treeAt: Self.treeAt) } catch {
        guard case .crowdedPage = error else { throw error }
        continue
      }
      var writes = (0..<100).map { _ in (0x10_0000 + random.next() % (span + 8192)) & ~7 }
      for range in ranges.prefix(20) {
        let end = range.start + range.length
        writes += [range.start, end - 1, end + 7].map { $0 & ~7 }
      }
      let expected = writes.filter { gpa in ranges.contains { $0.start < gpa + 8 && gpa < $0.start + $0.length } }
      let events = try Self.events(plan, writes: writes)
      let alerts = events.filter { $0.kind == .alert }
      #expect(alerts.map(\.gpa) == expected, "PAGETAPE_SEED=\(Seed.run), round \(round)")
      #expect(alerts.allSatisfy { $0.a == UInt64(AlertAction.notify.rawValue) && $0.b == AlertOrigin.mapping.rawValue })
      let verdict = Self.verdict(events)
      #expect(Set(verdict.findings.map(\.rule)) == (expected.isEmpty ? [] : [.treeProtectedWrite]), "PAGETAPE_SEED=\(Seed.run), round \(round): \(verdict)")
      #expect(verdict.findings.first?.count ?? 0 == expected.count)
      if let finding = verdict.findings.first { #expect(finding.because.contains { $0.what.hasPrefix("the host ") }, "\(finding.because)") }
    }
  }

  /// 40,000 mappings: three levels.
  @Test func aLargeTreeIsATree() throws {
    let ranges = (0..<40_000).map { GuestRange(start: 0x20_0000 + UInt64($0) * 300, length: 8) }
    let plan = try ProtectionPlan(protecting: ranges, treeAt: 0x2_0000)
    #expect(plan.nodes.last?.node.level == 2 && plan.ranges == ranges)
    let writes = [ranges[0].start, ranges[20_123].start + 4, ranges[39_999].start, ranges[7].start + 8]
    let verdict = Self.verdict(try Self.events(plan, writes: writes.map { $0 & ~3 }))
    #expect(verdict.findings.map(\.rule) == [.treeProtectedWrite] && verdict.findings.first?.count == 3, "\(verdict)")
  }

  @Test func theTreeItselfIsDenied() throws {
    let plan = try ProtectionPlan(protecting: [GuestRange(start: 0x10_0000, length: 100)], treeAt: Self.treeAt)
    let events = try Self.events(plan, writes: [plan.base + 64, 0x10_0000 + 104])
    let alert = try #require(events.first { $0.kind == .alert })
    #expect(alert.a == UInt64(AlertAction.deny.rawValue) && alert.b == AlertOrigin.node.rawValue)
    #expect(Self.verdict(events).outcome == .clean)
  }

  /// What an action stops breaks no rule, and the reader sees who tried.
  @Test func stoppedWritesAreTold() throws {
    let plan = try ProtectionPlan(protecting: [GuestRange(start: 0x10_0000, length: 4096)], action: .deny, treeAt: Self.treeAt)
    let verdict = Self.verdict(try Self.events(plan, writes: [0x10_0010] + (0..<11).map { 0x10_0100 + 8 * $0 } + [0x10_2000]))
    #expect(verdict.outcome == .clean && verdict.stopped.count == 12)
    let map = Array("0000000000001000 0000000000000001 T tries\n0000000000100000 0000000000001000 D secret\n".utf8)
    let text = verdict.text(name: "x", symbols: try GuestSymbols(map: map, offset: 0))
    let told = try #require(text.split(separator: "\n", omittingEmptySubsequences: false).firstIndex(of: "Stopped: 12 writes to protected memory"))
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)[(told + 1)...]
    #expect(lines.first == "  - 1 by 0x1000 (tries), event 12, vCPU 0, deny at gpa 0x100010 (secret+0x10)", "\(text)")
    #expect(lines.dropFirst(10).first == "  - and 2 more instructions", "\(text)")
    let json = verdict.json(nil).text
    #expect(
      json.contains(
        #""stopped": {"count": 12, "cut": false, "instructions": [{"rip": "0x1000", "count": 1, "seq": 12, "vcpu": 0, "gpa": "0x100010", "action": "deny"}, "#))
    let none = Self.verdict(try Self.events(plan, writes: [0x10_2000]))
    #expect(!none.text(name: "x").contains("Stopped"))
  }

  /// What shows a breach needs the page that holds the tree, and none of the others that were protected with the one written.
  @Test func aSmallerTraceHoldsFewPages() throws {
    let plan = try ProtectionPlan(protecting: [GuestRange(start: 0x10_0000, length: 200 * 4096)], treeAt: Self.treeAt)
    let events = try Self.events(plan, writes: [0x20_0000, 0x11_3010, 0x10_2000])
    #expect(events.count { $0.kind == .pageContents } == 201)
    let small = try MinimizationTests.minimize(events, MinimizationTests.header(vcpus: 1, isProtection: true), "tree/protected-write")
    #expect(small.finding.gpa == 0x11_3010)
    #expect(small.events.filter { $0.kind == .pageContents }.map(\.gpa) == [plan.base])
  }

  /// Without traces the page-writes tell, where the page is protected as a whole.
  @Test func withoutTracesPageWritesTell() throws {
    let plan = try ProtectionPlan(protecting: [GuestRange(start: 0x10_0000, length: 8192)], treeAt: Self.treeAt)
    let verdict = Self.verdict(try Self.events(plan, writes: [0x10_1000], canTrace: false), writes: .pages)
    #expect(verdict.findings.map(\.rule) == [.treeProtectedWrite], "\(verdict)")
  }

  @Test func whatCannotBeIsRefused() throws {
    func error(_ ranges: [GuestRange]) -> ProtectionPlanError? {
      do { _ = try ProtectionPlan(protecting: ranges, treeAt: Self.treeAt) } catch { return error }
      return nil
    }
    #expect(error([]) == .nothing)
    for (start, length) in [(5, 0), (.max, 2), (1 << 52, 1), (1, .max)] as [(UInt64, UInt64)] {
      let range = GuestRange(start: start, length: length)
      #expect(error([range]) == .noSuchMemory(range))
    }
    let meeting = GuestRange(start: Self.treeAt - 4, length: 5)
    #expect(error([meeting]) == .meetsTree(meeting))
    #expect(error((0..<200).map { GuestRange(start: 0x10_0000 + $0 * 10, length: 4) }) == .crowdedPage(0x10_0000))
    let plan = try ProtectionPlan(protecting: [GuestRange(start: 16 << 20, length: 1)], treeAt: Self.treeAt)
    #expect(throws: ProtectionPlanError.noSuchMemory(GuestRange(start: 16 << 20, length: 1))) { try Self.events(plan, writes: []) }
    var host = PlainHost()
    var core = HypervisorCore(
      configuration: HypervisorConfiguration(vcpuCount: 1, memory: ProtectionMachine.memory, region: ProtectionMachine.region))
    let good = try ProtectionPlan(protecting: [GuestRange(start: 0x10_0000, length: 8)], treeAt: Self.treeAt)
    core.start(rip: 0, argument: 0, host: &host)
    try core.protect(good, host: &host)
    #expect(throws: ProtectionPlanError.alreadyRegistered) { try core.protect(good, host: &host) }
  }
}
