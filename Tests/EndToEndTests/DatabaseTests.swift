import Analyzer
import Foundation
import Races
import SQLite
import Symbols
import Testing
import Timeline
import TraceDatabase
import TraceEvents
import TraceFile
import TraceFormat

/// A trace as a database holds all of the trace, and nothing else.
struct DatabaseTests {
  /// A trace, what is said of it, and its database.
  private struct Written {
    let reader: TraceReader
    let verdict: Verdict
    let database: DatabaseReader
    private let folder: Folder

    init(_ path: String, symbols: GuestSymbols? = nil) throws {
      folder = try Folder()
      reader = try TraceReader(path: path)
      let (trace, file) = (reader, folder.file("x.sqlite").path)
      verdict = Verdict(of: trace, Analyzer.Subject(trace.header), isComplete: trace.isComplete)
      #expect(FileManager.default.createFile(atPath: file, contents: nil))
      try TraceDatabase.write(trace, verdict, name: "x.tape", producer: "tests", symbols: symbols, to: file)
      database = try DatabaseReader(file)
    }

    init(stored name: String, symbols: GuestSymbols? = nil) throws {
      try self.init(Repository.root.appendingPathComponent("traces/\(name).tape").path, symbols: symbols)
    }

    func events() -> [Event] {
      reader.rewind()
      let batch = EventBatch()
      var events: [Event] = []
      while reader.nextBatch(into: batch) { events += batch.events }
      return events
    }
  }

  /// Every kind of trace that there is: clean ones of each write mode, findings of each sort, damaged in several ways, the end of a longer one, old ones.
  static let names = [
    "clean-brief-2", "clean-stop-storm-exact", "clean-stop-storm-pages", "clean-attacks-2", "clean-writer-2", "fault-stop-enter-before-acks",
    "fault-stop-double-stop", "fault-tree-late-trace", "race-foretold", "race-stop-window", "damaged-flipped", "damaged-headless",
    "damaged-truncated", "damaged-no-index", "damaged-beheaded", "damaged-trailing", "tail-integrity", "format-1-clean-stop-storm", "format-1-damaged-flipped",
  ]

  @Test(arguments: names) func everyEventIsThere(name: String) throws {
    let written = try Written(stored: name)
    let database = written.database
    #expect(try database.lines("PRAGMA integrity_check") == ["ok"])
    #expect(try database.lines("PRAGMA foreign_key_check").isEmpty)
    #expect(try database.number("PRAGMA user_version") == 1)
    #expect(try database.number("SELECT schema_version FROM trace") == 1)
    let events = written.events()
    var next = 0
    try database.each("SELECT seq, ns, kind, vcpu, gpa, rip, cause, a, b, c, d, data FROM events ORDER BY seq") { row in
      guard next < events.count else { return next += 1 }
      #expect(row == Self.row(events[next]))
      next += 1
    }
    #expect(next == events.count)
    #expect(try database.number("SELECT events FROM trace") == Int64(events.count))
    #expect(try database.number("SELECT count(*) FROM event_log") == Int64(events.count))
  }

  /// An event as a row must be: what its kind does not carry is NULL, and so are the host's number and a cause that is none.
  private static func row(_ event: Event) -> [DatabaseReader.Value] {
    let columns = event.kind.row?.columns ?? []
    func value(_ column: Columns, _ value: UInt64) -> DatabaseReader.Value { columns.contains(column) ? .integer(Int64(bitPattern: value)) : .null }
    return [
      .integer(Int64(event.seq)), .integer(Int64(event.time)), .integer(Int64(event.kind.rawValue)),
      event.vcpu == Event.host ? .null : .integer(Int64(event.vcpu)), value(.gpa, event.gpa), value(.rip, event.rip),
      event.cause == 0 ? .null : value(.cause, event.cause), value(.a, event.a), value(.b, event.b), value(.c, event.c), value(.d, event.d),
      columns.contains(.data) ? .blob(event.data) : .null,
    ]
  }

  /// Addresses in symbols, in a module, at 2^63 and beyond, and in none.
  @Test(arguments: ["fault-tree-ignore-mappings", "race-stop-window", "damaged-flipped"]) func addressesHaveTheNamesThatTheyHaveElsewhere(name: String) throws {
    let map = "100000 800 T first\n200000 2000 D data\n250000 1000 b box\t[mod]\n310000 10000 d nodes\nfff000 1000 b stack\n"
    for offset: UInt64 in [0, 1 << 63] {
      let symbols = try GuestSymbols(map: Array(map.utf8), offset: offset)
      let written = try Written(stored: name, symbols: symbols)
      let database = written.database
      let columns = "SELECT e.gpa, l.gpa_symbol, e.rip, l.rip_symbol FROM events e JOIN event_log l USING (seq)"
      let ofFindings = """
        SELECT gpa, g.name, rip, r.name FROM (SELECT gpa, rip FROM findings UNION ALL SELECT gpa, rip FROM accesses)
        LEFT JOIN gpa_symbols g USING (gpa) LEFT JOIN rip_symbols r USING (rip)
        """
      var named = 0
      for query in [columns, ofFindings] {
        try database.each(query) { row in
          for (at, place) in [(0, { symbols.place(gpa: $0) }), (2, { symbols.place(rip: $0) })] as [(Int, (UInt64) -> SymbolTable.Place?)] {
            var expected: DatabaseReader.Value = .null
            if case .integer(let address) = row[at], let text = place(UInt64(bitPattern: address))?.text { expected = .text(text) }
            #expect(row[at + 1] == expected)
            named += expected == .null ? 0 : 1
          }
        }
      }
      #expect(named > 100)
      let pages = try database.rows("SELECT page, page_symbol FROM page_writes")
      for row in pages {
        guard case .integer(let page) = row[0] else { continue }
        #expect(row[1] == (symbols.place(gpa: UInt64(page)).map { .text($0.text) } ?? .null))
      }
      #expect(try database.lines("PRAGMA integrity_check") == ["ok"])
    }
    let plain = try Written(stored: name).database
    #expect(try plain.lines("SELECT count(*) FROM gpa_symbols UNION ALL SELECT count(*) FROM rip_symbols") == ["0", "0"])
  }

  @Test(arguments: names) func whatFollowsFromEventsIsWhatIsDrawn(name: String) throws {
    let written = try Written(stored: name)
    let (database, reader) = (written.database, written.reader)
    let start = reader.beginsTail ? reader.numbers.map { reader.readState(at: $0.lowerBound).state } : nil
    var timeline = Timeline(vcpuCount: reader.header.vcpuCount, from: start)
    reader.run(&timeline)
    timeline.finish()
    for vcpu in timeline.lanes.indices {
      // Each event is in one interval of its vCPU; where none is missing the modes are those of its lane.
      let modes = try database.rows("SELECT mode, from_seq, to_seq FROM intervals WHERE vcpu = \(vcpu) ORDER BY from_seq")
      for (one, next) in zip(modes, modes.dropFirst()) {
        guard case .integer(let end) = one[2], case .integer(let begin) = next[1] else {
          Issue.record("\(one), \(next)")
          continue
        }
        #expect(end + 1 == begin)
      }
      #expect(try database.number("SELECT min(from_seq) FROM intervals WHERE vcpu = \(vcpu)") == Int64(timeline.first.seq))
      #expect(try database.number("SELECT max(to_seq) FROM intervals WHERE vcpu = \(vcpu)") >= Int64(timeline.last.seq))
      guard timeline.holes.isEmpty else { continue }
      let drawn = timeline.lanes[vcpu].segments.map { [DatabaseReader.Value.text("\($0.mode)"), .integer(Int64($0.start.seq))] }
      #expect(modes.map { Array($0.prefix(2)) } == drawn)
    }
    let arrows = timeline.signals.arrows.map { arrow -> [DatabaseReader.Value] in
      let taken = arrow.taken.map { [DatabaseReader.Value.integer(Int64($0.seq)), .integer(Int64($0.time))] } ?? [.null, .null]
      return [
        .text("\(arrow.kind)"), .integer(Int64(arrow.from)), .integer(Int64(arrow.to)), .integer(Int64(arrow.rendezvous)), .integer(Int64(arrow.sent.seq)),
        .integer(Int64(arrow.sent.time)),
      ] + taken
    }
    #expect(try database.rows("SELECT signal, sender, target, rendezvous, sent_seq, sent_ns, taken_seq, taken_ns FROM signals ORDER BY 5") == arrows)
    #expect(try database.number("SELECT count(*) FROM rendezvous WHERE claim_seq IS NOT NULL") <= Int64(timeline.claims.reduce(0, +)))
    #expect(try database.number("SELECT sum(acks) FROM rendezvous", orNone: 0) == Int64(timeline.acks.reduce(0, +)))
    // Writes by page, by whom they were made, and what became of them.
    #expect(timeline.writes.shift == 0)
    let cells = timeline.writes.cells.map { [Int64($0.key << 12), Int64($0.value.writes), Int64($0.value.denied)] }.sorted { $0[0] < $1[0] }
    let pages = try database.rows("SELECT page, sum(writes), sum(dropped) FROM page_writes GROUP BY page ORDER BY page")
    #expect(pages == cells.map { $0.map { .integer($0) } })
    let elevated = try database.number("SELECT sum(writes) FROM writes WHERE applied AND mode IN ('integrity', 'privileged')", orNone: 0)
    #expect(elevated == timeline.writes.cells.values.reduce(0) { $0 + Int64($1.elevated) })
  }

  @Test(arguments: names) func whatWasFoundIsThere(name: String) throws {
    let written = try Written(stored: name)
    let (database, verdict, reader) = (written.database, written.verdict, written.reader)
    #expect(try database.lines("SELECT verdict, lost, vcpus, writes, complete FROM trace") == [
      "\(verdict.outcome.rawValue)|\(verdict.lost)|\(reader.header.vcpuCount)|\(reader.header.writes.rawValue)|\(verdict.isIncomplete ? 0 : 1)"
    ])
    #expect(try database.lines("SELECT finding, rule, count, seq, vcpu, expected, observed FROM findings ORDER BY finding")
      == verdict.findings.enumerated().map { number, finding in
        "\(number + 1)|\(finding.rule.name)|\(finding.count)|\(finding.seq)|\(finding.vcpu.map { "\($0)" } ?? "")|\(finding.expected)|\(finding.observed)"
      })
    let because = verdict.findings.enumerated().flatMap { number, finding in finding.because.map { "\(number + 1)|\($0.seq)|\($0.what)" } }
    #expect(try database.lines("SELECT finding, seq, what FROM reasons WHERE part = 'because' ORDER BY finding, position") == because)
    let races = verdict.findings.count { if case .race = $0.evidence { true } else { false } }
    #expect(try database.number("SELECT count(*) FROM accesses") == Int64(races * 2))
    let witnesses = verdict.findings.count { if case .reordering = $0.evidence { true } else { false } }
    #expect(try database.number("SELECT count(DISTINCT finding) FROM reasons WHERE part = 'step'") == Int64(witnesses))
    #expect(try database.number("SELECT count(*) FROM also_broken") == Int64(verdict.findings.reduce(0) { $0 + Set($1.also).count }))
    #expect(try database.number("SELECT count(*) FROM breaks") == Int64(verdict.places.values.reduce(0) { $0 + Set($1).count }))
    #expect(try database.number("SELECT count(*) FROM undecided") == Int64(verdict.undecided.count))
    #expect(try database.lines("SELECT name, value FROM properties ORDER BY position") == reader.header.properties.map { "\($0.name)|\($0.value)" })
    #expect(try database.lines("SELECT what, offset, length, first_missing, last_missing FROM damage ORDER BY position")
      == reader.damage.map { place in
        let missing = place.missing.flatMap { $0.isEmpty ? nil : $0 }
        return "\(place.what.rawValue)|\(place.offset)|\(place.length)|\(missing.map { "\($0.lowerBound)|\($0.upperBound - 1)" } ?? "|")"
      })
  }
}

extension DatabaseTests {
  /// A stranger's trace: kinds that lack operands or take names of ours, numbers of 64 bits, texts and data of no bytes.
  @Test func whatAStrangerWroteIsStoredAsItIs() throws {
    var header = TraceHeader(
      vcpuCount: 2, memory: [GuestRange(start: .max - 1, length: .max)],
      properties: [.init("", ""), .init("seed", "a\u{0}b'); DROP TABLE events; --"), .init("seed", "")])
    for index in header.kinds.indices where header.kinds[index].number == EventKind.stopSend.rawValue { header.kinds[index].columns = [] }
    header.kinds += [.init(number: 200, name: "stop-send", columns: [.gpa, .data]), .init(number: 201, name: "kind-200", columns: [])]
    let folder = try Folder()
    let path = folder.file("x.tape").path
    let writer = try TraceWriter(path: path, header: header)
    let data: [[UInt8]] = [[], [0], Array(repeating: 0xff, count: 1 << 16)]
    writer.append(Event(.vcpuOnline, vcpu: 0))
    writer.append(Event(.stopSend, vcpu: 0, a: 1, b: 1))
    for bytes in data { writer.append(Event(EventKind(rawValue: 200), vcpu: 1, gpa: .max, data: bytes)) }
    writer.append(Event(EventKind(rawValue: 201), vcpu: 1))
    writer.append(Event(.guestEnter, vcpu: 1, rip: 0xffff_ffff_8100_0000))
    writer.append(Event(.pageWrite, vcpu: 1, gpa: 0xffff_ffff_ffff_f000, a: .max))
    writer.append(Event(.rendezvousClaim, vcpu: 1, b: 1 << 63))
    try writer.finish()

    let database = try Written(path).database
    #expect(try database.lines("PRAGMA integrity_check") == ["ok"])
    #expect(try database.lines("PRAGMA foreign_key_check").isEmpty)
    #expect(try database.lines("SELECT count(*) FROM event_log") == ["9"])
    #expect(try database.rows("SELECT name, value FROM properties ORDER BY position") == [
      [.text(""), .text("")], [.text("seed"), .text("a\u{0}b'); DROP TABLE events; --")], [.text("seed"), .text("")],
    ])
    #expect(try database.rows("SELECT gpa, data FROM events WHERE kind = 200 ORDER BY seq") == data.map { [.integer(-1), .blob($0)] })
    #expect(try database.lines("SELECT kind, name FROM kinds WHERE kind >= 200") == ["200|kind-200", "201|kind-200"])
    #expect(try database.rows("SELECT signal, sender, target, rendezvous, taken_seq FROM signals") == [
      [.text("stop"), .integer(0), .null, .null, .null]
    ])
    #expect(try database.lines("SELECT printf('%x', rip) FROM events WHERE kind = \(EventKind.guestEnter.rawValue)") == ["ffffffff81000000"])
    #expect(try database.lines("SELECT printf('%x', page), writes FROM page_writes") == ["fffffffffffff000|1"])
    #expect(try database.lines("SELECT printf('%x', rendezvous), claimer FROM rendezvous") == ["8000000000000000|1"])
  }
}

extension DatabaseReader {
  /// The same; a sum over no rows is `none`.
  func number(_ sql: String, orNone none: Int64) throws -> Int64 {
    let value = try rows(sql).first?.first
    return value == .null ? none : try number(sql)
  }
}
