import KVM

/// Serial schedules: one vCPU acts at a time, and the turn passes only where the session says so.
///
/// A vCPU that has entered the guest in the trace and has not got the turn yet has executed nothing: for slots and rings it is outside.
extension Machine {
  var isSerial: Bool { turns != nil }

  /// A point where another vCPU may go on instead. Under `lock`, with the turn; returns with the turn.
  func passTurn(_ unit: VCPUUnit, yielding: Bool = false) {
    guard turns != nil else { return }
    turns?.pass(yielding: yielding)
    awaitTurn(unit)
  }

  /// Returns once it is this vCPU's turn. Under `lock`.
  func awaitTurn(_ unit: VCPUUnit) {
    guard let holder = turns?.holder, holder != unit.number else { return }
    units[holder].changed.signal()
    while let holder = turns?.holder, holder != unit.number { unit.changed.wait(lock) }
  }

  /// The vCPU waits, or is done: the turn goes on. Under `lock`.
  func giveTurnAway(_ unit: VCPUUnit) {
    turns?.block(unit.number)
    if let holder = turns?.holder { units[holder].changed.signal() }
  }

  /// Where an exit is a trapped write and nothing else: what is in memory there before it is done. Under `lock`.
  func trappedBytes(_ exits: [VMExit]) -> (gpa: UInt64, bytes: [UInt8]?)? {
    guard exits.count == 1, case .mmioWrite(let gpa, _, let length) = exits[0] else { return nil }
    return (gpa, ram.read(gpa: gpa, count: length) ?? region.read(gpa: gpa, count: length))
  }

  /// Whether an interrupted run is nobody's business but the recorder's: it only had to empty the ring. Clears the kick if so.
  func goesOnSilently(_ unit: VCPUUnit) -> Bool {
    lock.locked {
      guard end == nil, !unit.attention else { return false }
      unit.vcpu.setImmediateExit(false)
      return true
    }
  }
}
