import Analyzer
import Hypervisor
import Minimization
import Races
import Synthesizer
import Testing
import TraceEvents
import TraceFormat

/// A trace made smaller, without guest and file: it is short, and the analyzer finds the same in it.
@Suite struct MinimizationTests {
  /// Events in memory, as a trace.
  private struct Source: TraceSource {
    let batches: [EventBatch]

    init(_ events: [Event], _ header: TraceHeader) throws {
      batches = try stride(from: 0, to: events.count, by: 1000).map {
        try EventBatch(encoding: Array(events[$0..<min($0 + 1000, events.count)]), header: header)
      }
    }

    func run<Pass: TracePass & ~Copyable>(_ pass: inout Pass) {
      for batch in batches where !pass.isDone { pass.consume(batch) }
    }
  }

  static func header(vcpus: Int, isProtection: Bool) -> TraceHeader {
    TraceHeader(
      vcpuCount: vcpus, memory: isProtection ? ProtectionMachine.memory : ModelMachine.memory,
      region: isProtection ? ProtectionMachine.region : ModelMachine.region, attribution: .everyWrite)
  }

  private static func subject(of header: TraceHeader) -> Analyzer.Subject {
    Analyzer.Subject(vcpuCount: header.vcpuCount, memory: header.memory, region: header.region, attribution: header.attribution)
  }

  private static func verdict(_ events: [Event], _ header: TraceHeader) throws -> Verdict {
    Verdict(of: try Source(events, header), subject(of: header), isComplete: true)
  }

  /// What the command does, in memory.
  static func minimize(_ events: [Event], _ header: TraceHeader, _ rule: String, at seq: UInt64? = nil) throws -> MinimizedTrace {
    let source = try Source(events, header)
    let subject = subject(of: header)
    let verdict = Verdict(of: source, subject, isComplete: true)
    return try TraceMinimizer(header: header, subject: subject).minimize(source, verdict: verdict, rule: RuleGlob(rule), at: seq)
  }

  /// A recording of this fault, the first from `seed` on that shows one of the rules that its entry names.
  private static func trace(of fault: Fault, from seed: UInt64) throws -> (events: [Event], header: TraceHeader, rules: [Rule])? {
    let isProtection = !fault.name.hasPrefix("stop/")
    let header = header(vcpus: isProtection ? 2 : 3, isProtection: isProtection)
    for seed in seed..<seed + 200 {
      var events: [Event]
      if isProtection {
        var machine = ProtectionMachine(seed: seed, faults: FaultSet(fault))
        events = machine.run(rounds: 40)
      } else {
        var machine = ModelMachine(vcpus: 3, seed: seed, faults: FaultSet(fault))
        events = machine.run(600)
      }
      let rules = try verdict(events, header).findings.map(\.rule).filter { $0.severity != .loss }
      if rules.contains(where: { fault.entry.rules.contains($0.name) }) { return (events, header, rules) }
    }
    return nil
  }

  /// What must hold of every result: checked on the events alone, by a verdict of their own.
  private static func check(_ small: MinimizedTrace, of events: [Event], _ header: TraceHeader, _ rules: [Rule], _ name: Comment, limit: Int = 100) throws {
    let kinds = Dictionary(grouping: small.events, by: \.kind.name).mapValues(\.count)
    #expect(small.events.count < limit, "\(name): \(kinds)")
    #expect(small.originalCount == events.count, name)
    #expect(small.events.map(\.seq) == Array(1...UInt64(small.events.count)), name)
    let verdict = try verdict(small.events, small.header)
    let found = try #require(verdict.findings.first { $0.rule == small.original.rule }, name)
    #expect(found.vcpu == small.original.vcpu && found.gpa == small.original.gpa && found.rip == small.original.rip, name)
    #expect(found.expected == small.finding.expected && found.seq == small.finding.seq, name)
    #expect(Set(verdict.findings.map(\.rule)).subtracting(rules).isSubset(of: [.traceLost, .traceDamaged]), name)
    // Every event is one of the whole, in its order, but for numbers.
    var rest = events[...]
    for event in small.events {
      guard let at = rest.firstIndex(where: { $0.time == event.time && isSame($0, event) }) else {
        Issue.record("\(name): event \(event) is not of the whole")
        return
      }
      let whole = events[at]
      rest = rest[(at + 1)...]
      guard event.cause != 0 else { continue }
      #expect(event.cause < event.seq, name)
      #expect(isSame(small.events[Int(event.cause) - 1], events[Int(whole.cause) - 1]), name)
    }
  }

  private static func isSame(_ one: Event, _ other: Event) -> Bool {
    var copy = other
    (copy.seq, copy.cause) = (one.seq, one.cause)
    if one.kind == .regionMap { copy.data = one.data }
    return copy == one
  }

  @Test("each fault shows in less than a hundred events", arguments: Fault.allCases)
  func fault(_ fault: Fault) throws {
    let (events, header, rules) = try #require(try Self.trace(of: fault, from: ModelMachineTests.seed))
    for rule in rules {
      #if DEBUG
        // A debug build takes ten times as long: what the fault may break besides is left to the release build.
        if !fault.entry.rules.contains(rule.name) { continue }
      #endif
      let small = try Self.minimize(events, header, rule.name)
      // What a fault may break besides can rest on more.
      let limit = fault.entry.rules.contains(rule.name) ? 100 : 200
      try Self.check(small, of: events, header, rules, "\(fault.name): \(rule.name)", limit: limit)
    }
  }

  /// Finer than the bonds that the search keeps: told from the events alone.
  @Test("pairs stay whole, on every schedule")
  func pairs() throws {
    #if DEBUG
      let seeds: UInt64 = 2
    #else
      let seeds: UInt64 = 6
    #endif
    for seed in ModelMachineTests.seed..<ModelMachineTests.seed + seeds {
      for fault in [Fault.mapEarly, .forgetResume, .earlyUnmap] {
        guard let (events, header, rules) = try Self.trace(of: fault, from: seed * 1000) else { continue }
        let small = try Self.minimize(events, header, rules[0].name)
        let name: Comment = "seed \(seed * 1000), \(fault.name)"
        try Self.check(small, of: events, header, rules, name)
        let acks = small.events.filter { $0.kind == .stopAck && $0.cause != 0 }
        for ack in acks { #expect(small.events[Int(ack.cause) - 1].kind == .stopSend, name) }
        for map in small.events where map.kind == .regionMap {
          for word in map.words { #expect([.stopAck, .vcpuOffline].contains(small.events[Int(word) - 1].kind), name) }
        }
        for take in small.events where take.kind == .resumeTake && take.cause != 0 {
          #expect(small.events[Int(take.cause) - 1].kind == .resumeSend, name)
        }
      }
    }
  }

  @Test("the same trace and finding give the same events")
  func deterministic() throws {
    let (events, header, rules) = try #require(try Self.trace(of: .mapEarly, from: ModelMachineTests.seed))
    let one = try Self.minimize(events, header, rules[0].name)
    let other = try Self.minimize(events, header, rules[0].name)
    #expect(one.events == other.events && one.header == other.header && one.tests == other.tests)
  }

  @Test("what was made smaller says of what, also the second time")
  func header() throws {
    let (events, header, _) = try #require(try Self.trace(of: .mapEarly, from: ModelMachineTests.seed))
    var digest = EventDigest()
    for batch in try Source(events, header).batches { digest.combine(batch) }
    let small = try Self.minimize(events, header, "stop/region-exposed")
    let again = try Self.minimize(small.events, small.header, "stop/*")
    for header in [small.header, again.header] {
      #expect(header.property(TraceHeader.Property.Name.minimizedFrom) == digest.text)
      #expect(header.property(TraceHeader.Property.Name.minimizedFinding) == "stop/region-exposed")
      #expect(header.properties.count { $0.name == TraceHeader.Property.Name.minimizedFinding } == 1)
    }
    #expect(again.events.count <= small.events.count)
  }

  @Test("a repeat is shown where it was, and not the first break")
  func repeats() throws {
    let (events, header, rules) = try #require(try Self.trace(of: .mapEarly, from: ModelMachineTests.seed))
    let verdict = try Self.verdict(events, header)
    let places = try #require(verdict.places[.stopRegionExposed])
    try #require(places.count > 1)
    for place in places[1...].prefix(2) {
      let small = try Self.minimize(events, header, "stop/region-exposed", at: place)
      #expect(small.original.seq == place && small.events.count < 100)
      let shown = try Self.verdict(small.events, small.header)
      #expect(shown.places[.stopRegionExposed]?.contains(small.finding.seq) == true)
      #expect(small.earlier == shown.findings.first { $0.rule == .stopRegionExposed }.flatMap { $0.seq < small.finding.seq ? $0.seq : nil })
      if small.earlier == nil {
        try Self.check(small, of: events, header, rules, "repeat at \(place)")
      }
    }
  }

  @Test("what is not found is an error that says what is")
  func noFinding() throws {
    let (events, header, _) = try #require(try Self.trace(of: .mapEarly, from: ModelMachineTests.seed))
    for (rule, seq) in [("tree/*", nil), ("stop/region-exposed", 1)] as [(String, UInt64?)] {
      let error = try #require(throws: MinimizationError.self) { try Self.minimize(events, header, rule, at: seq) }
      #expect(error.code == .noFinding && error.description.contains("stop/region-exposed at"), "\(error)")
    }
    var machine = ModelMachine(vcpus: 3, seed: 1)
    let clean = machine.run(300)
    let error = try #require(throws: MinimizationError.self) { try Self.minimize(clean, header, "*") }
    #expect(error.description.contains("no rule is broken in this trace"))
  }
}
