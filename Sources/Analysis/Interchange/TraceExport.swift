public import TraceEvents
public import TraceFormat

/// A native trace in RAPID's STD format, line by line.
///
/// A vCPU is the thread `T` and its number, the host `T` and the number of vCPUs; a word of 8 bytes is the variable `V` and its address. A message is a
/// fork of the fresh thread `M` and its sender's event number, and a join of that thread by each receiver: a lock in its place would tell other analyzers
/// that sender and receiver exclude each other and could change places. The location is the number of the event.
public struct TraceExport: ~Copyable {
  private var writer = STDWriter()
  private var operations: TraceOperations
  private let vcpuCount: Int
  private var isSent: Set<UInt64> = []
  public private(set) var lineCount: UInt64 = 0

  public init(vcpuCount: Int) {
    self.vcpuCount = vcpuCount
    operations = TraceOperations(vcpuCount: vcpuCount)
  }

  /// What was sent before a hole is not received behind it.
  public mutating func noteHole(lostEvents: UInt64, firstSeq: UInt64, lastSeq: UInt64, damage: String?) { forget() }

  private mutating func forget() {
    operations.forget()
    isSent.removeAll()
  }

  /// Takes one event.
  public mutating func take(_ event: Event) {
    guard TraceOperations.concerns(event.kind) else { return }
    if event.kind == .eventsLost, event.b != LossCause.dirtyRingOverflow.rawValue { return forget() }
    operations.take(event)
    let thread = STDWriter.Name("T", UInt64(min(Int(event.vcpu), vcpuCount)))
    for operation in operations.operations {
      switch operation {
      case .read(let gpa): writer.add(.read, by: thread, STDWriter.Name("V", gpa), location: event.seq)
      case .write(let gpa): writer.add(.write, by: thread, STDWriter.Name("V", gpa), location: event.seq)
      case .send(let seq):
        writer.add(.fork, by: thread, STDWriter.Name("M", seq), location: event.seq)
        isSent.insert(seq)
      case .receive(let seq, let isOnlyReceiver):
        guard isSent.contains(seq) else { continue }
        writer.add(.join, by: thread, STDWriter.Name("M", seq), location: event.seq)
        if isOnlyReceiver { isSent.remove(seq) }
      }
      lineCount += 1
    }
  }

  /// Takes the cursor's event, where it has to do with memory or messages.
  public mutating func take(_ cursor: borrowing EventCursor) {
    if TraceOperations.concerns(cursor.kind) { take(cursor.event) }
  }

  /// Bytes of lines that were not handed on yet.
  public var pendingCount: Int { writer.text.count }

  /// Hands on the lines so far.
  public mutating func flush(to output: (RawSpan) throws -> Void) rethrows {
    try output(writer.text.bytes)
    writer.text.removeAll()
  }
}
