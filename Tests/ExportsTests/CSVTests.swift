import Exports
import Foundation
import Reports
import Symbols
import Testing
import TraceEvents

@Suite struct CSVTests {
  /// Rows of fields, by RFC 4180 to the letter: CRLF, quotation marks doubled inside quotation marks, nothing else.
  static func rows(_ bytes: [UInt8]) throws -> [[String]] {
    struct Malformed: Error { var at: Int }
    var rows: [[String]] = []
    var row: [String] = []
    var at = 0
    while at < bytes.count {
      var field: [UInt8] = []
      if bytes[at] == UInt8(ascii: "\"") {
        at += 1
        while true {
          guard at + 1 < bytes.count else { throw Malformed(at: at) }
          if bytes[at] == UInt8(ascii: "\"") {
            guard bytes[at + 1] == UInt8(ascii: "\"") else { break }
            at += 1
          }
          field.append(bytes[at])
          at += 1
        }
        at += 1
      } else {
        while at < bytes.count, bytes[at] != UInt8(ascii: ","), bytes[at] != 13 {
          guard bytes[at] != UInt8(ascii: "\""), bytes[at] != 10 else { throw Malformed(at: at) }
          field.append(bytes[at])
          at += 1
        }
      }
      row.append(String(decoding: field, as: UTF8.self))
      guard at < bytes.count else { throw Malformed(at: at) }
      if bytes[at] == 13 {
        guard at + 1 < bytes.count, bytes[at + 1] == 10 else { throw Malformed(at: at) }
        rows.append(row)
        row = []
        at += 1
      } else if bytes[at] != UInt8(ascii: ",") {
        throw Malformed(at: at)
      }
      at += 1
    }
    guard row.isEmpty else { throw Malformed(at: at) }
    return rows
  }

  @Test(arguments: StoredTrace.few) func everyEventIsARow(trace: StoredTrace) throws {
    let rows = try Self.rows(try Exported.bytes(CSVExport(), trace))
    #expect(rows.first == CSVExport.columns)
    let events = try trace.events()
    #expect(rows.allSatisfy { $0.count == CSVExport.columns.count })
    let told = rows.dropFirst().filter { $0[3] != "hole" }
    #expect(told.count == events.count)
    let wrong = zip(told, events).first { row, event in
      let columns = event.kind.row?.columns ?? []
      let expected = [
        "\(event.seq)", "\(event.time)", event.vcpu == Event.host ? "" : "\(event.vcpu)", event.kind.name,
        columns.contains(.gpa) ? Hex.text(event.gpa) : "", "",
        columns.contains(.rip) ? Hex.text(event.rip) : "", "", event.cause == 0 ? "" : "\(event.cause)",
        columns.contains(.a) ? "\(Int64(bitPattern: event.a))" : "", columns.contains(.b) ? "\(Int64(bitPattern: event.b))" : "",
        columns.contains(.c) ? Hex.text(event.c) : "", columns.contains(.d) ? "\(Int64(bitPattern: event.d))" : "", Hex.text(event.data), event.story,
      ]
      return row != expected
    }
    #expect(wrong == nil)
  }

  @Test func aHoleIsARow() throws {
    let rows = try Self.rows(try Exported.bytes(CSVExport(), StoredTrace(name: "damaged-flipped")))
    let hole = try #require(rows.first { $0[3] == "hole" })
    let (first, count, last) = (try #require(UInt64(hole[0])), try #require(UInt64(hole[9])), try #require(UInt64(hole[10])))
    #expect(first + count - 1 == last && hole[14].contains("checksum"))
  }

  @Test func fieldsAreQuotedWhereTheyMustBe() throws {
    let events = [
      Event(.hypercallResult, vcpu: 0, seq: 1, time: 10, a: UInt64(bitPattern: -22), b: 7),
      Event(.console, vcpu: Event.host, seq: 2, time: 20, data: Array("a, \"b\"\r\n".utf8)),
      Event(.guestEnter, vcpu: 1, seq: 3, time: 30, rip: 0xffff_ffff_8000_0000),
    ]
    let symbols = try GuestSymbols(map: Array("ffffffff80000000 10 T start, \"early\"\n".utf8))
    let bytes = Exported.bytes(CSVExport(symbols: symbols), events)
    let rows = try Self.rows(bytes)
    #expect(rows[1][9] == "-22" && rows[1][10] == "7" && rows[1][4] == "")
    #expect(rows[2][2] == "" && rows[2][14] == events[1].story && rows[1][7] == "" && events[1].story.contains(","))
    #expect(rows[3][6] == "0xffffffff80000000" && rows[3][7] == "start, \"early\"")
    #expect(String(decoding: bytes, as: UTF8.self).contains("\"start, \"\"early\"\"\""))
  }
}
