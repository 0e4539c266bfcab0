import Hypervisor
import Synthesizer
import TraceEvents
import TreeFormat

/// The hypervisor core over plain memory, with an integrity driver on vCPU 0 that edits its tree at random and a vCPU 1 that attacks it.
///
/// vCPUs take turns; what is written without a trap is told as page-writes at the writer's next exit, as a dirty ring would.
struct ProtectionMachine {
  static let memory = [GuestRange(start: 0, length: 16 << 20)]
  static let region = GuestRange(start: 0x7000_0000, length: 0x10_0000)
  static let entry: UInt64 = 0x10010
  static let data: UInt64 = 0x12000
  static let base: UInt64 = 0x20000
  static let leaves: [UInt64] = [0x21000, 0x22000]
  static let pages: [UInt64] = (0..<8).map { 0x40000 + $0 * 0x1000 }
  static let limit: UInt64 = 1 << 36

  var core: HypervisorCore
  var host = PlainHost()
  var random: SplitMix64
  var leaf = leaves[0]
  var published: Set<Int> = []
  /// vCPU 1 halted and nothing wakes it.
  var isHeld = false
  /// Where each vCPU's guest code is.
  var rips: [UInt64] = [0x1000, 0x2000]

  init(seed: UInt64, faults: FaultSet = []) {
    core = HypervisorCore(
      configuration: HypervisorConfiguration(vcpuCount: 2, memory: Self.memory, region: Self.region, faults: faults))
    random = SplitMix64(seed: seed)
  }

  private mutating func below(_ bound: Int) -> Int { Int(random.next() >> 33) % bound }

  mutating func run(rounds: Int) -> [Event] {
    _ = host.record(Event(.sessionStart, vcpu: Event.host, a: 2))
    core.start(rip: 0x1000, argument: 0, host: &host)
    goOn(0)
    call(0, 12, [1, 0x2000, 0])
    goOn(1)
    boot()
    for _ in 0..<rounds where core.sessionEnd == nil {
      edit()
      attack()
    }
    for vcpu in 0...1 where vcpu == 0 || !isHeld { exit(vcpu, .kick) }
    core.requestEnd(.guestFinished, host: &host)
    _ = host.record(Event(.sessionEnd, vcpu: Event.host, a: EndReason.guestFinished.rawValue))
    return host.events
  }

  // MARK: The guest

  private mutating func boot() {
    let children: [TreeNode.Child] = [.init(firstGFN: 0, gpa: leaf)]
    store(0, Self.base, TreeNode(level: 1, action: 1, lowGFN: 0, endGFN: Self.limit, body: .interior(children)).page)
    let mappings = Self.pages.indices.map { TreeNode.Mapping(firstGFN: Self.pages[$0] >> 12, action: 1) }
    var page = TreeNode(level: 0, action: 1, lowGFN: 0, endGFN: Self.limit, body: .leaf(mappings)).page
    // Keys stay for good; a mapping counts where its page count is not 0.
    for index in Self.pages.indices { page[64 + index * 32 + 8] = 0 }
    // Odd ones get their byte range when they are published.
    for index in Self.pages.indices where index % 2 == 1 { for byte in 16..<24 { page[64 + index * 32 + byte] = 0 } }
    store(0, leaf, page)
    call(0, 1, [Self.entry])
    call(0, 2, [0x10000, 1, 0])
    call(0, 2, [Self.data, 1, 1])
    call(0, 7, [Self.base, 2, 1])
    call(0, 3, [Self.data])
    call(0, 3, [Self.base])
    call(0, 4, [])
  }

  /// One edit in integrity mode.
  private mutating func edit() {
    call(0, 5, [], rip: Self.entry)
    store(0, Self.data + 8, [UInt8(below(256))])
    let index = below(Self.pages.count)
    let count = leaf + 64 + UInt64(index) * 32 + 8
    if below(4) == 0 {
      moveLeaf()
    } else if published.contains(index) {
      if below(5) == 0 { call(0, 8, [Self.pages[index], 1], rip: Self.entry + 8) }  // Too early: refused.
      store(0, count, [0, 0, 0, 0, 0, 0, 0, 0])
      call(0, 8, [Self.pages[index], 1], rip: Self.entry + 8)
      published.remove(index)
    } else {
      call(0, 7, [Self.pages[index], 1, 0], rip: Self.entry + 8)
      if index % 2 == 1 { store(0, count + 8, [0, 2, 0, 4, 1, 0, 0, 0]) }
      store(0, count, [1, 0, 0, 0, 0, 0, 0, 0])
      published.insert(index)
    }
    call(0, 6, [], rip: Self.entry + 16)
    if below(2) == 0 { store(0, Self.pages[index] + 600, [UInt8(1 + below(255))]) }
  }

  private mutating func moveLeaf() {
    let target = Self.leaves[0] + Self.leaves[1] - leaf
    store(0, target, host.memory[leaf >> 12] ?? [])
    call(0, 7, [target, 1, 1], rip: Self.entry + 8)
    store(0, Self.base + 72, (0..<8).map { UInt8(truncatingIfNeeded: target >> ($0 * 8)) })
    call(0, 8, [leaf, 1], rip: Self.entry + 8)
    leaf = target
  }

  /// Something that must be denied, refused or ordinary.
  private mutating func attack() {
    let page = Self.pages[below(Self.pages.count)]
    if isHeld { return }
    switch below(16) {
    case 0...2: store(1, page + UInt64(below(500)) * 8, [UInt8(1 + below(255)), 2, 3, 4])
    case 3: store(1, leaf + 4000, [UInt8(1 + below(255))])
    case 4: store(1, Self.data + 64, [UInt8(1 + below(255))])
    case 5: store(1, 0x10800, [UInt8(1 + below(255))])
    case 6:
      call(1, 5, [], rip: 0x2010)
      // Whoever was let in leaves again.
      if host.status == 0 { call(1, 6, [], rip: 0x2014) }
    case 7: call(1, 7, [0x80000 + UInt64(below(64)) * 4096, 1, 0])
    case 8: call(1, 2, [0xc0000 + UInt64(below(64)) * 4096, 1, 1])
    case 9: call(1, 6, [])
    case 10: enterWithInterrupts()
    case 11: enterTwice()
    case 12: haltInMode()
    case 13: touchRegion()
    default: call(1, 16, [])
    }
  }

  private mutating func enterWithInterrupts() {
    call(1, 5, [], rip: Self.entry, interrupts: true)
    guard host.status == 0 else { return }
    call(1, 11, [1, 0x40], rip: Self.entry + 8)
    call(1, 6, [], rip: Self.entry + 16)
  }

  private mutating func enterTwice() {
    call(1, 5, [], rip: Self.entry)
    call(1, 5, [], rip: Self.entry)
    call(1, 6, [], rip: Self.entry + 16)
  }

  /// Out of the mode and halted, until vCPU 0 sends an interrupt; or for good.
  private mutating func haltInMode() {
    call(1, 5, [], rip: Self.entry)
    exit(1, .halt)
    core.handle(.halt(rip: Self.entry + 8), on: 1, host: &host)
    goOn(1)
    call(0, 11, [1, 0x40])
    goOn(1)
    isHeld = host.events.last { $0.vcpu == 1 }?.kind == .vcpuHalt
  }

  private mutating func touchRegion() {
    exit(1, .unmappedAccess)
    core.handle(.unmappedAccess(gpa: Self.region.start + 8, write: nil, length: 8, rip: rips[1]), on: 1, host: &host)
    goOn(1)
  }

  // MARK: In and out of the guest

  private mutating func goOn(_ vcpu: Int) {
    for _ in 0..<8 {
      switch core.step(vcpu, readiness: VCPUReadiness(canTakeInterrupt: true), host: &host) {
      case .run:
        _ = host.record(Event(.guestEnter, vcpu: UInt16(vcpu), rip: rips[vcpu]))
        return
      case .again: continue
      case .wait, .finish: return
      }
    }
  }

  private mutating func exit(_ vcpu: Int, _ reason: GuestExitReason) {
    host.tellWrites(of: vcpu)
    _ = host.record(Event(.guestExit, vcpu: UInt16(vcpu), rip: rips[vcpu], a: reason.rawValue))
  }

  private mutating func call(_ vcpu: Int, _ number: UInt64, _ arguments: [UInt64], rip: UInt64? = nil, interrupts: Bool = false) {
    guard core.sessionEnd == nil else { return }
    rips[vcpu] = rip ?? (vcpu == 0 ? 0x1000 : 0x2000)
    exit(vcpu, .hypercall)
    core.handle(.hypercall(number: number, arguments: arguments, rip: rips[vcpu], interruptsEnabled: interrupts), on: vcpu, host: &host)
    goOn(vcpu)
  }

  private mutating func store(_ vcpu: Int, _ gpa: UInt64, _ bytes: [UInt8]) {
    guard core.sessionEnd == nil else { return }
    guard host.traced.contains(gpa >> 12) else {
      host.write(gpa, bytes)
      host.dirty[vcpu].insert(gpa >> 12)
      return
    }
    // Whole pages are copied word by word.
    for first in stride(from: 0, to: bytes.count, by: 8) where core.sessionEnd == nil {
      let word = Array(bytes[first..<min(first + 8, bytes.count)])
      exit(vcpu, .trappedWrite)
      core.handle(.trappedWrite(gpa: gpa + UInt64(first), bytes: word, rip: rips[vcpu], flags: 0), on: vcpu, host: &host)
      goOn(vcpu)
    }
  }
}

/// Memory, traces and a dirty ring of sets, for `ProtectionMachine`.
struct PlainHost: HypervisorHost {
  var events: [Event] = []
  var memory: [UInt64: [UInt8]] = [:]
  /// What was last told of each page.
  var told: [UInt64: [UInt8]] = [:]
  var traced: Set<UInt64> = []
  var dirty: [Set<UInt64>] = [[], []]
  var status: Int64 = 0

  private static let zero = [UInt8](repeating: 0, count: 4096)

  mutating func record(_ event: Event) -> UInt64 {
    var event = event
    event.seq = UInt64(events.count + 1)
    event.time = event.seq * 100
    events.append(event)
    if event.kind == .pageContents { told[event.gpa >> 12] = event.data }
    if event.kind == .writeResult, var page = told[event.gpa >> 12] {
      let count = event.data.count / 2
      page.replaceSubrange(Int(event.gpa & 4095)..<Int(event.gpa & 4095) + count, with: event.data[count...])
      told[event.gpa >> 12] = page
    }
    return event.seq
  }

  mutating func tellWrites(of vcpu: Int) {
    for frame in dirty[vcpu].sorted() {
      let (old, new) = (told[frame] ?? Self.zero, memory[frame] ?? Self.zero)
      let runs = (0..<4096).filter { old[$0] != new[$0] }.map { PageDiff.Run(offset: $0, bytes: [new[$0]]) }
      _ = record(Event(.pageWrite, vcpu: UInt16(vcpu), gpa: frame << 12, a: 1, data: PageDiff(runs: runs).encoded))
      told[frame] = new
    }
    dirty[vcpu] = []
  }

  mutating func write(_ gpa: UInt64, _ bytes: [UInt8]) {
    memory[gpa >> 12, default: Self.zero].replaceSubrange(Int(gpa & 4095)..<Int(gpa & 4095) + bytes.count, with: bytes)
  }

  mutating func kick(_ vcpu: Int) {}
  mutating func wake(_ vcpu: Int) {}
  mutating func setRegionMapped(_ mapped: Bool) {}
  mutating func setTraced(_ traced: Bool, firstGFN: UInt64, pageCount: UInt64) {
    for frame in firstGFN..<firstGFN + pageCount { if traced { self.traced.insert(frame) } else { self.traced.remove(frame) } }
  }
  func readMemory(gpa: UInt64, count: Int) -> [UInt8]? {
    guard ProtectionMachine.memory[0].contains(gpa), Int(gpa & 4095) + count <= 4096 else { return nil }
    return Array((memory[gpa >> 12] ?? Self.zero)[Int(gpa & 4095)..<Int(gpa & 4095) + count])
  }
  mutating func writeMemory(gpa: UInt64, _ bytes: [UInt8]) { write(gpa, bytes) }
  func registers(of vcpu: Int) -> RegisterSnapshot { RegisterSnapshot(rip: 0, digest: 0) }
  mutating func setHypercallResult(_ vcpu: Int, status: Int64, value: UInt64) { self.status = status }
  mutating func enterHandler(_ vcpu: Int) {}
  mutating func restoreInterrupted(_ vcpu: Int) {}
  mutating func injectInterrupt(_ vcpu: Int, vector: UInt8) {}
  mutating func prepareStart(_ vcpu: Int, rip: UInt64, argument: UInt64) {}
}
