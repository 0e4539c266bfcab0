import KVM
import TraceEvents

/// A vCPU that waits for another one by looking at memory again and again never leaves the guest. Where one acts at a time it has to be taken out,
/// and where it is taken out must not depend on the clock.
///
/// Where registers and memory come back to what they were, the vCPU will go round for ever: how often it went round makes no difference. It is taken
/// out at one state of the round, always the same one. So is one that tries for a lock by writing what is there already. A loop that counts never comes
/// back to a state: it cannot be told from work, and when it would be taken out only a clock could say. It ends the recording after a while.
extension Machine {
  enum SpinSearch {
    case spins
    case goesOn
    /// The guest left by itself meanwhile.
    case left(VMExit)
  }

  /// Instructions that are looked at: loops that wait are short, and a step costs a round trip.
  private static let stepLimit = 512

  /// Pages that a loop may write in a round.
  private static let pageLimit = 1024
  /// At most so many times in a row a search is put off twice as long as before.
  private static let delayLimit = 8

  /// Whether a search may find something: it is where it was at the last kick. Where it writes that is often just work, and a search in vain is dear:
  /// the next one comes after twice the time. When it comes changes nothing but time.
  ///
  /// Not with an event queued: the flags that its delivery stores would show the single step to the guest.
  func mightSpin(_ unit: VCPUUnit) -> Bool {
    let now = (rip: unit.vcpu.instructionPointer, written: unit.harvest.total)
    let before = unit.lastKick
    unit.lastKick = now
    guard !unit.vcpu.hasQueuedEvent, let before else { return false }
    guard max(before.rip, now.rip) - min(before.rip, now.rip) < 256 else { return false }
    if before.written == now.written { return true }
    unit.kicksToSkip -= 1
    return unit.kicksToSkip < 0
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
    switch found {
    case .spins: unit.spins = true
    case .goesOn:
      unit.vainSearches += 1
      unit.kicksToSkip = 1 << min(unit.vainSearches, Self.delayLimit)
    case .left: break
    }
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
        return unit.harvest.total == written
          ? try stop(unit, at: lowest, within: since) : try goRoundWriting(unit, from: reference, steps: since)
      }
      // Brent's way of finding a cycle: the reference moves on at powers of two.
      guard step & (step - 1) == 0 else { continue }
      (reference, lowest, since, written) = (now, now, 0, unit.harvest.total)
    }
    return .goesOn
  }

  /// The registers are what they were, and something was written: goes round once more, and looks whether memory comes back too.
  private func goRoundWriting(_ unit: VCPUUnit, from reference: SpinPlace, steps: Int) throws(KVMError) -> SpinSearch {
    let pages = unit.harvest.count
    guard pages <= Self.pageLimit else { return .goesOn }
    let before = contents(unit)
    var lowest = reference
    for _ in 0..<steps {
      if let exit = try step(unit) { return .left(exit) }
      lowest = min(lowest, place(unit))
    }
    guard place(unit) == reference, unit.harvest.count == pages, contents(unit) == before else { return .goesOn }
    let found = try stop(unit, at: lowest, within: steps)
    if case .spins = found { unit.hidesCounts = true }
    return found
  }

  /// How many times in a row the same write comes from the same state before it is clear that it will come for ever.
  private static let trapLimit = 3

  /// Whether a trapped write is one of a loop that waits by writing: nothing is any more different after it than it was the last time. `before` is what
  /// was in memory there. Under `lock`.
  func spinsByTrapping(_ unit: VCPUUnit, gpa: UInt64, before: [UInt8]?) -> Bool {
    guard let before, (ram.read(gpa: gpa, count: before.count) ?? region.read(gpa: gpa, count: before.count)) == before else {
      unit.lastTrap = nil
      return false
    }
    let place = place(unit)
    let count = unit.lastTrap?.place == place ? (unit.lastTrap?.count ?? 0) + 1 : 1
    unit.lastTrap = (place, count)
    return count >= Self.trapLimit
  }

  /// What is in the pages that the vCPU wrote since its writes were last told.
  private func contents(_ unit: VCPUUnit) -> [[UInt8]?] {
    unit.harvest.pages.map { number in
      let page = Int(number)
      let memory = page < ram.pageCount ? ram : region
      let index = page < ram.pageCount ? page : page - ram.pageCount
      return memory.read(gpa: memory.range.start + UInt64(index) * guestPageSize, count: Int(guestPageSize))
    }
  }

  /// Ends the session where a vCPU kept its turn for so long that the others will never have theirs. Under `lock`.
  func endOverstay(_ unit: VCPUUnit) -> Bool {
    guard turns?.others == true, monotonicNanoseconds() - unit.turnSince > UInt64(turnLimitSeconds) * 1_000_000_000 else { return false }
    let rip = String(unit.vcpu.instructionPointer, radix: 16)
    finish(
      .internalError,
      "vCPU \(unit.number) at rip 0x\(rip) has had the turn for \(turnLimitSeconds) seconds, and one vCPU runs at a time: if it waits for "
        + "another one by counting, it waits for ever; record it with a parallel schedule")
    return true
  }

  private func stop(_ unit: VCPUUnit, at wanted: SpinPlace, within steps: Int) throws(KVMError) -> SpinSearch {
    for _ in 0..<steps where place(unit) != wanted {
      if let exit = try step(unit) { return .left(exit) }
    }
    return place(unit) == wanted ? .spins : .goesOn
  }

  /// Executes one instruction; what it left the guest for, nil where it did not.
  ///
  /// A `hlt` is not stepped but run: an emulating host tells of the step and not of the halt, and then halts the vCPU at the next instruction that is
  /// not stepped.
  private func step(_ unit: VCPUUnit) throws(KVMError) -> VMExit? {
    if isAtHalt(unit) { try unit.vcpu.setSingleStep(false) }
    while true {
      let exit = try unit.vcpu.enter()
      if exit == .debug || exit == .interrupted || exit == .dirtyRingFull, writer != nil {
        try collectWrites(unit, full: exit == .dirtyRingFull)
      }
      if exit == .debug { return nil }
      guard exit == .interrupted || exit == .dirtyRingFull, goesOnSilently(unit) else { return exit }
    }
  }

  func place(_ unit: VCPUUnit) -> SpinPlace {
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
