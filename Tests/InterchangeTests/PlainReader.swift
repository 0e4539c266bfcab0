import Interchange

/// STD text read the plain way, line by line and field by field: what the fast reader is held against.
struct PlainReader: Equatable {
  struct Event: Equatable {
    var operation: String
    var thread: String
    var operand: String
    var location: String
  }

  var events: [Event] = []
  /// The first malformed line, counted from 1; nothing after it is read.
  var malformed: UInt64?

  init() {}

  init(_ text: [UInt8]) {
    guard !text.isEmpty else { return }
    if text.starts(with: [0xef, 0xbb, 0xbf]) {
      malformed = 1
      return
    }
    var lines = text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    if lines.last!.isEmpty { lines.removeLast() }
    for (index, line) in lines.enumerated() {
      guard let event = Self.event(Array(line)) else {
        malformed = UInt64(index + 1)
        return
      }
      events.append(event)
    }
  }

  private static func event(_ line: [UInt8]) -> Event? {
    var line = line
    if line.count + 1 > STDReader.lineLimit { return nil }
    if line.last == UInt8(ascii: "\r") { line.removeLast() }
    guard let text = String(validating: line, as: UTF8.self), !line.contains(where: { $0 < 0x21 }) else { return nil }
    let fields = text.unicodeScalars.split(separator: "|", omittingEmptySubsequences: false).map { String($0) }
    guard fields.count == 3, fields.allSatisfy({ !$0.isEmpty }) else { return nil }
    for name in ["begin", "end"] {
      let rest = Array(fields[1].utf8.dropFirst(name.utf8.count))
      guard Array(fields[1].utf8).starts(with: Array(name.utf8)) else { continue }
      let isBare = rest.isEmpty || (rest.count >= 2 && rest.first == UInt8(ascii: "(") && rest.last == UInt8(ascii: ")"))
      return isBare ? Event(operation: name, thread: fields[0], operand: "", location: fields[2]) : nil
    }
    for name in ["r", "w", "acq", "rel", "fork", "join"] {
      let field = Array(fields[1].utf8)
      guard field.starts(with: Array((name + "(").utf8)), field.last == UInt8(ascii: ")") else { continue }
      let operand = field.dropFirst(name.utf8.count + 1).dropLast()
      if operand.isEmpty { return nil }
      return Event(operation: name, thread: fields[0], operand: String(decoding: operand, as: UTF8.self), location: fields[2])
    }
    return nil
  }

  /// The same by the reader under test, fed with so many bytes at a time.
  init(by _: STDReader.Type, _ text: [UInt8], piece: Int) throws {
    var reader = STDReader()
    var at = 0
    do {
      // SAFETY: as many bytes as there is room for, at most.
      while try unsafe reader.fill({ room in
        let count = min(piece, room.count, text.count - at)
        unsafe room.copyBytes(from: text[at..<at + count])
        at += count
        return count
      }) {
        while true {
          let count = try reader.nextBatch()
          if count == 0 { break }
          for index in 0..<count { events.append(Self.event(reader, reader.event(index))) }
        }
      }
      if reader.lineCount != UInt64(events.count) { malformed = .max }
    } catch let error as STDError {
      malformed = error.line
      // A batch with a malformed line is not handed out at all.
      events = Array(PlainReader(text).events.prefix(events.count)) == events ? PlainReader(text).events : events
    }
  }

  private static func event(_ reader: borrowing STDReader, _ event: STDReader.Event) -> Event {
    var operand = ""
    switch event.operation {
    case .read, .write: operand = reader.variables.name(event.operand)
    case .acquire, .release: operand = reader.locks.name(event.operand)
    case .fork, .join: operand = reader.threads.name(event.operand)
    case .begin, .end: break
    }
    // SAFETY: copied at once.
    let location = unsafe reader.location(of: event).withUnsafeBytes { unsafe String(decoding: $0, as: UTF8.self) }
    return Event(operation: "\(event.operation.name)", thread: reader.threads.name(event.thread), operand: operand, location: location)
  }
}
