internal import TraceEvents
internal import TraceFormat

/// Some of a trace's events as a trace of their own: numbered from 1, with every mention of an event's number put right.
struct EventSubset: TraceSource {
  private let batches: [EventBatch]
  /// The numbers that the events had, in order.
  private let originals: [UInt64]

  var count: Int { originals.count }

  init(_ indices: [Int32], of all: NumberedEvents, header: TraceHeader) throws(TraceFormatError) {
    let events = all.renumbered(indices)
    originals = indices.map { all.events[Int($0)].seq }
    var batches: [EventBatch] = []
    var start = 0
    while start < events.count {
      var (end, size) = (start, 0)
      while end < events.count, end - start < TraceLimits.eventsPerBlock, size + events[end].data.count <= TraceLimits.dataPerBlock {
        size += events[end].data.count
        end += 1
      }
      batches.append(try EventBatch(encoding: Array(events[start..<end]), header: header))
      start = end
    }
    self.batches = batches
  }

  /// The number that an event had in the whole trace; 0 for one that is none.
  func original(_ seq: UInt64) -> UInt64 { seq >= 1 && seq <= UInt64(originals.count) ? originals[Int(seq) - 1] : 0 }

  /// The number that the event has here which was `seq` in the whole trace; of one that is left out, that of the next.
  func number(_ seq: UInt64) -> UInt64 { UInt64(originals.prefix { $0 < seq }.count) + 1 }

  func run<Pass: TracePass & ~Copyable>(_ pass: inout Pass) {
    for batch in batches where !pass.isDone { pass.consume(batch) }
  }
}

/// The events that a search chooses from, and what their numbers stand for.
struct NumberedEvents {
  let events: [Event]
  /// The highest number of the whole trace.
  let lastSeq: UInt64
  /// By event: the index of the event that its `cause` names; -1 for none.
  private let causes: [Int32]

  init(_ events: [Event], lastSeq: UInt64, bonds: EventBonds) {
    self.events = events
    self.lastSeq = lastSeq
    causes = events.indices.map { bonds.need(Int32($0), .cause) }
  }

  /// Copies of these events, ascending, with numbers from 1.
  ///
  /// A number that names an event which the whole trace does not have names none here, either: one past its end stays as it is, and one of a
  /// hole becomes 0. An acknowledgement that is left out with all of its vCPU was not waited for.
  func renumbered(_ indices: [Int32]) -> [Event] {
    var numbers: [UInt64: UInt64] = [:]
    var copies: [Event] = []
    copies.reserveCapacity(indices.count)
    for (place, index) in indices.enumerated() where isNamed(events[Int(index)].kind) { numbers[events[Int(index)].seq] = UInt64(place) + 1 }
    for (place, index) in indices.enumerated() {
      var event = events[Int(index)]
      event.seq = UInt64(place) + 1
      if event.cause != 0 { event.cause = numbers[event.cause] ?? (event.cause > lastSeq ? event.cause : 0) }
      if event.kind == .regionMap {
        event.data = Event.data(ofWords: event.words.compactMap { numbers[$0] ?? ($0 > lastSeq || $0 == 0 ? $0 : nil) })
      }
      copies.append(event)
    }
    return copies
  }

  private func isNamed(_ kind: EventKind) -> Bool { kind != .guestEnter && kind != .guestExit && kind != .pageWrite && kind != .guestWrite }
}
