import Interchange
import Testing

struct STDReaderTests {
  private func read(_ text: String, piece: Int = 1 << 20) throws -> PlainReader { try PlainReader(by: STDReader.self, Array(text.utf8), piece: piece) }

  @Test func everyOperationIsRead() throws {
    let text = """
      T0|r(V123)|345
      T1|w(V234.23[0])|456
      T0|fork(T2)|123
      T2|acq(L34)|120
      T2|rel(L34)|130
      T0|join(T2)|134
      T0|begin|1
      T0|end|2
      T0|begin()|1
      T0|end(m)|2
      main thread|r(x)|1

      """
    let result = try read(text.replacingOccurrences("main thread", "main"))
    #expect(result.malformed == nil)
    #expect(result.events.map(\.operation) == ["r", "w", "fork", "acq", "rel", "join", "begin", "end", "begin", "end", "r"])
    #expect(result.events.map(\.operand) == ["V123", "V234.23[0]", "T2", "L34", "L34", "T2", "", "", "", "", "x"])
    #expect(result.events.map(\.location) == ["345", "456", "123", "120", "130", "134", "1", "2", "1", "2", "1"])
    #expect(try read(text).malformed == 11, "a blank in the thread")
  }

  @Test(arguments: [
    "T0", "T0|r(x)", "T0|r(x)|", "|r(x)|1", "T0||1", "||", "T0|r(x)|1|2", "T0|r()|1", "T0|r(x|1", "T0|r x|1", "T0|r|1", "T0|read(x)|1", "T0|R(x)|1",
    "T0|acq()|1", "T0|acq|1", "T0|fork|1", "T0|forkx(T1)|1", "T0|join()|1", "T0|beginning|1", "T0|begin(|1", "T0|begin)|1", "T0|end)x(|1", "T0|branch|1",
    "T0|dummy(x)|1", "T0|r(x)|1 ", " T0|r(x)|1", "T0|r(a b)|1", "T0|r(x) |1", "T0|r(x)|a b", "# a comment", "T0|\tr(x)|1", "T0|r(x)|1\r\r", "\r", "T0,r(x),1",
    "T0|r(x)y|1", "T0|w(|1", "T0|w)|1",
  ])
  func aMalformedLineIsAnErrorWithItsNumber(_ line: String) throws {
    for before in [0, 1, 300] {
      for after in ["", "\n", "\nT1|w(y)|2\n"] {
        let text = String(repeating: "T0|w(x)|1\n", count: before) + line + after
        let result = try read(text)
        #expect(result.malformed == UInt64(before + 1), "\(before) lines before '\(line)\(after)'")
        #expect(PlainReader(Array(text.utf8)).malformed == UInt64(before + 1), "the reference")
      }
    }
  }

  @Test func linesAreCountedAcrossPieces() throws {
    let text = String(repeating: "T0|w(x)|1\n", count: 30_000) + "T0|w(x)|\n"
    #expect(try read(text).malformed == 30_001)
    #expect(try read(text, piece: 4099).malformed == 30_001)
  }

  @Test func anEmptyLineIsMalformed() throws {
    #expect(try read("\n").malformed == 1)
    #expect(try read("T0|r(x)|1\n\n").malformed == 2)
    #expect(try read("T0|r(x)|1\n\nT0|r(x)|1\n").malformed == 2)
  }

  /// It would be part of the first line's thread: one that nobody else is.
  @Test func aByteOrderMarkIsMalformed() throws {
    for text in ["\u{feff}T0|w(x)|1\nT0|w(x)|2\n", "\u{feff}T0|w(x)|1", "\u{feff}\n", "\u{feff}"] {
      for piece in [1, 2, 1 << 20] { #expect(try read(text, piece: piece).malformed == 1, "\(text.debugDescription)") }
      #expect(PlainReader(Array(text.utf8)).malformed == 1, "the reference")
    }
    #expect(try read("T0|w(x)|1\n\u{feff}T0|w(x)|2\n").events.map(\.thread) == ["T0", "\u{feff}T0"], "elsewhere it is a name's")
  }

  @Test func linesMayEndAsTheyDo() throws {
    let events = try read("T0|r(x)|1\nT0|w(x)|2\n").events
    #expect(events.count == 2)
    #expect(try read("T0|r(x)|1\nT0|w(x)|2").events == events)
    #expect(try read("T0|r(x)|1\r\nT0|w(x)|2\r\n").events == events)
    #expect(try read("T0|r(x)|1\r\nT0|w(x)|2\r").events == events)
    #expect(try read("") == PlainReader())
  }

  @Test func namesOfAnyLengthAreKeptApart() throws {
    var lines: [String] = []
    for length in 1...70 {
      for last in ["a", "b", "é", "("] { lines.append("T\(length)|w(\(String(repeating: "v", count: length - 1))\(last))|\(length)") }
    }
    let text = (lines + lines).joined(separator: "\n")
    #expect(try read(text) == PlainReader(Array(text.utf8)))
  }

  @Test func aLineHasALimit() throws {
    let limit = STDReader.lineLimit
    for (length, isFine) in [(limit, true), (limit + 1, false), (limit * 3, false), (limit * 9, false)] {
      let text = "T0|w(y)|1\nT0|r(" + String(repeating: "x", count: length - 9) + ")|1\n"
      #expect(text.utf8.count == 10 + length)
      for piece in [1 << 20, 1 << 10] {
        #expect(try read(text, piece: piece).malformed == (isFine ? nil : 2), "\(length)")
        #expect(try read(text + "T0|w(y)|1", piece: piece).events.count == (isFine ? 3 : 1), "\(length)")
      }
    }
  }

  @Test func whatIsNotUTF8IsMalformed() throws {
    for bytes: [UInt8] in [[0xff], [0xc3], [0xe2, 0x82], [0xed, 0xa0, 0x80], [0x80]] {
      for place in ["X|r(x)|1", "T|r(X)|1", "T|r(x)|X"] {
        var text = Array("T|r(ü)|1\n".utf8)
        for byte in place.utf8 { byte == UInt8(ascii: "X") ? text.append(contentsOf: bytes) : text.append(byte) }
        #expect(try PlainReader(by: STDReader.self, text, piece: 100).malformed == 2)
      }
    }
  }

  @Test func theErrorSaysWhatWasExpected() throws {
    var reader = STDReader()
    var text = Array("T0|r(x)|1\nT0|poke(x\u{1b}[31m)|1\n".utf8)
    // SAFETY: there is room for two lines.
    _ = try unsafe reader.fill { room in
      unsafe room.copyBytes(from: text)
      defer { text = [] }
      return text.count
    }
    let error = #expect(throws: STDError.self) { try reader.nextBatch() }
    #expect(error?.line == 2)
    #expect(error?.description.hasPrefix("line 2: expected one of r(…), w(…)") == true)
    #expect(error?.description.hasSuffix("not 'T0|poke(x\u{fffd}[31m)|1'") == true)
  }
}

extension String {
  func replacingOccurrences(_ old: String, _ new: String) -> String { split(separator: old, omittingEmptySubsequences: false).joined(separator: new) }
}
