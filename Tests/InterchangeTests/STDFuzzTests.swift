import Interchange
import Testing
import TestSeeds

/// Random text against the plain reader: the same events, the same malformed line, however the text is cut into pieces.
struct STDFuzzTests {
  private static let operands = ["x", "V123.4", "V234.23[0]", "f(a)", "))", "a-name-of-more-than-fifteen-bytes", "ÿ", "exactly8", "exactly-15-long"]
  private static let operations = ["r", "w", "acq", "rel", "fork", "join", "begin", "end"]

  private func text(_ random: inout Seed) -> [UInt8] {
    var text: [UInt8] = []
    for _ in 0..<random.below(30) {
      let operation = Self.operations[random.below(Self.operations.count)]
      let operand = Self.operands[random.below(Self.operands.count)]
      let field = operation.count == 5 && random.below(2) == 0 ? operation : "\(operation)(\(operand))"
      text += Array("T\(random.below(200))|\(field)|\(random.below(100_000))".utf8)
      text += random.below(8) == 0 ? [0x0d, 0x0a] : [0x0a]
    }
    return text
  }

  private func mutate(_ text: inout [UInt8], _ random: inout Seed) {
    let special: [UInt8] = [0x0a, 0x0d, 0x7c, 0x28, 0x29, 0x20, 0x00, 0x7f, 0x80, 0xff, 0xc3, 0x72]
    let byte = random.below(4) == 0 ? UInt8(random.below(256)) : special[random.below(special.count)]
    let at = random.below(max(1, text.count))
    switch random.below(4) {
    case 0 where !text.isEmpty: text[at] = byte
    case 1 where !text.isEmpty: text.remove(at: at)
    case 2 where !text.isEmpty: text.removeSubrange(at..<min(text.count, at + random.below(40)))
    default: text.insert(byte, at: at)
    }
  }

  private func check(_ text: [UInt8], _ random: inout Seed) throws {
    let piece = [1, 3, 7, 64, 1000][random.below(5)]
    let result = try PlainReader(by: STDReader.self, text, piece: piece)
    let expected = PlainReader(text)
    #expect(result == expected, "PAGETAPE_SEED=\(Seed.run), \(piece) bytes at a time: \(text)")
  }

  @Test func mutatedTextIsReadAlike() throws {
    var random = Seed(salt: 1)
    var malformed = 0
    for _ in 0..<3000 {
      var text = text(&random)
      for _ in 0..<random.below(3) { mutate(&text, &random) }
      if PlainReader(text).malformed != nil { malformed += 1 }
      try check(text, &random)
    }
    #expect(malformed > 500 && malformed < 2900)
  }

  @Test func randomBytesAreReadAlike() throws {
    var random = Seed(salt: 2)
    for _ in 0..<2000 {
      let isText = random.below(2) == 0
      let text = (0..<random.below(200)).map { _ in
        isText ? Array("T0|rw(x)1\nbeginacl".utf8)[random.below(18)] : UInt8(random.below(256))
      }
      try check(text, &random)
    }
  }

  /// Text of many fills: lines lie across every edge.
  @Test func longTextIsReadAlike() throws {
    var random = Seed(salt: 3)
    var text: [UInt8] = []
    while text.count < 600_000 { text += self.text(&random) }
    let expected = PlainReader(text)
    #expect(expected.malformed == nil)
    for piece in [1 << 20, 999] { #expect(try PlainReader(by: STDReader.self, text, piece: piece) == expected) }
    text += Array("T0|oops|1\n".utf8)
    #expect(try PlainReader(by: STDReader.self, text, piece: 5000).malformed == UInt64(expected.events.count + 1))
  }
}
