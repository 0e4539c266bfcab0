internal import Analyzer
internal import TraceEvents
internal import TraceOrder

/// From events to accesses.
extension RaceAnalysis {
  mutating func takeAccess(_ event: Event) {
    let frame = event.gpa >> 12
    guard pages[frame] != nil, let access = access(event, frame) else { return }
    compare(access, on: frame)
  }

  /// The access that an event tells of, nil for none; what it did to the page's bytes is taken in.
  private mutating func access(_ event: Event, _ frame: UInt64) -> PageAccess? {
    let offset = Int(event.gpa & 4095)
    switch event.kind {
    case .pageWrite: return pageWrite(event, frame)
    case .writeResult, .guestWrite:
      let count = event.data.count / 2
      if event.kind == .writeResult { pages[frame]?.complete(event.cause, before: event.data[..<count], after: event.data[count...]) }
      guard count > 0, offset + count <= 4096, event.kind == .guestWrite || event.a == WriteOutcome.applied.rawValue else { return nil }
      let after = event.data[count...].prefix(count)
      pages[frame]?.contents.store(after, at: offset)
      let rip = event.kind == .guestWrite ? event.rip : vcpus[Int(event.vcpu)].trapRIP
      var access = make(event, .write, ByteRuns(offset..<offset + count), rip: rip)
      access.after = [Array(after)]
      access.before = [Array(event.data[..<count])]
      return access
    case .writeTrap:
      guard !event.data.isEmpty, offset + event.data.count <= 4096 else { return nil }
      return make(event, .attempt, ByteRuns(offset..<offset + event.data.count), rip: event.rip)
    case .regionAccess:
      let count = max(1, event.data.count)
      let what = event.a == AccessKind.write.rawValue ? Finding.Access.What.write : .read
      var access = make(event, what, ByteRuns(offset..<min(4096, offset + count)), rip: event.rip)
      access.isOutOfView = true
      return access
    default: return nil
    }
  }

  private mutating func pageWrite(_ event: Event, _ frame: UInt64) -> PageAccess? {
    let entered = vcpus[Int(event.vcpu)].entered
    let settled = settled
    pages[frame]?.writers.add(event.vcpu, since: entered, seq: event.seq, settled: settled)
    guard let diff = PageDiff(event.data), !diff.runs.isEmpty else { return nil }
    var bytes = ByteRuns()
    var before: [[UInt8]?] = []
    for run in diff.runs {
      let range = run.offset..<run.offset + run.bytes.count
      bytes.append(range)
      before.append(pages[frame]?.contents.read(range))
      pages[frame]?.contents.store(run.bytes[...], at: run.offset)
    }
    var access = make(event, .write, bytes, rip: nil, since: entered)
    access.after = diff.runs.map(\.bytes)
    access.before = before
    return access
  }

  private mutating func make(
    _ event: Event, _ what: Finding.Access.What, _ bytes: ByteRuns, rip: UInt64?, since: UInt64? = nil
  ) -> PageAccess {
    let state = vcpus[Int(event.vcpu)]
    let mode = state.mode == .privileged ? Mode.privileged : state.isInIntegrityMode ? .integrity : .ordinary
    return PageAccess(
      what: what, seq: event.seq, vcpu: event.vcpu, epoch: clocks.epoch(of: event.vcpu), bytes: bytes, mode: mode,
      rendezvous: mode == .privileged ? state.rendezvous : 0, pendingStop: state.signals.isPending ? state.signals.stop : 0,
      rip: rip == 0 ? nil : rip, since: since)
  }

  /// A trace put on pages, or taken off them.
  mutating func takeProtection(_ event: Event) {
    let (low, count) = (event.gpa >> 12, event.a)
    guard Int(event.vcpu) < vcpus.count else { return }
    for frame in frames[firstIndex(from: low)...].prefix(while: { $0 - low < count }) {
      var access = PageAccess(
        what: event.kind == .traceInstall ? .install : .remove, seq: event.seq, vcpu: event.vcpu, epoch: clocks.epoch(of: event.vcpu), bytes: .page,
        mode: .ordinary, rendezvous: 0, pendingStop: 0)
      if vcpus[Int(event.vcpu)].isInIntegrityMode { access.mode = .integrity }
      let call = vcpus[Int(event.vcpu)].call
      if event.cause != 0, event.cause == call.seq { access.rip = call.rip }
      compare(access, on: frame)
    }
  }

  /// The first suspected page at or behind a frame.
  private func firstIndex(from frame: UInt64) -> Int {
    var (low, high) = (0, frames.count)
    while low < high {
      let middle = (low + high) / 2
      if frames[middle] < frame { low = middle + 1 } else { high = middle }
    }
    return low
  }

  private mutating func compare(_ access: PageAccess, on frame: UInt64) {
    budget -= pages[frame]?.kept.count ?? 0
    guard budget > 0 else {
      isCut = true
      return
    }
    guard let result = pages[frame]?.add(access, clocks) else { return }
    if !result.fits { isCut = true }
    for other in result.races { judge(other, access, on: frame) }
    if findings.hasPending { findings.settle() }
  }
}
