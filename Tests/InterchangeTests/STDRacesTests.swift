import Foundation
import HappensBefore
import Interchange
import Testing
import TestSeeds

struct STDRacesTests {
  private struct Report: Decodable, Equatable {
    struct Race: Decodable, Equatable {
      var event: UInt64
      var thread: String
      var location: String
      var variable: String
    }

    var semantics: String
    var events: UInt64
    var races: [Race]
  }

  private func races(_ text: [UInt8], _ semantics: RaceDetector.Semantics) throws -> STDRaces {
    var races = STDRaces(semantics)
    var rest = text[...]
    // SAFETY: at most as many bytes as there is room for.
    try unsafe races.read { room in
      let count = min(room.count, rest.count)
      unsafe room.copyBytes(from: rest.prefix(count))
      rest = rest.dropFirst(count)
      return count
    }
    return races
  }

  private func report(_ races: borrowing STDRaces, _ format: RaceReport.Format, _ semantics: RaceDetector.Semantics) throws -> String {
    var bytes: [UInt8] = []
    var report = RaceReport(format, semantics, events: races.eventCount) { piece in
      // SAFETY: copied at once.
      unsafe piece.withUnsafeBytes { unsafe bytes.append(contentsOf: $0) }
    }
    try races.write(to: &report)
    try report.end()
    return String(decoding: bytes, as: UTF8.self)
  }

  /// The example of the paper's kind: the second race is an artifact of the first.
  private static let flag = "T1|w(data)|1\nT1|w(flag)|2\nT2|r(flag)|3\nT2|r(data)|4\n"

  @Test func theSecondRaceIsAnArtifactUnderHBOnly() throws {
    #expect(try races(Array(Self.flag.utf8), .hb).races.map(\.event) == [3, 4])
    #expect(try races(Array(Self.flag.utf8), .shb).races.map(\.event) == [3])
  }

  @Test func theReportIsJSON() throws {
    let text = try report(races(Array(Self.flag.utf8), .shb), .json, .shb)
    let expected = Report(semantics: "shb", events: 4, races: [.init(event: 3, thread: "T2", location: "3", variable: "flag")])
    #expect(try JSONDecoder().decode(Report.self, from: Data(text.utf8)) == expected)
    let clean = try report(races(Array("T0|r(x)|1\nT0|end|2".utf8), .hb), .json, .hb)
    #expect(clean == "{\"semantics\": \"hb\", \"events\": 2, \"races\": []}\n")
    #expect(try report(races([], .hb), .json, .hb) == "{\"semantics\": \"hb\", \"events\": 0, \"races\": []}\n")
  }

  @Test func namesOfAnySortAreJSONToo() throws {
    let names = ["a\"b", "c\\d", "ü", "\u{7f}", "日本", "x\\\"y"]
    var text = ""
    for name in names { text += "A|w(\(name))|1\n\(name)|w(\(name))|\(name)\n" }
    let report = try JSONDecoder().decode(Report.self, from: Data(report(races(Array(text.utf8), .shb), .json, .shb).utf8))
    #expect(report.races.map(\.thread) == names)
    #expect(report.races.map(\.variable) == names)
    #expect(report.races.map(\.location) == names)
  }

  @Test func theReportIsText() throws {
    let text = try report(races(Array(Self.flag.utf8), .hb), .text, .hb)
    #expect(text == "event 3  T2 reads flag at 3\nevent 4  T2 reads data at 4\n")
  }

  /// Written by the writer, read back, and judged as the detector judges without any text.
  @Test(arguments: RaceDetector.Semantics.allCases)
  func textAndDetectorAgree(_ semantics: RaceDetector.Semantics) throws {
    var random = Seed(salt: 9)
    for _ in 0..<50 {
      var detector = RaceDetector(semantics)
      var writer = STDWriter()
      var expected: [UInt64] = []
      let threads = 2 + random.below(40)
      for number in 1...400 {
        let (thread, operand) = (random.below(threads), random.below(6))
        let (from, name) = (STDWriter.Name("T", UInt64(thread)), STDWriter.Name("V", 7, part: UInt64(operand)))
        let (by, of) = (Int32(thread), Int32(operand))
        var isRacy = false
        switch random.below(10) {
        case 0..<4:
          isRacy = detector.read(of, by: by)
          writer.add(.read, by: from, name, location: UInt64(number))
        case 4..<6:
          isRacy = detector.write(of, by: by)
          writer.add(.write, by: from, name, location: UInt64(number))
        case 6:
          detector.acquire(of, by: by)
          writer.add(.acquire, by: from, name, location: UInt64(number))
        case 7:
          detector.release(of, by: by)
          writer.add(.release, by: from, name, location: UInt64(number))
        case 8:
          detector.fork(of, by: by)
          writer.add(.fork, by: from, STDWriter.Name("T", UInt64(operand)), location: UInt64(number))
        default:
          detector.join(of, by: by)
          writer.add(.join, by: from, STDWriter.Name("T", UInt64(operand)), location: UInt64(number))
        }
        if isRacy { expected.append(UInt64(number)) }
      }
      // SAFETY: copied at once.
      let text = unsafe writer.text.bytes.withUnsafeBytes { unsafe Array($0) }
      let races = try races(text, semantics)
      #expect(races.races.map(\.event) == expected, "PAGETAPE_SEED=\(Seed.run)")
      #expect(races.eventCount == 400)
    }
  }

  @Test func theWriterWritesAsRAPIDReads() {
    var writer = STDWriter()
    writer.add(.write, by: .init("T", 0), .init("V", 123, part: 4), location: 345)
    writer.add(.fork, by: .init("T", 18_446_744_073_709_551_615), .init("T", 0), location: 0)
    writer.add(.begin, by: .init("T", 1), location: 10)
    // SAFETY: copied at once.
    let text = unsafe writer.text.bytes.withUnsafeBytes { unsafe String(decoding: $0, as: UTF8.self) }
    #expect(text == "T0|w(V123.4)|345\nT18446744073709551615|fork(T0)|0\nT1|begin|10\n")
  }
}
