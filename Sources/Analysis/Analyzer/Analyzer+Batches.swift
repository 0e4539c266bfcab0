internal import TraceEvents
public import TraceFormat

extension Analyzer {
  /// Judges the events of one block, in order. A batch that does not go on where the last one ended is a hole, told or not.
  public mutating func consume(_ batch: EventBatch) {
    guard batch.count > 0 else { return }
    if lastSeq > 0 || !batch.beginsTail { noteGap(before: batch.firstSeq) }
    batch.withCursor { own.isEmpty ? judge(&$0, in: batch) : judgeEach(&$0, in: batch) }
    noteMove(in: batch)
    events += UInt64(batch.count)
    lastSeq = batch.firstSeq + UInt64(batch.count) - 1
  }

  /// A function of its own, so that the cursor stays where it is and is not copied to be shown to `step`.
  @inline(never)
  private mutating func judge(_ cursor: inout EventCursor, in batch: EventBatch) {
    while cursor.next() {
      if !pass(&cursor) { step(&cursor, in: batch) }
    }
  }

  /// Where a user's own judges look on, each event is shown to them before anybody takes it in, and none is passed over.
  @inline(never)
  private mutating func judgeEach(_ cursor: inout EventCursor, in batch: EventBatch) {
    while cursor.next() {
      own.judge(cursor.event, facts, &protection, &findings)
      step(&cursor, in: batch)
    }
  }

  /// The kinds that traces are made of, where nothing is to be judged: ordinary pages were written, a vCPU goes in and out of the guest outside any
  /// rendezvous, or one stops and goes on as it should. False where somebody must look at the current event; nothing was done then.
  @inline(__always)
  private mutating func pass(_ cursor: inout EventCursor) -> Bool {
    switch cursor.kind {
    case .pageWrite: return passPageWrites(&cursor)
    case .guestEnter:
      let index = Int(cursor.vcpu)
      guard index < facts.vcpus.count, tree.isSettled, !alerts.isAwaited(index) else { return false }
      guard !stop.needsLook(index, cursor.rip) || stop.takesUpExecution(index, cursor.rip) else { return false }
      let seq = cursor.seq
      stop.noteEnter(index, at: seq)
      facts.noteEnter(index, at: seq)
      return true
    case .guestExit:
      let index = Int(cursor.vcpu)
      guard index < facts.vcpus.count, !stop.region.contains(cursor.rip), !protection.isInIntegrityMode(index) else { return false }
      let seq = cursor.seq
      stop.noteExit(index, at: seq)
      facts.noteExit(index, at: seq)
      return true
    case .stopSend, .stopAck, .resumeSend, .resumeTake: return passSignal(&cursor)
    default: return false
    }
  }

  /// Page-writes that follow each other on a vCPU, up to one that somebody must look at.
  @inline(__always)
  private mutating func passPageWrites(_ cursor: inout EventCursor) -> Bool {
    let vcpu = Int(cursor.vcpu)
    guard scout.mayPass(vcpu) else {
      let gpa = cursor.gpa
      guard vcpu < facts.vcpus.count, stop.mayWriteRegion(vcpu) || !stop.region.contains(gpa), !protection.concerns(gpa >> 12) else { return false }
      scout.noteElevatedWrite(vcpu, gpa, at: cursor.seq)
      return true
    }
    let writer = scout.writer(vcpu)
    return cursor.passStreak { gpa, _ in
      !stop.region.contains(gpa) && !protection.concerns(gpa >> 12) && scout.pass(gpa >> 12, by: writer)
    }
  }

  /// Shows the event to those that look at its kind.
  @inline(never)
  private mutating func step(_ cursor: inout EventCursor, in batch: EventBatch) {
    let judges = Interests.judges(of: cursor.kind)
    if judges.isEmpty { return }
    lastSeq = cursor.seq
    if cursor.kind == .sessionEnd {
      noteMove(in: batch)
      noteSilence(until: cursor.time)
    }
    // SAFETY: the view points into the batch, which outlives this call; no judge keeps it.
    let view = unsafe EventView(cursor)
    dispatch(view, judges)
  }

  /// Times are left in the batch until one is needed.
  private mutating func noteMove(in batch: EventBatch) {
    if stop.hasMoved { noteMove(at: batch.time(of: stop.lastMove)) }
  }
}

extension EventView {
  /// The event under the cursor.
  @inline(__always)
  @unsafe init(_ cursor: borrowing EventCursor) {
    seq = cursor.seq
    kind = cursor.kind
    vcpu = cursor.vcpu
    gpa = cursor.gpa
    rip = cursor.rip
    cause = cursor.cause
    a = cursor.a
    b = cursor.b
    c = cursor.c
    d = cursor.d
    unsafe bytes = cursor.data.withUnsafeBytes { unsafe $0 }
  }
}
