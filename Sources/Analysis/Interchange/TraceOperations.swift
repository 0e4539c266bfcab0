internal import TraceEvents
internal import TraceOrder

/// What the events of a native trace are to a race detector: reads and writes of memory, and messages between vCPUs.
///
/// Memory is looked at in aligned words of 8 bytes. A write is what an event shows to have changed or been stored; of a page-write that is what changed
/// in the page since it was last seen, taken at its word. A message is named by the event that sent it.
struct TraceOperations: ~Copyable {
  enum Operation {
    /// The guest-physical address of a word.
    case read(UInt64)
    case write(UInt64)
    /// The sequence number of the event that sends, or sent.
    case send(UInt64)
    case receive(UInt64, isOnlyReceiver: Bool)
  }

  private var order: TraceOrder
  /// Those of the last event, in their order.
  private(set) var operations: [Operation] = []

  init(vcpuCount: Int) { order = TraceOrder(vcpuCount: vcpuCount) }

  /// Whether events of this kind may have operations.
  static func concerns(_ kind: EventKind) -> Bool {
    switch kind {
    case .pageWrite, .guestWrite, .writeResult, .regionAccess, .eventsLost: true
    default: TraceOrder.concerns(kind)
    }
  }

  mutating func take(_ event: Event) {
    operations.removeAll(keepingCapacity: true)
    switch event.kind {
    case .pageWrite:
      guard let diff = PageDiff(event.data) else { return }
      for run in diff.runs { touch(event.gpa & ~4095 + UInt64(run.offset), run.bytes.count) { .write($0) } }
    case .guestWrite: touch(event.gpa, event.data.count / 2) { .write($0) }
    case .writeResult:
      if event.a == WriteOutcome.applied.rawValue { touch(event.gpa, event.data.count / 2) { .write($0) } }
    case .regionAccess:
      let isWrite = event.a == AccessKind.write.rawValue
      touch(event.gpa, max(1, event.data.count)) { isWrite ? .write($0) : .read($0) }
    default:
      guard TraceOrder.concerns(event.kind) else { return }
      order.take(event)
      for seq in order.sources { operations.append(.receive(seq, isOnlyReceiver: TraceOrder.isOnlyReceiver(event.kind))) }
      if TraceOrder.isSource(event.kind) { operations.append(.send(event.seq)) }
    }
  }

  mutating func forget() { order.forget() }

  /// Word by word; a word that two runs share comes twice, which says nothing new.
  private mutating func touch(_ gpa: UInt64, _ count: Int, _ make: (UInt64) -> Operation) {
    guard count > 0 else { return }
    let end = gpa &+ UInt64(count - 1)
    var word = gpa & ~7
    while word <= end, end >= gpa {
      operations.append(make(word))
      word &+= 8
      if word == 0 { break }
    }
  }
}
