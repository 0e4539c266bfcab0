internal import Analyzer
internal import TraceEvents

/// The events between a seed's block and its anchor, and the judges as they were before them.
///
/// A class only because the judges must not be copied by chance; it is owned by one `Prediction`.
final class PredictionWindow {
  let seed: PredictionSeed
  private let start: Analyzer
  /// The event before the window.
  private let before: UInt64
  private var events: [Event] = []
  private var sources: [[UInt64]] = []

  init(_ seed: PredictionSeed, _ start: consuming Analyzer, after before: UInt64) {
    self.seed = seed
    self.start = start
    self.before = before
  }

  func append(_ event: Event, after sources: [UInt64]) {
    events.append(event)
    self.sources.append(sources)
  }

  /// The events of the window in the order that the seed asks for, nil where something forbids it.
  private func reordered() -> [Event]? {
    let later = following()
    let earlier = leading()
    guard let anchor = events.firstIndex(where: { $0.seq == seed.anchor }) else { return nil }
    if seed.side == .after ? later[anchor] : earlier[anchor] { return nil }
    let end = seed.side == .after ? anchor + 1 : anchor
    let kept = (0..<end).filter { !later[$0] }
    let moved = events.indices.filter { (earlier[$0] || isInBlock(events[$0])) && !($0 < end && !later[$0]) }
    return (kept + moved).map { events[$0] }
  }

  private func isInBlock(_ event: Event) -> Bool { event.vcpu == seed.vcpu && event.seq >= seed.first && event.seq <= seed.last }

  /// Which events cannot come before the block: it, and what is ordered after any of it.
  private func following() -> [Bool] {
    var isLater = Array(repeating: false, count: events.count)
    var last: [UInt16: Int] = [:]
    for (index, event) in events.enumerated() {
      let behind = sources[index].compactMap { self.index(of: $0) } + (last[event.vcpu].map { [$0] } ?? [])
      isLater[index] = isInBlock(event) || behind.contains { isLater[$0] }
      last[event.vcpu] = index
    }
    return isLater
  }

  /// Which events must come before the end of the block.
  private func leading() -> [Bool] {
    var isEarlier = Array(repeating: false, count: events.count)
    var isNeeded: Set<UInt16> = []
    for index in events.indices.reversed() {
      guard isInBlock(events[index]) || isEarlier[index] || isNeeded.contains(events[index].vcpu) else { continue }
      isEarlier[index] = true
      isNeeded.insert(events[index].vcpu)
      for source in sources[index] {
        if let at = self.index(of: source) { isEarlier[at] = true }
      }
    }
    return isEarlier
  }

  private func index(of seq: UInt64) -> Int? {
    guard let first = events.first?.seq, seq >= first, seq - first < UInt64(events.count) else { return nil }
    return Int(seq - first)
  }

  // MARK: Judging

  /// What breaks in the order that the seed asks for and not in the one that was recorded.
  func judge(known: Set<Rule>) -> (inner: Finding, witness: Finding.Witness)? {
    guard let reordered = reordered(), reordered.map(\.seq) != events.prefix(reordered.count).map(\.seq) else { return nil }
    var numbers: [UInt64: UInt64] = [:]
    var judges = start.copied()
    for (index, event) in reordered.enumerated() {
      numbers[event.seq] = before + UInt64(index) + 1
      judges.consume(renumbered(event, numbers))
    }
    let original = Dictionary(uniqueKeysWithValues: numbers.map { ($1, $0) })
    guard var inner = judges.firstBreak(after: before, where: { !known.contains($0) && seed.mayBreak($0) }) else { return nil }
    let end = Int(inner.seq - before)
    inner.because = inner.because.map { Finding.Reason(seq: original[$0.seq] ?? $0.seq, what: $0.what) }
    return (inner, witness(of: inner.rule, Array(reordered.prefix(end))))
  }

  /// The event as it would have been recorded there: with the numbers that events have in this order.
  private func renumbered(_ event: Event, _ numbers: [UInt64: UInt64]) -> Event {
    var event = event
    event.seq = numbers[event.seq] ?? event.seq
    event.cause = numbers[event.cause] ?? event.cause
    event.time = events.first?.time ?? 0
    if event.kind == .regionMap { event.data = Event.data(ofWords: event.words.map { numbers[$0] ?? $0 }) }
    return event
  }

  /// From where it leaves the recorded order.
  private func witness(of rule: Rule, _ order: [Event]) -> Finding.Witness {
    let same = zip(order, events).prefix { $0.seq == $1.seq }.count
    let steps = order[same...].map { Finding.Reason(seq: $0.seq, what: $0.brief) }
    let taken = Set(order.map(\.seq))
    let last = order.map(\.seq).max() ?? 0
    let later = events.filter { $0.seq < last && !taken.contains($0.seq) }.map { Finding.Reason(seq: $0.seq, what: $0.brief) }
    return Finding.Witness(rule: rule, prefix: same == 0 ? before : events[same - 1].seq, steps: steps, later: later)
  }
}

extension Event {
  /// The event in a few words, as a step of a witness.
  var brief: String {
    let who = vcpu == Event.host ? "host" : "vCPU \(vcpu)"
    let detail: String
    switch kind {
    case .stopSend, .resumeSend, .privilegedRaise, .interruptRaise, .vcpuStart: detail = " to vCPU \(a)"
    case .pageWrite, .writeTrap, .writeResult, .guestWrite, .pageContents, .traceInstall, .traceRemove: detail = " 0x\(String(gpa, radix: 16))"
    default: detail = ""
    }
    return "\(who) \(kind.name)\(detail)"
  }
}
