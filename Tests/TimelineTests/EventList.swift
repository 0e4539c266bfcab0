import Timeline
import TraceEvents
import TraceFormat

/// A trace made event by event: numbers and times count up, one event every ten nanoseconds.
struct EventList {
  private(set) var events: [Event] = []
  let vcpuCount: Int

  init(_ events: [Event] = [], vcpuCount: Int) {
    self.events = events
    self.vcpuCount = vcpuCount
  }

  /// Appends an event and returns its number.
  @discardableResult
  mutating func add(
    _ kind: EventKind, _ vcpu: Int, gpa: UInt64 = 0, cause: UInt64 = 0, a: UInt64 = 0, b: UInt64 = 0, data: [UInt8] = []
  ) -> UInt64 {
    let seq = UInt64(events.count + 1)
    let number = vcpu < 0 ? Event.host : UInt16(vcpu)
    events.append(Event(kind, vcpu: number, seq: seq, time: seq * 10, gpa: gpa, cause: cause, a: a, b: b, data: data))
    return seq
  }

  mutating func online() {
    for vcpu in 0..<vcpuCount { add(.vcpuOnline, vcpu) }
  }

  /// A whole rendezvous that vCPU 0 takes: every other one is stopped and resumed. Returns the numbers of the stop signals, acks and resumes sent.
  @discardableResult
  mutating func rendezvous(_ number: UInt64) -> (stops: [UInt64], acks: [UInt64], resumes: [UInt64]) {
    let raise = add(.privilegedRaise, -1, a: 0)
    add(.rendezvousClaim, 0, cause: raise, b: number)
    let stops = (1..<vcpuCount).map { add(.stopSend, 0, a: UInt64($0), b: number) }
    let acks = (1..<vcpuCount).map { add(.stopAck, $0, cause: stops[$0 - 1], b: number) }
    add(.regionMap, 0, gpa: 0x7000_0000, a: 0x10_0000, b: number, data: Event.data(ofWords: acks))
    add(.modeEnter, 0, cause: raise, b: number)
    let exit = add(.modeExit, 0, a: ExitPath.last.rawValue, b: number)
    let unmap = add(.regionUnmap, 0, gpa: 0x7000_0000, cause: exit, a: 0x10_0000, b: number)
    let resumes = (1..<vcpuCount).map { add(.resumeSend, 0, cause: unmap, a: UInt64($0), b: number) }
    for vcpu in 1..<vcpuCount { add(.resumeTake, vcpu, cause: resumes[vcpu - 1], b: number) }
    add(.rendezvousEnd, 0, b: number)
    add(.modeReturn, 0, b: number)
    return (stops, acks, resumes)
  }

  /// What the timeline makes of it, in batches of `size` events.
  func timeline(watching watch: EventWatch = EventWatch(), limits: Timeline.Limits = Timeline.Limits(), size: Int = 256) throws -> Timeline {
    var timeline = Timeline(vcpuCount: vcpuCount, watching: watch, limits: limits)
    for start in stride(from: 0, to: events.count, by: size) {
      timeline.consume(try batch(start..<min(start + size, events.count)))
    }
    timeline.finish()
    return timeline
  }

  func batch(_ range: Range<Int>) throws -> EventBatch {
    try EventBatch(encoding: Array(events[range]), header: TraceHeader(vcpuCount: vcpuCount))
  }
}

extension Timeline {
  /// A lane as `normal@2 stopped@7`, by the numbers of the events.
  func story(_ vcpu: Int) -> String { lanes[vcpu].story }
}

extension LaneHistory {
  var story: String {
    segments.map { "\($0.mode)\($0.shares == nil ? "" : "*")@\($0.start.seq)" }.joined(separator: " ")
  }
}
