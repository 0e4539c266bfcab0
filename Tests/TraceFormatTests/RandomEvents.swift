import TestSeeds
import TraceEvents
import TraceFormat

/// Events of every kind in the header, with operands of every size in exactly the columns that the kind carries.
func randomEvents(_ count: Int, _ header: TraceHeader, _ random: inout Seed) -> [Event] {
  var time: UInt64 = 0
  func operand(_ columns: Columns, _ column: Columns) -> UInt64 {
    columns.contains(column) ? random.next() >> UInt64.random(in: 0..<64, using: &random) : 0
  }
  return (1...UInt64(count)).map { seq in
    let kind = header.kinds.randomElement(using: &random)!
    let columns = kind.columns
    time += random.next() >> UInt64.random(in: 30..<64, using: &random)
    let vcpu = Int.random(in: 0...header.vcpuCount, using: &random)
    let long = Int.random(in: 0..<50, using: &random) == 0
    let count = columns.contains(.data) ? Int.random(in: 0...(long ? 5000 : 20), using: &random) : 0
    let data = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
    return Event(
      EventKind(rawValue: kind.number), vcpu: vcpu == header.vcpuCount ? Event.host : UInt16(vcpu), seq: seq, time: time, gpa: operand(columns, .gpa),
      rip: operand(columns, .rip), cause: columns.contains(.cause) ? UInt64.random(in: 0..<seq, using: &random) : 0, a: operand(columns, .a),
      b: operand(columns, .b), c: operand(columns, .c), d: operand(columns, .d), data: data)
  }
}

/// The same events, but page-writes say what changed in their page, some with more bytes than are stored apart, and some nothing.
func withRuns(_ events: [Event], _ random: inout Seed) -> [Event] {
  events.map { event in
    guard event.kind == .pageWrite else { return event }
    var event = event
    event.data = []
    for _ in 0..<Int.random(in: 0...4, using: &random) {
      let bytes = (0..<Int.random(in: 1...(Bool.random(using: &random) ? 3 : 40), using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
      let offset = UInt16.random(in: 0...(Bool.random(using: &random) ? 4095 : .max), using: &random)
      event.data += [UInt8(truncatingIfNeeded: offset), UInt8(offset >> 8), UInt8(bytes.count - 1), 0] + bytes
    }
    return event
  }
}
