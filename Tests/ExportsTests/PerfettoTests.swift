import Analyzer
import Exports
import Foundation
import Races
import Testing
import Timeline
import TraceEvents
import TraceFile
import TraceFormat

@Suite struct PerfettoTests {
  /// One object of the list of events.
  struct Mark {
    var phase: String
    var track: Int
    /// In nanoseconds.
    var time: UInt64
    var name: String
    var category: String
    var id: UInt64?
    var bindsToEnclosing: Bool
    var arguments: [String: Any]
  }

  static func marks(_ bytes: [UInt8]) throws -> [Mark] {
    let root = try #require(try JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any])
    let events = try #require(root["traceEvents"] as? [[String: Any]])
    return try events.map { event in
      Mark(
        phase: try #require(event["ph"] as? String), track: try #require(event["tid"] as? Int),
        time: UInt64(((event["ts"] as? Double ?? 0) * 1000).rounded()), name: event["name"] as? String ?? "", category: event["cat"] as? String ?? "",
        id: event["id"] as? UInt64, bindsToEnclosing: event["bp"] as? String == "e", arguments: event["args"] as? [String: Any] ?? [:])
    }
  }

  static func export(_ trace: StoredTrace, findings: [Finding] = []) throws -> [UInt8] {
    let reader = try trace.reader()
    var unanswered = UnansweredSignals()
    reader.run(&unanswered)
    unanswered.finish()
    return try Exported.bytes(
      PerfettoExport(
        name: trace.name, producer: "test", header: reader.header, findings: findings, unanswered: unanswered, from: try start(reader)), trace)
  }

  private static func start(_ reader: TraceReader) throws -> MachineState? {
    reader.beginsTail ? reader.numbers.map { reader.readState(at: $0.lowerBound).state } : nil
  }

  /// A slice that was ended: where, what, from when on, how long.
  struct Slice {
    var mark: Mark
    var duration: UInt64
  }

  /// What a viewer makes of it; records an issue where it is not well-formed.
  static func slices(_ marks: [Mark]) -> [Slice] {
    var open: [Int: [Mark]] = [:]
    var last: [Int: UInt64] = [:]
    var arrows: [UInt64: Mark] = [:]
    var done: Set<UInt64> = []
    var slices: [Slice] = []
    for mark in marks where mark.phase != "M" {
      if mark.time < last[mark.track, default: 0] { Issue.record("time goes back on track \(mark.track): \(mark)") }
      last[mark.track] = mark.time
      switch mark.phase {
      case "B": open[mark.track, default: []].append(mark)
      case "E":
        guard let begun = open[mark.track]?.popLast() else {
          Issue.record("a slice ends that was not begun: \(mark)")
          continue
        }
        slices.append(Slice(mark: begun, duration: mark.time - begun.time))
      case "s":
        if let id = mark.id, arrows[id] == nil, !done.contains(id) { arrows[id] = mark } else { Issue.record("an arrow begins twice: \(mark)") }
        if open[mark.track, default: []].isEmpty { Issue.record("an arrow begins at no slice: \(mark)") }
      case "f":
        guard let id = mark.id, let begun = arrows.removeValue(forKey: id) else {
          Issue.record("an arrow ends that was not begun: \(mark)")
          continue
        }
        done.insert(id)
        if begun.name != mark.name || begun.category != mark.category || begun.time > mark.time { Issue.record("not one arrow: \(begun), \(mark)") }
        if !mark.bindsToEnclosing || open[mark.track, default: []].isEmpty { Issue.record("an arrow ends at no slice: \(mark)") }
      case "i": break
      default: Issue.record("no such phase: \(mark)")
      }
    }
    if !arrows.isEmpty { Issue.record("arrows without an end: \(arrows)") }
    if open.values.contains(where: { !$0.isEmpty }) { Issue.record("slices without an end: \(open)") }
    return slices
  }

  private static let signals: Set<EventKind> = [
    .stopSend, .stopAck, .vcpuOffline, .regionMap, .resumeSend, .resumeTake, .privilegedRaise, .modeEnter, .interruptRaise, .interruptDeliver, .vcpuStart,
    .vcpuOnline,
  ]

  @Test(arguments: StoredTrace.many) func slicesNestAndArrowsEnd(trace: StoredTrace) throws {
    let marks = try Self.marks(try Self.export(trace))
    let slices = Self.slices(marks)
    // What is counted in the trace is counted here.
    var counts: [String: Int] = [:]
    let reader = try trace.reader()
    var timeline = Timeline(vcpuCount: reader.header.vcpuCount, from: try Self.start(reader))
    reader.run(&timeline)
    timeline.finish()
    let batch = EventBatch()
    reader.rewind()
    while reader.nextBatch(into: batch) {
      batch.withCursor { cursor in
        while cursor.next() {
          if Self.signals.contains(cursor.kind) { counts[cursor.kind.name, default: 0] += 1 }
        }
      }
    }
    #expect(Dictionary(grouping: slices.filter { $0.mark.category == "signal" }, by: \.mark.name).mapValues(\.count) == counts)
    #expect(marks.count { $0.phase == "i" && $0.category == "alert" } == Int(timeline.alerts.total))
    #expect(marks.count { $0.phase == "i" && $0.category == "hole" } == timeline.holes.count)
    #expect(marks.count { $0.phase == "s" && $0.name == "stop" } == timeline.signals.arrows.count { $0.kind == .stop && $0.taken != nil })
    #expect(marks.count { $0.phase == "s" && $0.name == "resume" } == timeline.signals.arrows.count { $0.kind == .resume && $0.taken != nil })
    // Each vCPU spends as long in each mode as on the report's timeline.
    for vcpu in 0..<reader.header.vcpuCount {
      var expected: [String: UInt64] = [:]
      let segments = timeline.lanes[vcpu].segments
      for (index, segment) in segments.enumerated() where segment.mode != .offline {
        let end = index + 1 < segments.count ? segments[index + 1].start.time : timeline.last.time
        let name = segment.mode == .transit ? "first in, last out" : "\(segment.mode)"
        if end > segment.start.time { expected[name, default: 0] += end - segment.start.time }
      }
      var told: [String: UInt64] = [:]
      for slice in slices where slice.mark.track == 10 + vcpu && slice.mark.category == "mode" && slice.duration > 0 {
        told[slice.mark.name, default: 0] += slice.duration
      }
      #expect(told == expected, "vCPU \(vcpu)")
    }
  }

  @Test(arguments: ["fault-stop-map-early", "fault-alert-deny-lands", "race-stop-window"]) func findingsAreInstants(name: String) throws {
    let trace = StoredTrace(name: name)
    let reader = try trace.reader()
    let findings = Verdict(of: reader, Analyzer.Subject(reader.header), isComplete: reader.isComplete).findings
    #expect(!findings.isEmpty)
    let marks = try Self.marks(try Self.export(trace, findings: findings))
    _ = Self.slices(marks)
    let told = marks.filter { $0.category == "finding" }
    #expect(told.map(\.name).sorted() == findings.map(\.rule.name).sorted())
    for finding in findings {
      let mark = try #require(told.first { $0.name == finding.rule.name })
      #expect(mark.track == (finding.vcpu.map { 10 + Int($0) } ?? 2))
      #expect(mark.arguments["expected"] as? String == finding.expected && mark.arguments["observed"] as? String == finding.observed)
      #expect((mark.arguments["because"] as? [String]) == finding.because.map { "[\($0.seq)] \($0.what)" })
    }
  }

  /// A rendezvous of two: who waits for whom, and how long the region is in the view.
  @Test func aRendezvousIsAChainOfArrows() throws {
    let acks = Event.data(ofWords: [7])
    let all: [Event] = [
      Event(.vcpuStart, vcpu: Event.host, a: 0), Event(.vcpuOnline, vcpu: 0, cause: 1),
      Event(.vcpuStart, vcpu: 0, a: 1), Event(.vcpuOnline, vcpu: 1, cause: 3),
      Event(.privilegedRaise, vcpu: Event.host, a: 0), Event(.stopSend, vcpu: 0, a: 1, b: 1), Event(.stopAck, vcpu: 1, cause: 6, b: 1),
      Event(.regionMap, vcpu: 0, b: 1, data: acks),
      Event(.modeEnter, vcpu: 0, cause: 5, b: 1), Event(.modeExit, vcpu: 0, b: 1), Event(.regionUnmap, vcpu: 0, b: 1),
      // The second one is never taken.
      Event(.resumeSend, vcpu: 0, a: 1, b: 1), Event(.resumeSend, vcpu: 0, a: 1, b: 1), Event(.resumeTake, vcpu: 1, cause: 12, b: 1),
    ]
    let events = all.enumerated().map { index, event in
      var event = event
      (event.seq, event.time) = (UInt64(index + 1), UInt64(index + 1) * 1001)
      return event
    }
    var unanswered = UnansweredSignals()
    unanswered.consume(try EventBatch(encoding: events, header: TraceHeader(vcpuCount: 2)))
    unanswered.finish()
    let export = PerfettoExport(name: "x", producer: "test", header: TraceHeader(vcpuCount: 2), findings: [], unanswered: unanswered)
    let marks = try Self.marks(Exported.bytes(export, events))
    let slices = Self.slices(marks)
    let arrows = marks.filter { $0.phase == "s" || $0.phase == "f" }.map { "\($0.phase) \($0.name) \($0.id ?? 0) on \($0.track) at \($0.time)" }
    #expect(
      arrows == [
        "s start 1 on 2 at 1001", "f start 1 on 10 at 2002", "s start 3 on 10 at 3003", "f start 3 on 11 at 4004", "s entry 5 on 2 at 5005",
        "s stop 6 on 10 at 6006", "f stop 6 on 11 at 7007", "s acknowledgement 7 on 11 at 7007", "f acknowledgement 7 on 10 at 8008", "f entry 5 on 10 at 9009",
        "s resume 12 on 10 at 12012", "f resume 12 on 11 at 14014",
      ])
    #expect(slices.first { $0.mark.category == "region" }.map { "\($0.mark.name) \($0.mark.time) \($0.duration)" } == "mapped 8008 3003")
    let modes = slices.filter { $0.mark.track == 11 && $0.mark.category == "mode" }
    #expect(modes.map { "\($0.mark.name) \($0.duration)" } == ["normal 3003", "stopped 7007", "normal 0"])
  }
}
