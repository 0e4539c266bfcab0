import Testing
import TraceEvents

/// What every recording must be: entries and exits of a vCPU alternate, its page writes lie between them, times do not fall.
func expectWellFormed(_ recorded: Recorded, sourceLocation: SourceLocation = #_sourceLocation) {
  var inside: Set<UInt16> = []
  var problems: [String] = []
  var time: UInt64 = 0
  for event in recorded.events {
    if event.time < time { problems.append("time falls at \(event.seq)") }
    time = event.time
    switch event.kind {
    case .guestEnter: if !inside.insert(event.vcpu).inserted { problems.append("second entry at \(event.seq)") }
    case .guestExit: if inside.remove(event.vcpu) == nil { problems.append("exit without entry at \(event.seq)") }
    case .pageWrite:
      if !inside.contains(event.vcpu) { problems.append("page write outside the guest at \(event.seq)") }
      if PageDiff(event.data) == nil { problems.append("no diff at \(event.seq)") }
    case .writeTrap, .hypercall, .vcpuHalt: if inside.contains(event.vcpu) { problems.append("trap inside the guest at \(event.seq)") }
    default: break
    }
  }
  if recorded.events.first?.kind != .sessionStart || recorded.events.last?.kind != .sessionEnd { problems.append("start and end") }
  if recorded.events.map(\.seq) != Array(1...UInt64(recorded.events.count)) { problems.append("numbers have holes") }
  #expect(problems.isEmpty && inside.isEmpty, "\(problems.prefix(5))", sourceLocation: sourceLocation)
}

/// What guest memory holds according to the trace alone, from zeroed pages and the loader's.
struct ReplayedMemory {
  private var pages: [UInt64: [UInt8]] = [:]

  init(_ recorded: Recorded) {
    for event in recorded.events {
      switch event.kind {
      case .pageWrite:
        for run in PageDiff(event.data)?.runs ?? [] { store(event.gpa + UInt64(run.offset), run.bytes) }
      case .writeResult: store(event.gpa, Array(event.data.suffix(event.data.count / 2)))
      default: break
      }
    }
  }

  private mutating func store(_ gpa: UInt64, _ bytes: [UInt8]) {
    for (index, byte) in bytes.enumerated() {
      let at = gpa + UInt64(index)
      pages[at & ~4095, default: Array(repeating: 0, count: 4096)][Int(at & 4095)] = byte
    }
  }

  private func byte(_ gpa: UInt64) -> UInt8 { pages[gpa & ~4095].map { $0[Int(gpa & 4095)] } ?? 0 }

  func quadword(_ gpa: UInt64) -> UInt64 {
    (0..<8).reduce(0) { $0 | UInt64(byte(gpa + UInt64($1))) << UInt64(8 * $1) }
  }
}
