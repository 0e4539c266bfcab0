import Hypervisor
import TraceEvents

/// A machine made of plain values: sparse memory, registers that are a number, signals that are bits.
struct TestHost: HypervisorHost, Hashable {
  /// How sequence numbers are given.
  enum Numbering: Hashable {
    /// As a recorder does: 1, 2, 3…
    case counted
    /// By what the event is, so that equal states reached in different ways stay equal.
    case symbolic
  }

  struct Registers: Hashable {
    var rip: UInt64 = 0
    var word: UInt64 = 0
    /// What `enterHandler` saved, then restored.
    var savedRIP: UInt64?
    var savedWord: UInt64 = 0
  }

  var memory: [GuestRange]
  var numbering: Numbering
  /// Since they were last taken.
  var events: [Event] = []
  var count: UInt64 = 0
  var kicks: UInt64 = 0
  var wakes: UInt64 = 0
  var isRegionMapped = false
  var tracedPages: Set<UInt64> = []
  var pages: [UInt64: [UInt8]] = [:]
  var vcpus: [Registers]
  var results: [Int64?]
  var values: [UInt64]
  var injected: [[UInt8]]

  init(vcpuCount: Int, memory: [GuestRange], numbering: Numbering) {
    self.memory = memory
    self.numbering = numbering
    vcpus = Array(repeating: Registers(), count: vcpuCount)
    results = Array(repeating: nil, count: vcpuCount)
    values = Array(repeating: 0, count: vcpuCount)
    injected = Array(repeating: [], count: vcpuCount)
  }

  mutating func record(_ event: Event) -> UInt64 {
    var event = event
    switch numbering {
    case .counted: count += 1
    case .symbolic: count = UInt64(event.kind.rawValue) << 48 | UInt64(event.vcpu) << 32 | (event.a & 0xff) << 24 | (event.b & 0xffffff)
    }
    event.seq = count
    events.append(event)
    return count
  }

  mutating func kick(_ vcpu: Int) { kicks |= 1 << UInt64(vcpu) }
  mutating func wake(_ vcpu: Int) { wakes |= 1 << UInt64(vcpu) }
  mutating func setRegionMapped(_ mapped: Bool) { isRegionMapped = mapped }

  mutating func setTraced(_ traced: Bool, firstGFN: UInt64, pageCount: UInt64) {
    for gfn in firstGFN..<firstGFN + pageCount {
      if traced { tracedPages.insert(gfn) } else { tracedPages.remove(gfn) }
    }
  }

  func readMemory(gpa: UInt64, count: Int) -> [UInt8]? {
    guard memory.contains(where: { $0.contains(gpa) && $0.length - (gpa - $0.start) >= UInt64(count) }) else { return nil }
    return (0..<UInt64(count)).map { pages[(gpa + $0) / 4096]?[Int((gpa + $0) % 4096)] ?? 0 }
  }

  mutating func writeMemory(gpa: UInt64, _ bytes: [UInt8]) {
    for (index, byte) in bytes.enumerated() {
      let at = gpa + UInt64(index)
      pages[at / 4096, default: Array(repeating: 0, count: 4096)][Int(at % 4096)] = byte
    }
  }

  func registers(of vcpu: Int) -> RegisterSnapshot { RegisterSnapshot(rip: vcpus[vcpu].rip, digest: vcpus[vcpu].word) }

  mutating func setHypercallResult(_ vcpu: Int, status: Int64, value: UInt64) {
    results[vcpu] = status
    values[vcpu] = value
    vcpus[vcpu].word ^= 1
  }

  mutating func enterHandler(_ vcpu: Int) {
    precondition(vcpus[vcpu].savedRIP == nil, "the handler is entered once")
    vcpus[vcpu].savedRIP = vcpus[vcpu].rip
    vcpus[vcpu].savedWord = vcpus[vcpu].word
    vcpus[vcpu].rip = 0x7000_0000
    vcpus[vcpu].word = 0xffff
  }

  mutating func restoreInterrupted(_ vcpu: Int) {
    guard let rip = vcpus[vcpu].savedRIP else { preconditionFailure("nothing to restore") }
    vcpus[vcpu].rip = rip
    vcpus[vcpu].word = vcpus[vcpu].savedWord
    vcpus[vcpu].savedRIP = nil
    vcpus[vcpu].savedWord = 0
  }

  mutating func injectInterrupt(_ vcpu: Int, vector: UInt8) { injected[vcpu] = [vector] }

  mutating func prepareStart(_ vcpu: Int, rip: UInt64, argument: UInt64) {
    vcpus[vcpu] = Registers(rip: rip, word: argument)
  }

  mutating func takeEvents() -> [Event] {
    defer { events = [] }
    return events
  }
}
