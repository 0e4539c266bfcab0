internal import TraceEvents
public import TraceFormat

/// What `info` says of a trace, by one pass over it.
public struct TraceSummary: Sendable {
  public var header: TraceHeader
  public var events: UInt64 = 0
  public var lost: UInt64 = 0
  /// Bytes of the file.
  public var size: UInt64
  /// Time of the last event, in nanoseconds.
  public var duration: UInt64 = 0
  public var countsByKind: [UInt64] = Array(repeating: 0, count: 256)
  /// By vCPU; the host's is last.
  public var countsByVCPU: [UInt64]
  /// Events of kinds that this version does not know.
  public var unknown: UInt64 = 0
  private var stream = EventDigest()
  public var isComplete = false
  /// Why the session ended, nil where the trace does not say.
  public var end: String?
  /// The same for a person.
  private var endWords: String?
  public var damage: [String] = []

  /// Of nothing read yet: a pass fills it.
  public init(header: TraceHeader, size: UInt64) {
    self.header = header
    self.size = size
    countsByVCPU = Array(repeating: 0, count: header.vcpuCount + 1)
  }

  /// Reads the whole trace once, from its start.
  public init(of trace: some StoredTrace) {
    self.init(header: trace.header, size: trace.size)
    trace.run(&self)
    isComplete = trace.isComplete
    damage = trace.damageLines
  }

  /// Digest of the stream of events, times aside.
  public var digest: String { stream.text }

  private var bytesPerEvent: Double { events == 0 ? 0 : Double(size) / Double(events) }

  private var kinds: [(name: String, count: UInt64)] {
    countsByKind.indices.filter { countsByKind[$0] > 0 }.map { number in
      let name = header.kinds.first { $0.number == UInt8(number) }?.name ?? EventKind(rawValue: UInt8(number)).name
      return (name, countsByKind[number])
    }
  }

  public var json: JSON {
    .object([
      ("format", .string("\(header.major).\(header.minor)")),
      ("complete", .bool(isComplete)),
      ("end", .optional(end) { .string($0) }),
      ("events", .number(events)),
      ("lost", .number(lost)),
      ("unknown", .number(unknown)),
      ("size", .number(size)),
      ("bytesPerEvent", .decimal(bytesPerEvent)),
      ("duration", .number(duration)),
      ("digest", .string(digest)),
    ] + header.members + [
      ("kinds", .object(kinds.map { ($0.name, .number($0.count)) })),
      (
        "byVCPU", .array(
          countsByVCPU.enumerated().map { index, count in
            .object([("vcpu", index < header.vcpuCount ? .number(UInt64(index)) : .null), ("events", .number(count))])
          })
      ),
      ("damage", .array(damage.map { .string($0) })),
    ])
  }

  public func text(name: String) -> String {
    var lines = [name]
    func add(_ label: String, _ value: String) { lines.append("  " + label.padded(to: 14) + value) }
    add("format", "\(header.major).\(header.minor)")
    add("state", (isComplete ? "complete" : "not complete") + (endWords.map { ", ended: \($0)" } ?? ", no end recorded"))
    add("events", Count.grouped(events) + (lost > 0 ? ", \(Count.grouped(lost)) missing" : "") + (unknown > 0 ? ", \(unknown) of unknown kinds" : ""))
    add("size", "\(Count.bytes(size)), \(JSON.decimalText(bytesPerEvent)) bytes an event")
    add("duration", "\(JSON.decimalText(Double(duration) / 1e9)) s")
    add("digest", digest)
    add("vCPUs", "\(header.vcpuCount)")
    for range in header.memory { add("memory", "\(Hex.text(range.start)) + \(Count.bytes(range.length))") }
    add("region", "\(Hex.text(header.region.start)) + \(Count.bytes(header.region.length))")
    add("attribution", header.attribution == .everyWrite ? "every write is logged under its vCPU" : "only the first writer of a page is logged")
    for property in header.properties { add(property.name, property.value.printable) }
    lines.append("  by kind")
    for kind in kinds { lines.append("    " + kind.name.padded(to: 22) + Count.grouped(kind.count)) }
    lines.append("  by vCPU")
    for (index, count) in countsByVCPU.enumerated() where count > 0 || index < header.vcpuCount {
      lines.append("    " + (index < header.vcpuCount ? "\(index)" : "host").padded(to: 22) + Count.grouped(count))
    }
    for place in damage { lines.append("  damage: \(place)") }
    return lines.joined(separator: "\n") + "\n"
  }
}

extension TraceSummary: TracePass {
  public var isDone: Bool { false }

  /// Counts, and the last event's time and reason.
  public mutating func consume(_ batch: EventBatch) {
    stream.combine(batch)
    events += UInt64(batch.count)
    unknown += UInt64(batch.unknownCount)
    duration = max(duration, batch.timeRange.upperBound)
    batch.withCursor { cursor in
      while cursor.next() {
        countsByKind[Int(cursor.kind.rawValue)] += 1
        countsByVCPU[min(Int(cursor.vcpu), countsByVCPU.count - 1)] += 1
        if cursor.kind == .sessionEnd { noteEnd(cursor.event) }
        if cursor.kind == .eventsLost { lost &+= cursor.a }
      }
    }
  }

  private mutating func noteEnd(_ event: Event) {
    end = event.story
    endWords = Words.endReason(event.a) + event.endDetail
  }

  public mutating func noteHole(lostEvents: UInt64, firstSeq: UInt64, lastSeq: UInt64, damage: String?) { lost &+= lostEvents }
}
