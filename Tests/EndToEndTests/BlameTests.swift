import Foundation
import TestSeeds
import Testing
import TraceEvents
import TraceFile
import TraceFormat

/// `blame`: who wrote guest memory, from a file.
struct BlameTests {
  struct Report: Decodable {
    struct Write: Decodable {
      var seq: UInt64
      var vcpu: Int?
      var evidence: String
      var outcome: String
      var rip: String?
    }

    var writer: Write?
    var certain: Bool
    var writes: [Write]
    var total: UInt64?
    var whole: Bool
  }

  static let path = TimeTravelTests.traces + "format-1-clean-integrity-4.tape"

  private func blame(_ arguments: String...) throws -> (report: Report, status: Int32) {
    let result = try Tool.run(["blame"] + arguments + ["--format", "json"])
    return (try JSONDecoder().decode(Report.self, from: Data(result.output.utf8)), result.status)
  }

  @Test func theLastWriteIsTheOneThatASearchFinds() throws {
    let events = EventsOfATrace.all(try TraceReader(path: Self.path))
    let results = events.filter { $0.kind == .writeResult }
    var random = Seed(of: Seed.base(1), salt: 43)
    for _ in 0..<12 {
      let some = results[Int.random(in: 0..<results.count, using: &random)]
      let seq = UInt64.random(in: some.seq...UInt64(events.count), using: &random)
      // Of a page that is traced now and then, page-writes count as well.
      let expected = events.last { event in
        guard event.seq <= seq else { return false }
        switch event.kind {
        case .writeResult: return event.a == 0 && event.gpa <= some.gpa && some.gpa - event.gpa < UInt64(event.data.count / 2)
        case .pageWrite:
          let offset = Int(some.gpa & 4095)
          let runs = event.gpa == some.gpa - UInt64(offset) ? PageDiff(event.data)?.runs ?? [] : []
          return runs.contains { $0.offset <= offset && offset < $0.offset + $0.bytes.count }
        default: return false
        }
      }
      let found = try blame(Self.path, "\(some.gpa)", "--at", "\(seq)", "--count")
      #expect(found.report.writer?.seq == expected?.seq, "\(some.gpa) at \(seq)")
      #expect(found.status == 0 && found.report.whole)
      if let expected, expected.kind == .writeResult {
        #expect(found.report.writer?.rip == "0x" + String(events[Int(expected.cause) - 1].rip, radix: 16))
      }
    }
  }

  @Test func theHistoryIsBoundedAndCountsOnDemand() throws {
    let some = try blame(Self.path, "0xfff000+4096", "--last", "3").report
    #expect(some.writes.count >= 3 && some.total == nil && !some.whole)
    let all = try blame(Self.path, "0xfff000+4096", "--last", "3", "--count").report
    #expect(all.total.map { $0 > 100 } == true && all.whole && all.writes.first?.seq == some.writes.first?.seq)
  }

  @Test func textNamesWriterAndEvidence() throws {
    let text = try Tool.run("blame", Self.path, "0x450208", "--at", "20048")
    #expect(text.output.contains("last written by vCPU 0 at event 5503"))
    #expect(text.output.contains("dropped: <- 0x450208: 50, rip 0x1006fe, trapped"))
    #expect(text.output.contains("0x450208: -> 14 seen; written between [5502] and here"))
    let nobody = try Tool.run("blame", Self.path, "0x10000")
    #expect(nobody.status == 0 && nobody.output.contains("no write that changed memory is found"))
  }

  @Test func aHoleBetweenMakesItUncertain() throws {
    // Events 10781 to 13414 are in a damaged block of this trace.
    let damaged = TimeTravelTests.traces + "format-1-damaged-flipped.tape"
    let before = try blame(damaged, "0xfff000+4096", "--at", "10780")
    #expect(before.status == 0 && before.report.writer != nil)
    let within = try blame(damaged, "0xfff000+4096", "--at", "11000")
    #expect(within.status == 3 && !within.report.certain)
    #expect(within.report.writer?.seq == before.report.writer?.seq)
  }

  @Test func badUseIsSaid() throws {
    for address in ["", "x", "0x", "0x1000+", "0x1000+0", "0x1000+4097", "0x10000000000000", "18446744073709551615", "1+2+3", "-1"] {
      let result = try Tool.run(["blame", Self.path, "--", address])
      #expect(result.status == 2 && result.output.isEmpty, "\(address)")
    }
    #expect(try Tool.run("blame", Self.path, "0", "--at", "0").status == 2)
    #expect(try Tool.run("blame", Self.path, "0", "--at", "999999999").status == 2)
    #expect(try Tool.run("blame", Self.path, "0", "--last", "0").status == 2)
  }
}

/// All events of a trace as values.
enum EventsOfATrace {
  static func all(_ reader: TraceReader) -> [Event] {
    let batch = EventBatch()
    var events: [Event] = []
    reader.rewind()
    while reader.nextBatch(into: batch) { events += batch.events }
    return events
  }
}
