internal import TraceEvents
internal import TraceFormat

/// What of an event counts when two traces are compared: a digest of its kind and operands, and the place of what it answers.
public struct EventFingerprint: Hashable, Sendable {
  /// Operands that a comparison can leave out.
  public enum Part: String, Hashable, Sendable, CaseIterable {
    case rip, data, cause
    /// The digests of registers.
    case registers
  }

  /// The operands that do count.
  struct Counted: Sendable {
    let rip: Bool
    let data: Bool
    let cause: Bool
    let registers: Bool

    init(without ignored: Set<Part>) {
      (rip, data) = (!ignored.contains(.rip), !ignored.contains(.data))
      (cause, registers) = (!ignored.contains(.cause), !ignored.contains(.registers))
    }
  }

  /// A cause that cannot be compared.
  static let farCause = UInt64.max

  let seq: UInt64
  let digest: UInt64
  /// Where in its vCPU's order the event is that this one answers: 0 for none.
  let cause: UInt64

  var causeIsFar: Bool { cause == Self.farCause }

  func agrees(with other: Self) -> Bool { digest == other.digest && (cause == other.cause || causeIsFar || other.causeIsFar) }

  init(_ event: borrowing EventCursor, _ counted: Counted, _ source: borrowing EventSource) {
    seq = event.seq
    var fold = Fold()
    fold.add(UInt64(event.kind.rawValue))
    fold.add(event.gpa)
    if counted.rip { fold.add(event.rip) }
    fold.add(event.a)
    fold.add(event.b)
    if counted.registers { fold.add(event.c) }
    fold.add(event.d)
    if event.kind == .regionMap {
      // The data are numbers of the events waited for.
      if counted.cause { Self.words(of: event) { fold.add(source.place(of: $0, seenFrom: event.seq)) } }
    } else if counted.data {
      fold.add(UInt64(event.dataCount))
      Self.words(of: event) { fold.add($0) }
    }
    digest = fold.value
    cause = counted.cause && event.cause != 0 ? source.place(of: event.cause, seenFrom: event.seq) : 0
  }

  /// The data as little-endian words, the last one filled up with zeros.
  private static func words(of event: borrowing EventCursor, _ body: (UInt64) -> Void) {
    let data = event.data
    var at = 0
    // SAFETY: each load lies inside the span.
    while at + 8 <= data.byteCount {
      body(unsafe UInt64(littleEndian: data.unsafeLoadUnaligned(fromByteOffset: at, as: UInt64.self)))
      at += 8
    }
    guard at < data.byteCount else { return }
    var rest: UInt64 = 0
    for index in (at..<data.byteCount).reversed() { rest = rest << 8 | UInt64(unsafe data.unsafeLoad(fromByteOffset: index, as: UInt8.self)) }
    body(rest)
  }

  /// 64 bits, every word mixed in by a full multiplication: two events that differ have the same with a chance of 2^-64.
  private struct Fold {
    var value: UInt64 = 0x9E37_79B9_7F4A_7C15

    @inline(__always) mutating func add(_ word: UInt64) {
      let product = (value ^ word).multipliedFullWidth(by: 0xA076_1D64_78BD_642F)
      value = (product.high ^ product.low) &+ word &+ 0x9E37_79B9_7F4A_7C15
    }
  }
}

/// Events in order, from one end in and from the other out.
struct EventQueue: Sendable {
  private var events: [EventFingerprint] = []
  private var head = 0

  var count: Int { events.count - head }
  var first: EventFingerprint? { head < events.count ? events[head] : nil }

  mutating func append(_ event: EventFingerprint) { events.append(event) }

  mutating func removeFirst() {
    head += 1
    guard head == events.count || head > 1024 && head * 2 > events.count else { return }
    events.removeFirst(head)
    head = 0
  }
}

/// One of two traces as it is read: where in its vCPU's order each recent event is.
struct EventSource: Sendable {
  /// Events back to which causes are followed: 16 MiB.
  private static let window: UInt64 = 1 << 21
  private static let laneShift: UInt64 = 48

  /// No more batches come, and why not where they should have.
  var isOver = false
  var reason: TraceComparison.Reason?
  /// Number of the first event.
  private(set) var first: UInt64?
  /// The number that the next event must have.
  private(set) var next: UInt64 = 1

  private var counts: [UInt64]
  /// By the low bits of an event's number: its lane, and which of the lane's events it is, from 1. 0 for one that is passed over.
  private var places: [UInt64]

  init(lanes: Int) {
    counts = Array(repeating: 0, count: lanes)
    places = Array(repeating: 0, count: Int(Self.window))
  }

  /// Whether a batch that begins with this event follows what was read. Any may be the first.
  mutating func expects(_ seq: UInt64) -> Bool {
    guard first != nil else {
      (first, next) = (seq, seq)
      return true
    }
    return seq == next
  }

  mutating func place(_ seq: UInt64, lane: Int) {
    counts[lane] += 1
    places[Int(seq % Self.window)] = UInt64(lane) << Self.laneShift | counts[lane]
    next = seq + 1
  }

  mutating func pass(_ seq: UInt64) {
    places[Int(seq % Self.window)] = 0
    next = seq + 1
  }

  /// Where an earlier event is, seen from this one; `farCause` where that is not known.
  func place(of seq: UInt64, seenFrom now: UInt64) -> UInt64 {
    guard let first, seq >= first, seq < now, now - seq < Self.window else { return EventFingerprint.farCause }
    let place = places[Int(seq % Self.window)]
    return place == 0 ? EventFingerprint.farCause : place
  }
}
