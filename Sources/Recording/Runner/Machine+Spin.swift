import KVM
import TraceEvents

/// A vCPU that waits for another one by looking at memory again and again never leaves the guest. Where one acts at a time it has to be taken out,
/// and where it is taken out must not depend on the clock.
///
/// Where the registers come back to what they were and nothing was written in between, the vCPU will go round for ever: how often it went round
/// makes no difference. It is taken out at one state of the round, always the same one. A loop that writes, or counts, is left alone: it either
/// ends by itself or cannot be told from one that does.
extension Machine {
  enum SpinSearch {
    case spins
    case goesOn
    /// The guest left by itself meanwhile.
    case left(VMExit)
  }

  /// Instructions that are looked at: loops that wait are short, and a step costs a round trip.
  private static let stepLimit = 512

  /// Whether a search may find something: it is where it was at the last kick, and has written nothing since.
  ///
  /// Not with an event queued: the flags that its delivery stores would show the single step to the guest.
  func mightSpin(_ unit: VCPUUnit) -> Bool {
    let now = (rip: unit.vcpu.instructionPointer, written: unit.harvest.total)
    let before = unit.lastKick
    unit.lastKick = now
    guard !unit.vcpu.hasQueuedEvent, let before else { return false }
    return before.written == now.written && max(before.rip, now.rip) - min(before.rip, now.rip) < 256
  }

  var othersCanAct: Bool { lock.locked { turns?.others ?? false } }

  func findSpin(_ unit: VCPUUnit) throws(KVMError) -> SpinSearch {
    try unit.vcpu.setSingleStep(true)
    let found: SpinSearch
    do throws(KVMError) {
      found = try goRound(unit)
    } catch {
      try? unit.vcpu.setSingleStep(false)
      throw error
    }
    try unit.vcpu.setSingleStep(false)
    if case .spins = found { unit.spins = true }
    return found
  }

  private func goRound(_ unit: VCPUUnit) throws(KVMError) -> SpinSearch {
    var written = unit.harvest.total
    var reference = place(unit)
    var since = 0
    var lowest = reference
    for step in 1...Self.stepLimit {
      if let exit = try self.step(unit) { return .left(exit) }
      let now = place(unit)
      lowest = min(lowest, now)
      since += 1
      if now == reference {
        guard unit.harvest.total == written else { return .goesOn }
        return try stop(unit, at: lowest, within: since)
      }
      // Brent's way of finding a cycle: the reference moves on at powers of two.
      guard step & (step - 1) == 0 else { continue }
      (reference, lowest, since, written) = (now, now, 0, unit.harvest.total)
    }
    return .goesOn
  }

  private func stop(_ unit: VCPUUnit, at wanted: SpinPlace, within steps: Int) throws(KVMError) -> SpinSearch {
    for _ in 0..<steps where place(unit) != wanted {
      if let exit = try step(unit) { return .left(exit) }
    }
    return place(unit) == wanted ? .spins : .goesOn
  }

  /// Executes one instruction; what it left the guest for, nil where it did not.
  private func step(_ unit: VCPUUnit) throws(KVMError) -> VMExit? {
    while true {
      let exit = try unit.vcpu.enter()
      if exit == .debug || exit == .interrupted || exit == .dirtyRingFull, writer != nil {
        try collectWrites(unit, full: exit == .dirtyRingFull)
      }
      if exit == .debug { return nil }
      guard exit == .interrupted || exit == .dirtyRingFull, goesOnSilently(unit) else { return exit }
    }
  }

  private func place(_ unit: VCPUUnit) -> SpinPlace {
    let registers = unit.vcpu.registers
    return SpinPlace(rip: registers.rip, digest: registers.digest(unit.vcpu.systemRegisters))
  }
}

/// Where a vCPU is in a loop.
struct SpinPlace: Comparable {
  var rip: UInt64
  var digest: UInt64

  static func < (left: Self, right: Self) -> Bool { (left.rip, left.digest) < (right.rip, right.digest) }
}
