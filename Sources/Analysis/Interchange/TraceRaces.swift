public import HappensBefore
public import Symbols
public import TraceEvents
public import TraceFormat

/// The racy events of a native trace: every access of a vCPU to memory that an earlier one of another vCPU conflicts with, unordered.
///
/// Unlike the rules `race/…` it looks at all of memory, elevated or not, and knows nothing of the guest's own locks: an ordinary program that
/// synchronises by memory alone races here.
public struct TraceRaces: ~Copyable, TracePass {
  public struct Race: BitwiseCopyable, Sendable {
    public var event: UInt64
    public var vcpu: UInt16
    /// The first word that raced.
    public var gpa: UInt64
    /// 0 where it is not known.
    public var rip: UInt64
    public var isWrite: Bool
  }

  private let semantics: RaceDetector.Semantics
  private var detector: RaceDetector
  private var operations: TraceOperations
  private let vcpuCount: Int
  private var words: [UInt64: Int32] = [:]
  private var messages: [UInt64: Int32] = [:]
  private var freeMessages: [Int32] = []
  private var messageCount: Int32 = 0
  private var traps: [UInt64]
  public private(set) var races: [Race] = []
  public private(set) var eventCount: UInt64 = 0

  public init(_ semantics: RaceDetector.Semantics, vcpuCount: Int) {
    self.semantics = semantics
    self.vcpuCount = vcpuCount
    detector = RaceDetector(semantics)
    operations = TraceOperations(vcpuCount: vcpuCount)
    traps = Array(repeating: 0, count: vcpuCount)
  }

  public var isDone: Bool { false }

  /// Words with a racy access.
  public var racyWordCount: Int { Set(races.map(\.gpa)).count }

  public mutating func consume(_ batch: EventBatch) {
    batch.withCursor { cursor in
      while cursor.next() {
        if TraceOperations.concerns(cursor.kind) { take(cursor.event) }
      }
    }
    eventCount += UInt64(batch.count)
  }

  /// Nothing is compared across a hole.
  public mutating func noteHole(lostEvents: UInt64, firstSeq: UInt64, lastSeq: UInt64, damage: String?) { forget() }

  private mutating func forget() {
    detector = RaceDetector(semantics)
    operations.forget()
    messages.removeAll()
    freeMessages.removeAll()
    messageCount = 0
  }

  /// Takes one event; those that `eventCount` counts come in batches.
  public mutating func take(_ event: Event) {
    // Writes that the dirty ring lost change no order.
    if event.kind == .eventsLost, event.b != LossCause.dirtyRingOverflow.rawValue { return forget() }
    operations.take(event)
    // Whatever does not belong to a vCPU of this machine is the host's.
    let thread = Int32(min(Int(event.vcpu), vcpuCount))
    if event.kind == .writeTrap, thread < vcpuCount { traps[Int(thread)] = event.rip }
    var racy: Race?
    for operation in operations.operations {
      switch operation {
      case .read(let gpa):
        if detector.read(variable(gpa), by: thread), racy == nil { racy = race(event, gpa, isWrite: false) }
      case .write(let gpa):
        if detector.write(variable(gpa), by: thread), racy == nil { racy = race(event, gpa, isWrite: true) }
      case .send(let seq): detector.send(message(seq), by: thread)
      case .receive(let seq, let isOnlyReceiver):
        guard let message = messages[seq] else { continue }
        detector.receive(message, by: thread)
        if isOnlyReceiver {
          detector.forget(message: message)
          messages[seq] = nil
          freeMessages.append(message)
        }
      }
    }
    if let racy { races.append(racy) }
  }

  private func race(_ event: Event, _ gpa: UInt64, isWrite: Bool) -> Race {
    let trapped = event.kind == .writeResult && Int(event.vcpu) < vcpuCount ? traps[Int(event.vcpu)] : 0
    return Race(event: event.seq, vcpu: event.vcpu, gpa: gpa, rip: event.rip != 0 ? event.rip : trapped, isWrite: isWrite)
  }

  private mutating func variable(_ gpa: UInt64) -> Int32 {
    if let known = words[gpa] { return known }
    let new = Int32(words.count)
    words[gpa] = new
    return new
  }

  private mutating func message(_ seq: UInt64) -> Int32 {
    let number: Int32
    if let free = freeMessages.popLast() {
      number = free
    } else {
      number = messageCount
      messageCount += 1
    }
    messages[seq] = number
    return number
  }

  /// Puts every racy event into a report, in the order of the trace; `symbols` puts names beside addresses.
  public func write(to report: inout RaceReport, symbols: GuestSymbols? = nil) throws {
    var thread = TextBuffer()
    var location = TextBuffer()
    var word = TextBuffer()
    for race in races {
      thread.removeAll()
      location.removeAll()
      word.removeAll()
      if Int(race.vcpu) < vcpuCount {
        thread.append("vcpu")
        thread.append(decimal: UInt64(race.vcpu))
      } else {
        thread.append("host")
      }
      if race.rip == 0 { location.append("unknown") } else { location.append("0x" + String(race.rip, radix: 16)) }
      word.append("0x" + String(race.gpa, radix: 16))
      let names = symbols.map {
        RaceReport.Names(location: race.rip == 0 ? nil : $0.place(rip: race.rip)?.text, variable: $0.place(gpa: race.gpa)?.text)
      }
      try report.add(event: race.event, isWrite: race.isWrite, thread: thread.bytes, location: location.bytes, variable: word.bytes, names: names)
    }
  }
}
