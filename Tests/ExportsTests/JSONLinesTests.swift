import Exports
import Foundation
import Reports
import Symbols
import Testing
import TraceEvents
import TraceFile
import TraceFormat

@Suite struct JSONLinesTests {
  private static func lines(_ bytes: [UInt8]) throws -> [[String: Any]] {
    #expect(bytes.last == UInt8(ascii: "\n"))
    return try bytes.split(separator: UInt8(ascii: "\n")).map { try #require(try JSONSerialization.jsonObject(with: Data($0)) as? [String: Any]) }
  }

  /// A line is what `dump` says of the event, its type, and what the operands mean.
  @Test(arguments: StoredTrace.few) func everyEventIsALine(trace: StoredTrace) throws {
    let header = try trace.reader().header
    let lines = try Self.lines(try Exported.bytes(JSONLinesExport(header: header, producer: "test"), trace))
    let events = try trace.events()
    #expect(lines.first?["type"] as? String == "header" && lines.first?["vcpus"] as? Int == header.vcpuCount)
    #expect((lines.first?["properties"] as? [Any])?.count == header.properties.count)
    let told = lines.filter { $0["type"] as? String == "event" }
    #expect(told.count == events.count)
    let wrong = zip(told, events).first { line, event in
      var rest = line
      guard rest.removeValue(forKey: "type") as? String == "event", rest.removeValue(forKey: "detail") as? String == event.story else { return true }
      return (try? JSONSerialization.jsonObject(with: Data(event.json.text.utf8)) as? NSDictionary) != NSDictionary(dictionary: rest)
    }
    #expect(wrong == nil)
    let holes = lines.filter { $0["type"] as? String == "hole" }
    let end = try #require(lines.last)
    #expect(end["type"] as? String == "end" && end["events"] as? Int == events.count && end["holes"] as? Int == holes.count)
    #expect(lines.count == events.count + holes.count + 2)
    #expect(trace.name.hasPrefix("clean-") ? holes.isEmpty : true)
  }

  @Test func aHoleSaysWhatIsMissing() throws {
    let trace = StoredTrace(name: "damaged-flipped")
    let lines = try Self.lines(try Exported.bytes(JSONLinesExport(header: try trace.reader().header, producer: "test"), trace))
    let index = try #require(lines.firstIndex { $0["type"] as? String == "hole" })
    let (first, last) = (try #require(lines[index]["firstSeq"] as? Int), try #require(lines[index]["lastSeq"] as? Int))
    #expect(lines[index]["lost"] as? Int == last - first + 1)
    #expect((lines[index]["detail"] as? String)?.contains("checksum") == true)
    // It stands where the events would.
    if let before = lines[index - 1]["seq"] as? Int { #expect(before == first - 1) }
    if let after = lines[index + 1]["seq"] as? Int { #expect(after == last + 1) }
    #expect(lines.last?["lost"] as? Int == last - first + 1)
  }

  /// No number is one that JavaScript would round.
  @Test func numbersKeepTheirBits() throws {
    let events = [
      Event(.hypercallResult, vcpu: 0, seq: 1, time: 10, a: UInt64(bitPattern: -22), b: 1 << 53),
      Event(.console, vcpu: 0, seq: 2, data: Array("\"\n\u{1b}é".utf8)),
    ]
    let lines = try Self.lines(Exported.bytes(JSONLinesExport(header: TraceHeader(vcpuCount: 1), producer: "test"), events))
    #expect(lines[1]["a"] as? String == "0xffffffffffffffea" && lines[1]["b"] as? UInt64 == 1 << 53)
    #expect(lines[2]["data"] as? String == "220a1bc3a9")
  }

  @Test func addressesHaveNames() throws {
    let events = [Event(.writeTrap, vcpu: 0, seq: 1, gpa: 0x1000, rip: 0x2000, data: [1]), Event(.guestEnter, vcpu: 0, seq: 2, rip: 0x3000)]
    let symbols = try GuestSymbols(map: Array("1000 8 D table\n1ffc 10 T writer\n".utf8))
    let export = JSONLinesExport(header: TraceHeader(vcpuCount: 1), producer: "test", symbols: symbols)
    let lines = try Self.lines(Exported.bytes(export, events))
    #expect(lines[1]["gpaSymbol"] as? String == "table" && lines[1]["ripSymbol"] as? String == "writer+0x4")
    #expect((lines[1]["detail"] as? String)?.contains("0x1000 (table)") == true)
    // One address has no name, and the other is not there.
    #expect(lines[2]["gpaSymbol"] == nil && lines[2]["ripSymbol"] is NSNull)
  }
}
