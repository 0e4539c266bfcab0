internal import TraceEvents

/// What the trace says of protection so far: who registered what, which pages are traced, what the tree is, who is in integrity mode.
///
/// The judges of `tree/`, `alert/` and `integrity/` read it as it was before the event in hand; `apply` then takes the event in.
struct Protection: ~Copyable {
  /// A trapped write whose vCPU has not gone on yet.
  struct Trap {
    var seq: UInt64 = 0
    var rip: UInt64 = 0
    var gpa: UInt64 = 0
  }

  /// A hypercall that has not been answered yet.
  struct Call {
    var seq: UInt64 = 0
    var number: UInt64 = 0
    var rip: UInt64 = 0
    var first: UInt64 = 0
    var second: UInt64 = 0
    /// The caller's mode when it asked.
    var mode = IntegrityModes.State.unknown
  }

  private(set) var filter = PageFilter()
  private(set) var traced = TracedPages()
  private(set) var tree: ProtectedTree
  private(set) var registration = Registration()
  private(set) var modes: IntegrityModes
  private(set) var traps: [Trap]
  private(set) var calls: [Call]
  /// A call that is owed while its vCPU is in the privileged mode, and makes calls there.
  private var owedCalls: [Call]

  init(_ subject: Analyzer.Subject) {
    tree = ProtectedTree(memory: subject.memory, readsUntraced: subject.writes == .pages)
    modes = IntegrityModes(count: subject.vcpuCount)
    traps = Array(repeating: Trap(), count: subject.vcpuCount)
    calls = Array(repeating: Call(), count: subject.vcpuCount)
    owedCalls = calls
  }

  init(copying other: borrowing Protection) {
    filter = other.filter
    traced = other.traced
    tree = other.tree
    registration = other.registration
    modes = other.modes
    traps = other.traps
    calls = other.calls
    owedCalls = other.owedCalls
  }

  /// Whether the page is or was traced, named by the tree, a node, or a driver page. A write to any other page is nobody's business here.
  func concerns(_ frame: UInt64) -> Bool { filter.isMarked(frame) }

  /// Whether the vCPU is known to be in integrity mode, and not suspended in it.
  @inline(__always)
  func isInIntegrityMode(_ index: Int) -> Bool { modes.state(of: UInt16(truncatingIfNeeded: index)) == .inside }

  /// A write to the page trapped: what the tree says of it will be asked for.
  mutating func expectQuestions(on frame: UInt64) { tree.takeInHand(frame) }

  /// The trap that this event answers.
  func trap(_ vcpu: UInt16, seq: UInt64) -> Trap? {
    Int(vcpu) < traps.count && traps[Int(vcpu)].seq == seq && seq != 0 ? traps[Int(vcpu)] : nil
  }

  /// The hypercall that this event answers.
  func call(_ vcpu: UInt16, seq: UInt64) -> Call? {
    guard Int(vcpu) < calls.count, seq != 0 else { return nil }
    if calls[Int(vcpu)].seq == seq { return calls[Int(vcpu)] }
    return owedCalls[Int(vcpu)].seq == seq ? owedCalls[Int(vcpu)] : nil
  }

  /// After a hole: what was registered stays registered; contents, traces, modes and what was in flight are unknown.
  mutating func forget() {
    traced.forget()
    tree.forget()
    registration.forget()
    modes.forget()
    for index in traps.indices {
      traps[index] = Trap()
      calls[index] = Call()
      owedCalls[index] = Call()
    }
  }
}

extension Protection {
  mutating func apply(_ event: borrowing EventView) {
    if !tree.news.isEmpty { tree.news.removeAll() }
    switch event.kind {
    case .pageWrite:
      if filter.isMarked(event.gpa >> 12) { applyPageWrite(event) }
    case .guestEnter, .guestExit: break
    case .writeTrap:
      if Int(event.vcpu) < traps.count { traps[Int(event.vcpu)] = Trap(seq: event.seq, rip: event.rip, gpa: event.gpa) }
    case .writeResult: applyWriteResult(event)
    case .guestWrite:
      if filter.isMarked(event.gpa >> 12) { applyWriteResult(event) }
    case .pageContents: applyContents(event)
    case .traceInstall, .traceRemove: applyTrace(event)
    case .hypercall: applyCall(event)
    case .driverPagesSet:
      registration.apply(event)
      let range = FrameRange(gpa: event.gpa, count: event.a)
      filter.mark(range.low, range.end)
    case .basePointerSet:
      registration.apply(event)
      tree.setBase(event.gpa >> 12, at: ProtectedTree.Moment(seq: event.seq, vcpu: event.vcpu), traced)
      markNews()
    case .entryPointSet, .registrationLocked: registration.apply(event)
    default: noteMode(event)
    }
  }

  /// The part of `apply` for events that say which mode a vCPU is in.
  mutating func noteMode(_ event: borrowing EventView) {
    if !tree.news.isEmpty { tree.news.removeAll() }
    if event.kind == .modeEnter, Int(event.vcpu) < calls.count { owedCalls[Int(event.vcpu)] = calls[Int(event.vcpu)] }
    modes.apply(event)
  }

  private mutating func applyCall(_ event: borrowing EventView) {
    guard Int(event.vcpu) < calls.count else { return }
    calls[Int(event.vcpu)] = Call(
      seq: event.seq, number: event.a, rip: event.rip, first: event.dataCount >= 8 ? event.word(0) : 0,
      second: event.dataCount >= 16 ? event.word(1) : 0, mode: modes.state(of: event.vcpu))
  }

  private mutating func applyTrace(_ event: borrowing EventView) {
    traced.apply(event)
    let range = FrameRange(gpa: event.gpa, count: event.a)
    if event.kind == .traceInstall {
      filter.mark(range.low, range.end)
      return
    }
    tree.known.noteUntraced(range.low, range.end)
    for frame in tree.reachedFrames(in: range) { treeChanged(frame, event) }
  }

  /// A traced page that was written past its trace.
  private mutating func applyPageWrite(_ event: borrowing EventView) {
    let frame = event.gpa >> 12
    if !tree.known.isKnown(frame) {
      tree.known.noteWrite(frame)
    } else if tree.known.apply(diff: event, to: frame) {
      treeChanged(frame, event)
    }
  }

  private mutating func applyWriteResult(_ event: borrowing EventView) {
    let frame = event.gpa >> 12
    let count = event.dataCount / 2
    let offset = Int(event.gpa & 4095)
    guard count >= 1, offset + count <= 4096 else { return }
    guard tree.known.isKnown(frame) else {
      if offset < 4 { tree.known.noteWrite(frame) }
      return
    }
    if tree.known.store(event, from: count, count: count, at: offset, in: frame) { treeChanged(frame, event) }
  }

  private mutating func applyContents(_ event: borrowing EventView) {
    let frame = event.gpa >> 12
    guard event.dataCount == 4096, traced.isTraced(frame) || tree.readsUntraced else { return }
    if tree.readsUntraced { filter.mark(frame, frame + 1) }
    let isNode = event.startsWithMagic(at: 0)
    // What is no node yet may become one by writes that are told as changes only.
    if isNode || tree.readsUntraced { tree.known.set(frame, to: event.data) } else { tree.known.setNotNode(frame) }
    treeChanged(frame, event)
  }

  private mutating func treeChanged(_ frame: UInt64, _ event: borrowing EventView) {
    guard tree.isReached(frame) else { return }
    tree.pageChanged(frame, at: ProtectedTree.Moment(seq: event.seq, vcpu: event.vcpu), traced)
    markNews()
  }

  private mutating func markNews() {
    for frame in tree.news.nodes { filter.mark(frame, frame + 1) }
    for item in tree.news.mappings {
      let range = FrameRange(item.mapping)
      filter.mark(range.low, range.end)
    }
  }
}
