internal import TraceEvents

/// Signals as they should be: what of them there is to check, and what they change. Most are so, one of each for every vCPU of a rendezvous; whoever
/// finds one that is not shows it to the judge.
extension StopJudge {
  /// Whether a stop signal may come from this vCPU: while a rendezvous is claimed, from the one that claimed it alone.
  @inline(__always)
  func maySendStops(_ sender: Int) -> Bool { now.phase != .claimed || now.claimant < 0 || sender == now.claimant || sender >= vcpus.count }

  /// A stop signal is sent to a vCPU that has taken every signal before. False where that is not so; nothing was noted then.
  @inline(__always)
  mutating func takesStop(_ target: Int, _ number: UInt64, at seq: UInt64) -> Bool {
    guard vcpus[target].place == .outside, vcpus[target].stop == 0, vcpus[target].resume == 0 else { return false }
    vcpus[target].stop = seq
    vcpus[target].stopNumber = number
    return true
  }

  /// Whether an ack that names `cause` answers the stop signal sent to its vCPU.
  @inline(__always)
  func answersStop(_ index: Int, _ cause: UInt64) -> Bool { vcpus[index].stop != 0 && cause == vcpus[index].stop }

  /// An ack that puts its vCPU in the stop state.
  @inline(__always)
  mutating func noteAck(_ index: Int, _ number: UInt64, _ account: Account, at seq: UInt64) {
    if !vcpus[index].owesReturn || vcpus[index].saved.seq == 0 { save(index, account, at: seq) }
    vcpus[index].stoppedBy = number
    vcpus[index].stop = 0
    vcpus[index].knowsSignals = true
    move(index, to: .stopped, at: seq)
  }

  /// A resume is sent, after the last exit and the unmap, to a stopped vCPU that has none on its way. False as above.
  @inline(__always)
  mutating func takesResume(_ target: Int, _ number: UInt64, at seq: UInt64) -> Bool {
    guard vcpus[target].place == .stopped, vcpus[target].resume == 0, isModeLeft else { return false }
    vcpus[target].resume = seq
    vcpus[target].resumeNumber = number
    vcpus[target].resumeIsPremature = false
    return true
  }

  /// Nobody is in the mode, and the region is not in the view.
  @inline(__always)
  var isModeLeft: Bool { now.inMode == 0 && view == .unmapped }

  /// Whether a stopped vCPU takes the resume of the rendezvous that stopped it, sent after the last exit, and is where it was.
  @inline(__always)
  func isOrdinaryWake(_ index: Int, _ cause: UInt64, _ number: UInt64, _ account: Account) -> Bool {
    vcpus[index].place == .stopped && vcpus[index].resume != 0 && cause == vcpus[index].resume && !vcpus[index].resumeIsPremature
      && vcpus[index].resumeNumber == vcpus[index].stoppedBy && number == vcpus[index].stoppedBy && vcpus[index].saved.agrees(with: account)
  }

  /// A vCPU has taken a resume.
  @inline(__always)
  mutating func noteWake(_ index: Int, activity: UInt64, at seq: UInt64) {
    vcpus[index].resume = 0
    vcpus[index].resumeIsPremature = false
    vcpus[index].knowsSignals = true
    goBack(index, activity: activity, at: seq)
  }
}
