public import HappensBefore
public import TraceEvents

/// Happens-before of a trace as far as it has been taken, in vector clocks: is what one vCPU did up to some moment known to another?
///
/// Each vCPU is a thread of its own, and so is the host. Feed it every event that `TraceOrder.concerns`, in order.
public struct TraceClocks: ~Copyable {
  @usableFromInline var clocks = Clocks()
  private var order: TraceOrder
  private let vcpuCount: Int
  private var messages = MessageRing()
  /// What the installation of each trace knew, for the traps that come much later; with some that are gone.
  private var installs: [UInt64: Clocks.Snapshot] = [:]
  private var installLimit = 1024
  /// By vCPU: how it was stopped and woken.
  private var wakes: [Wake]
  /// Numbers from here on were seen by these clocks; 0 before the first event.
  private var firstSeq: UInt64 = 0
  /// How often an event waited for one that is no longer kept, or that nobody can wait for.
  public private(set) var unknownSources = 0

  /// What a vCPU knew when it was let out of the stop state or the mode. Whoever stops it next waits for that, and mostly knows it all: that it was
  /// stopped, and by whom it was resumed.
  private struct Wake {
    var seq: UInt64 = 0
    var snapshot = Clocks.Snapshot.empty
    /// What it had done when it acknowledged its stop, or left the mode; nobody's where it did more until it woke.
    var ack = Clocks.Epoch.none
    /// What whoever resumed it had done by then; nobody's where it woke without.
    var resume = Clocks.Epoch.none
  }

  public init(vcpuCount: Int) {
    self.vcpuCount = vcpuCount
    order = TraceOrder(vcpuCount: vcpuCount)
    wakes = Array(repeating: Wake(), count: vcpuCount)
    for _ in 0...vcpuCount { _ = clocks.addThread() }
  }

  /// The thread of a vCPU, or of the host (also for vCPU numbers that the machine does not have).
  @inlinable @inline(__always) public func thread(of vcpu: UInt16) -> Int32 { Int32(min(Int(vcpu), clocks.threadCount - 1)) }

  /// When the vCPU's next access happens.
  @inlinable @inline(__always) public mutating func epoch(of vcpu: UInt16) -> Clocks.Epoch { clocks.epoch(of: thread(of: vcpu)) }

  /// Whether what happened at `epoch` is ordered before what the vCPU does next.
  @inlinable @inline(__always) public func isOrdered(_ epoch: Clocks.Epoch, before vcpu: UInt16) -> Bool { clocks.isOrdered(epoch, before: thread(of: vcpu)) }

  /// Writes down, vCPU by vCPU, up to when what they did is ordered before what this one does next; all of its own is.
  @unsafe public func copyTimes(knownTo vcpu: UInt16, into times: UnsafeMutableBufferPointer<UInt32>) {
    unsafe clocks.copyTimes(knownTo: thread(of: vcpu), into: times)
  }

  /// Takes the next event that orders something.
  public mutating func take(_ event: borrowing Event) {
    switch event.kind {
    case .stopSend: takeStop(to: event.a, from: event.vcpu, at: event.seq)
    case .stopAck: takeAck(of: event.vcpu, to: event.cause, at: event.seq)
    case .resumeSend: takeResume(from: event.vcpu, after: event.cause, at: event.seq)
    case .resumeTake: takeWake(of: event.vcpu, by: event.cause, at: event.seq)
    case .writeTrap: takeTrap(of: event.vcpu, on: event.gpa >> 12, at: event.seq)
    default:
      begin(at: event.seq)
      let thread = thread(of: event.vcpu)
      if event.kind == .modeReturn { takeReturn(event, thread) } else { takeOther(event, thread) }
    }
  }

  // The signals that a rendezvous has one of for each vCPU wait for one event, and are looked at apart from the rest.

  /// A stop signal waits for its target's wake-up.
  public mutating func takeStop(to target: UInt64, from vcpu: UInt16, at seq: UInt64) {
    begin(at: seq)
    let thread = thread(of: vcpu)
    receiveWake(of: target, in: thread)
    keep(clocks.broadcast(of: thread), of: seq)
  }

  /// An ack waits for the stop signal that it answers.
  public mutating func takeAck(of vcpu: UInt16, to stop: UInt64, at seq: UInt64) {
    begin(at: seq)
    let thread = thread(of: vcpu)
    receive(stop, in: thread, isOnlyReceiver: true)
    noteAck(vcpu, thread)
    keep(clocks.snapshot(of: thread), of: seq)
  }

  /// A resume signal waits for the event that it names.
  public mutating func takeResume(from vcpu: UInt16, after cause: UInt64, at seq: UInt64) {
    begin(at: seq)
    let thread = thread(of: vcpu)
    receive(cause, in: thread, isOnlyReceiver: false)
    keep(clocks.broadcast(of: thread), of: seq)
  }

  /// A vCPU that is resumed waits for the resume signal.
  public mutating func takeWake(of vcpu: UInt16, by resume: UInt64, at seq: UInt64) {
    begin(at: seq)
    let (thread, index) = (thread(of: vcpu), Int(vcpu))
    // Did it do anything while it was stopped? A faulty recorder's vCPU may.
    if index < vcpuCount, wakes[index].ack != clocks.lastEpoch(of: thread) { wakes[index].ack = .none }
    let sender = receive(resume, in: thread, isOnlyReceiver: true)
    if index < vcpuCount, !sender.isNone { wakes[index].resume = sender }
    noteWake(vcpu, thread, at: seq)
  }

  /// A trapped write waits for the trace that made it trap.
  public mutating func takeTrap(of vcpu: UInt16, on frame: UInt64, at seq: UInt64) {
    begin(at: seq)
    receive(order.installed(on: frame), in: thread(of: vcpu), isOnlyReceiver: false)
  }

  private mutating func begin(at seq: UInt64) {
    if firstSeq == 0 { firstSeq = seq }
  }

  private mutating func takeReturn(_ event: borrowing Event, _ thread: Int32) {
    noteWake(event.vcpu, thread, at: event.seq)
    if Int(event.vcpu) < vcpuCount { wakes[Int(event.vcpu)].resume = .none }
  }

  private mutating func takeOther(_ event: borrowing Event, _ thread: Int32) {
    let (kind, seq) = (event.kind, event.seq)
    order.take(event)
    let isOnlyReceiver = TraceOrder.isOnlyReceiver(kind)
    for index in order.sources.indices { receive(order.sources[index], in: thread, isOnlyReceiver: isOnlyReceiver) }
    if kind == .modeEnter, Int(event.vcpu) < vcpuCount { wakes[Int(event.vcpu)].ack = .none }
    if kind == .modeExit { noteAck(event.vcpu, thread) }
    if TraceOrder.isSource(event) { keep(hasManyReceivers(kind) ? clocks.broadcast(of: thread) : clocks.snapshot(of: thread), of: seq) }
    if kind == .traceInstall { keepInstall(seq, clocks.snapshot(of: thread)) }
  }

  private mutating func keep(_ snapshot: Clocks.Snapshot, of seq: UInt64) { clocks.release(messages.keep(snapshot, of: seq)) }

  /// Whether several vCPUs may wait for such an event, or for the one like it that comes next on its vCPU.
  private func hasManyReceivers(_ kind: EventKind) -> Bool {
    switch kind {
    case .modeEnter, .regionUnmap, .traceInstall: true
    default: false
    }
  }

  /// Receives what the event of that number knew. Returns whose past that was, nobody's where it is not kept.
  @discardableResult
  private mutating func receive(_ seq: UInt64, in thread: Int32, isOnlyReceiver: Bool) -> Clocks.Epoch {
    if let snapshot = messages.find(seq, takesOut: isOnlyReceiver) {
      clocks.receive(snapshot, in: thread)
      if isOnlyReceiver { clocks.release(snapshot) }
      return snapshot.sender
    }
    if seq == 0 { return .none }
    if let install = installs[seq] {
      clocks.receive(install, in: thread)
    } else if seq >= firstSeq {
      receiveAll(in: thread)
    }
    return .none
  }

  private mutating func receiveWake(of target: UInt64, in thread: Int32) {
    guard target < UInt64(vcpuCount) else { return }
    let wake = wakes[Int(target)]
    let knowsAll =
      !wake.ack.isNone && !wake.resume.isNone && clocks.isOrdered(wake.ack, before: thread) && clocks.isOrdered(wake.resume, before: thread)
    if wake.seq != 0, !knowsAll { clocks.receive(wake.snapshot, in: thread) }
  }

  /// What a stopped vCPU has done by now is known to whoever waits for its ack, or for its exit from the mode.
  private mutating func noteAck(_ vcpu: UInt16, _ thread: Int32) {
    if Int(vcpu) < vcpuCount { wakes[Int(vcpu)].ack = clocks.lastEpoch(of: thread) }
  }

  /// Takes down what the vCPU's next stop will wait for; nothing else waits for a wake-up.
  private mutating func noteWake(_ vcpu: UInt16, _ thread: Int32, at seq: UInt64) {
    let index = Int(vcpu)
    guard index < vcpuCount else { return }
    clocks.release(wakes[index].snapshot)
    wakes[index].snapshot = clocks.snapshot(of: thread)
    wakes[index].seq = seq
  }

  private mutating func keepInstall(_ seq: UInt64, _ snapshot: Clocks.Snapshot) {
    if let old = installs.updateValue(snapshot, forKey: seq) { clocks.release(old) }
    guard installs.count >= installLimit else { return }
    let live = order.installs
    for (seq, snapshot) in installs where !live.contains(seq) {
      clocks.release(snapshot)
      installs[seq] = nil
    }
    installLimit = max(1024, 2 * installs.count)
  }

  /// The event waited for something that is not known any more: for all there was, then. An edge too many hides a race, one too few would invent one.
  private mutating func receiveAll(in thread: Int32) {
    unknownSources += 1
    for other in 0..<Int32(clocks.threadCount) where other != thread {
      let all = clocks.snapshot(of: other)
      clocks.receive(all, in: thread)
      clocks.release(all)
    }
  }

  /// A hole in the trace before the next event. Accesses before it must not be compared with accesses behind it: the caller forgets them.
  public mutating func forget() {
    order.forget()
    firstSeq = 0
    messages.removeAll { clocks.release($0) }
    for install in installs.values { clocks.release(install) }
    installs.removeAll()
    for index in wakes.indices {
      clocks.release(wakes[index].snapshot)
      wakes[index] = Wake()
    }
  }
}
