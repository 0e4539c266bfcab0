internal import TraceEvents
internal import TraceFormat

extension Analyzer {
  /// The signals that a rendezvous has one of for each vCPU, where they are as they should be; they do here what they do through `dispatch`. False where
  /// somebody must look at the current event; nothing was done then.
  mutating func passSignal(_ cursor: inout EventCursor) -> Bool {
    let (vcpu, seq) = (cursor.vcpu, cursor.seq)
    guard Int(vcpu) < facts.vcpus.count, scout.follows, !alerts.isAfterHole else { return false }
    let isPassed =
      switch cursor.kind {
      case .stopSend: passStop(vcpu, &cursor, at: seq)
      case .stopAck: passAck(vcpu, &cursor, at: seq)
      case .resumeSend: passResume(vcpu, &cursor, at: seq)
      default: passWake(vcpu, &cursor, at: seq)
      }
    if isPassed { stop.noteMove(at: seq) }
    return isPassed
  }

  @inline(__always)
  private mutating func passStop(_ vcpu: UInt16, _ cursor: inout EventCursor, at seq: UInt64) -> Bool {
    let target = Int(clamping: cursor.a)
    guard target < facts.vcpus.count, stop.maySendStops(Int(vcpu)), stop.takesStop(target, cursor.b, at: seq) else { return false }
    scout.noteStop(of: target, from: vcpu, at: seq)
    return true
  }

  @inline(__always)
  private mutating func passAck(_ vcpu: UInt16, _ cursor: inout EventCursor, at seq: UInt64) -> Bool {
    let (index, cause, number) = (Int(vcpu), cursor.cause, cursor.b)
    guard !stop.vcpus[index].isInGuest, stop.answersStop(index, cause), protection.modes.stateKept(by: vcpu) != .unknown else { return false }
    stop.noteAck(index, number, cursor.account, at: seq)
    scout.noteAck(vcpu, to: cause, number, facts, at: seq)
    facts.vcpus[index].mode = .stopped
    return true
  }

  @inline(__always)
  private mutating func passResume(_ vcpu: UInt16, _ cursor: inout EventCursor, at seq: UInt64) -> Bool {
    let target = Int(clamping: cursor.a)
    guard target < facts.vcpus.count, stop.takesResume(target, cursor.b, at: seq) else { return false }
    scout.noteResume(from: vcpu, after: cursor.cause, at: seq)
    return true
  }

  @inline(__always)
  private mutating func passWake(_ vcpu: UInt16, _ cursor: inout EventCursor, at seq: UInt64) -> Bool {
    let (index, cause, account) = (Int(vcpu), cursor.cause, cursor.account)
    guard stop.isModeLeft, stop.isOrdinaryWake(index, cause, cursor.b, account), protection.modes.stateKept(by: vcpu) != .unknown else { return false }
    stop.noteWake(index, activity: account.activity, at: seq)
    scout.noteWake(vcpu, by: cause, at: seq)
    facts.vcpus[index].mode = .normal
    return true
  }
}

extension EventCursor {
  fileprivate var account: StopJudge.Account { @inline(__always) get { StopJudge.Account(activity: a, digest: c, rip: rip) } }
}
