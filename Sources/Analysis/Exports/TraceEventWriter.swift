internal import Interchange
internal import Reports

/// Writes Chrome's trace event format, an object a line: slices, instants and arrows on the tracks of one process.
struct TraceEventWriter: ~Copyable {
  var text = TextBuffer()
  private var isFirst = true

  /// The one process.
  private static let process: UInt64 = 1

  typealias Arguments = [(key: String, value: JSON)]

  /// What the file is about, and the start of the list of events.
  mutating func begin(_ about: Arguments) {
    text.append("{\"displayTimeUnit\": \"ns\", \"otherData\": " as StaticString)
    text.append(JSON.object(about).text)
    text.append(", \"traceEvents\": [\n" as StaticString)
  }

  mutating func finish() { text.append("\n]}\n" as StaticString) }

  mutating func name(process name: String) { add("M", track: 0, at: nil, [("name", .string("process_name")), ("args", .object([("name", .string(name))]))]) }

  /// A track's name, and its place among the others.
  mutating func name(track: UInt64, _ name: String, place: UInt64) {
    add("M", track: track, at: nil, [("name", .string("thread_name")), ("args", .object([("name", .string(name))]))])
    add("M", track: track, at: nil, [("name", .string("thread_sort_index")), ("args", .object([("sort_index", .number(place))]))])
  }

  /// A slice begins, inside the one that is open there.
  mutating func begin(_ name: String, _ category: String, track: UInt64, at time: UInt64, _ arguments: Arguments) {
    add("B", track: track, at: time, [("name", .string(name)), ("cat", .string(category)), ("args", .object(arguments))])
  }

  /// The slice that was begun last, and is not ended, ends.
  mutating func end(track: UInt64, at time: UInt64) { add("E", track: track, at: time, []) }

  mutating func instant(_ name: String, _ category: String, track: UInt64, at time: UInt64, _ arguments: Arguments) {
    add("i", track: track, at: time, [("name", .string(name)), ("cat", .string(category)), ("s", .string("t")), ("args", .object(arguments))])
  }

  /// An arrow begins, or ends, at the slice that is open there.
  mutating func arrow(_ name: String, _ id: UInt64, isEnd: Bool, track: UInt64, at time: UInt64) {
    let members: Arguments = [("name", .string(name)), ("cat", .string("signal")), ("id", .number(id))]
    add(isEnd ? "f" : "s", track: track, at: time, isEnd ? members + [("bp", .string("e"))] : members)
  }

  /// `time` is in nanoseconds, and written in microseconds with three decimals.
  private mutating func add(_ phase: StaticString, track: UInt64, at time: UInt64?, _ members: Arguments) {
    if !isFirst { text.append(",\n" as StaticString) }
    isFirst = false
    text.append("{\"ph\": \"" as StaticString)
    text.append(phase)
    text.append("\", \"pid\": " as StaticString)
    text.append(decimal: Self.process)
    text.append(", \"tid\": " as StaticString)
    text.append(decimal: track)
    if let time {
      text.append(", \"ts\": " as StaticString)
      text.append(decimal: time / 1000)
      text.append(UInt8(ascii: "."))
      for unit in [100, 10, 1] as [UInt64] { text.append(decimal: time % 1000 / unit % 10) }
    }
    for member in members {
      text.append(", \"" as StaticString)
      text.append(member.key)
      text.append("\": " as StaticString)
      text.append(member.value.text)
    }
    text.append(UInt8(ascii: "}"))
  }
}
