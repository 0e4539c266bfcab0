extension STDReader {
  /// Whether what is at hand of the text starts with the byte order mark that some editors write.
  var hasByteOrderMark: Bool {
    let mark: [UInt8] = [0xef, 0xbb, 0xbf]
    // SAFETY: within the buffer, which is padded.
    return unsafe UnsafeRawBufferPointer(start: buffer, count: min(end, mark.count)).elementsEqual(mark)
  }

  /// What is wrong with the line at `start`, looked at field by field.
  func malformed(_ start: Int) -> STDError {
    let line = unsafe line(start)
    let fields = unsafe line.split(separator: UInt8(ascii: "|"), omittingEmptySubsequences: false)
    func isBlank(_ field: Slice<UnsafeRawBufferPointer>) -> Bool { unsafe field.isEmpty || field.contains { $0 < 0x21 } }
    let expected: String
    if line.count >= Self.lineLimit {
      expected = "a line of at most \(Self.lineLimit) bytes"
    } else if lineCount == 1, hasByteOrderMark {
      expected = "a text without a byte order mark"
    } else if unsafe fields.count != 3 {
      expected = "thread|operation(operand)|location"
    } else if unsafe isBlank(fields[0]) {
      expected = "a thread without blanks before the first bar"
    } else if unsafe isBlank(fields[2]) {
      expected = "a location without blanks after the second bar"
    } else if unsafe String(validating: line, as: UTF8.self) == nil {
      expected = "UTF-8"
    } else {
      expected = "one of r(…), w(…), acq(…), rel(…), fork(…), join(…), begin, end between the bars, with an operand without blanks"
    }
    return unsafe STDError(line: lineCount, expected: expected, observed: line)
  }

  /// The bytes of the line at `start`, without its end; of one that is too long, as many as there are.
  @unsafe private func line(_ start: Int) -> UnsafeRawBufferPointer {
    // SAFETY: within the buffer.
    let rest = unsafe UnsafeRawBufferPointer(start: buffer + start, count: end - start)
    var count = unsafe rest.firstIndex(of: UInt8(ascii: "\n")) ?? rest.count
    if count > 0, unsafe rest[count - 1] == UInt8(ascii: "\r") { count -= 1 }
    return unsafe UnsafeRawBufferPointer(rebasing: rest[..<count])
  }
}
