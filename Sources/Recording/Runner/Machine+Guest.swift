import KVM
import Synchronization
import TraceEvents
import TraceFile
import X86

/// A vCPU's way into guest code and out of it.
extension Machine {
  /// Counts the vCPU as executing guest code. Under `lock`; what the core decides from here on finds it there, and kicks it.
  func enterGuest(_ unit: VCPUUnit) {
    unit.vcpu.setImmediateExit(false)
    unit.attention = false
    unit.mayHaveFurtherParts = false
    unit.lastKick = nil
    (unit.vainSearches, unit.kicksToSkip) = (0, 0)
    gate.enter(unit.number)
    // SAFETY: no data goes with it (here and below).
    _ = unsafe writer?.append(.guestEnter, vcpu: UInt16(unit.number), rip: unit.vcpu.instructionPointer)
  }

  /// The last thing before guest code is executed: from here on what others write may come between an instruction's read and its write. Under
  /// `lock`, with the turn.
  func prepareEntry(_ unit: VCPUUnit) {
    unit.entryMark = applied.count
    // Whoever is to come out at once has not taken the interrupt yet.
    guard let vector = unit.pendingVector, !unit.attention else { return }
    unit.pendingVector = nil
    do throws(KVMError) {
      if try !deliverInterrupt(vector, unit) { try inject(vector, unit) }
    } catch {
      finish(error)
    }
  }

  /// Executes guest code up to the next exit, tells of the writes made meanwhile, and leaves. Without `lock`.
  ///
  /// More than one exit where an instruction has several parts.
  func execute(_ unit: VCPUUnit) -> Result<[VMExit], KVMError> {
    defer { gate.leave(unit.number) }
    do throws(KVMError) {
      let exits = try run(unit)
      guard let writer else { return .success(exits) }
      try recordWrites(unit, full: exits[0] == .dirtyRingFull, writer)
      let reason = exits[0].traceReason(isRAM: isWatched)
      let seq = unsafe writer.append(.guestExit, vcpu: UInt16(unit.number), rip: unit.vcpu.instructionPointer, a: reason.rawValue)
      lastSeq.store(seq, ordering: .relaxed)
      return .success(exits)
    } catch {
      return .failure(error)
    }
  }

  /// Runs and completes: on return the registers are past the instruction.
  private func run(_ unit: VCPUUnit) throws(KVMError) -> [VMExit] {
    var exits = [try enterPastBreakpoint(unit)]
    if !isSerial, try hasStalled(unit, &exits[0]) { return exits }
    while isSerial, exits[0] == .interrupted || exits[0] == .dirtyRingFull, goesOnSilently(unit) {
      if writer != nil { try collectWrites(unit, full: exits[0] == .dirtyRingFull) }
      if try hasStalled(unit, &exits[0]) { return [.interrupted] }
      guard exits[0] == .interrupted || exits[0] == .dirtyRingFull else { break }
      if lock.locked({ endOverstay(unit) }) { return [.interrupted] }
      if exits[0] == .interrupted, mightSpin(unit), othersCanAct {
        switch try findSpin(unit) {
        case .spins: return [.interrupted]
        case .left(let exit):
          exits[0] = exit
          continue
        case .goesOn: break
        }
      }
      exits[0] = try unit.vcpu.enter()
    }
    while true {
      let exit = exits[exits.count - 1]
      switch exit.completion {
      case .none: return exits
      case .later:
        unit.mayHaveFurtherParts = true
        return exits
      case .finish: writePort(exit)
      case .answer(let value): unit.vcpu.answerRead(readPort(exit) ?? value)
      }
      let next = try unit.vcpu.complete()
      if next == .interrupted { return exits }
      exits.append(next)
    }
  }

  // MARK: Writes

  private static let emptyFullExitLimit = 1000

  /// Takes in which pages the vCPU wrote.
  func collectWrites(_ unit: VCPUUnit, full: Bool) throws(KVMError) {
    guard let found = unit.ring?.harvest(full: full, { slot, offset in unit.harvest.add(page(slot: slot, offset: offset)) }) else { return }
    guard found.resettable > 0 else { return }
    unit.emptyFullExits = full && found.entries == 0 ? unit.emptyFullExits + 1 : 0
    guard unit.emptyFullExits < Self.emptyFullExitLimit else {
      throw KVMError(.resetDirtyRings, errno: 0, detail: "the dirty ring of vCPU \(unit.number) stays full although nothing is in it")
    }
    // First watched again, then compared: what another vCPU writes in between is either seen now or told by its own entry.
    try resetDirtyRings(harvested: found.resettable, overflowed: found.overflowed)
    unit.hasLostWrites = unit.hasLostWrites || found.overflowed
  }

  /// Tells which pages the vCPU wrote, and what changed in them.
  private func recordWrites(_ unit: VCPUUnit, full: Bool, _ writer: TraceWriter) throws(KVMError) {
    try collectWrites(unit, full: full)
    // How often a host that logs the first write counts one depends on when the ring was emptied: no matter for a seed.
    let countsAll = (!isSerial || harvestsByTime) && !unit.hidesCounts
    unit.hidesCounts = false
    if unit.harvest.count > 0 { unit.lastTrap = nil }
    for index in 0..<unit.harvest.count {
      recordWrite(
        unit, page: Int(unit.harvest.pages[index]), count: countsAll ? UInt64(unit.harvest.counts[index]) : 1,
        evenUnchanged: true, writer)
    }
    unit.harvest.removeAll()
    if unit.hasLostWrites { recordLostWrites(unit, writer) }
    unit.hasLostWrites = false
  }

  private func recordWrite(_ unit: VCPUUnit, page: Int, count: UInt64, evenUnchanged: Bool, _ writer: TraceWriter) {
    let inRegion = page >= ram.pageCount
    (inRegion ? region : ram).recordWrite(
      page: inRegion ? page - ram.pageCount : page, count: count, vcpu: UInt16(unit.number), to: writer, evenUnchanged: evenUnchanged, &unit.diff)
  }

  /// The ring overflowed: finds every page that changed by comparing all of them, and says that the list of writes has a hole.
  private func recordLostWrites(_ unit: VCPUUnit, _ writer: TraceWriter) {
    for page in 0..<ram.pageCount + region.pageCount { recordWrite(unit, page: page, count: 1, evenUnchanged: false, writer) }
    let detail = Array("dirty ring of vCPU \(unit.number) overflowed; pages found by comparison, the number of writes is not known".utf8)
    _ = unsafe detail.withUnsafeBytes { bytes in
      unsafe writer.append(.eventsLost, vcpu: UInt16(unit.number), a: 0, b: LossCause.dirtyRingOverflow.rawValue, data: bytes)
    }
  }

  // MARK: Traced pages

  /// A trapped write as it must be done now: a locked instruction whose read has gone stale is computed anew. Under `lock`.
  func freshWrite(_ unit: VCPUUnit, gpa: UInt64, bytes: [UInt8], flags: UInt64) -> (bytes: [UInt8], flags: UInt64) {
    guard applied.conflicts(gpa: gpa, length: bytes.count, vcpu: unit.number, since: unit.entryMark),
      let current = ram.read(gpa: gpa, count: bytes.count) ?? region.read(gpa: gpa, count: bytes.count)
    else { return (bytes, flags) }
    let registers = unit.vcpu.registers
    let system = unit.vcpu.systemRegisters
    let write = LockedInstruction.Write(
      code: code(before: registers.rip, unit), rip: registers.rip, registers: registers.general, rflags: registers.rflags, address: gpa,
      written: bytes, current: current, isIdentityMapped: system.cr3 == BootMemory.pageTables, fsBase: system.fs.base, gsBase: system.gs.base)
    switch LockedInstruction.recompute(write) {
    case .notLocked: return (bytes, flags)
    case .cannot, .ambiguous: return (bytes, flags | WriteFlags.atomicityUnknown.rawValue)
    case .recomputed(let bytes, let general, let rflags):
      var updated = registers
      updated.general = general
      updated.rflags = rflags
      unit.vcpu.setRegisters(updated)
      return (bytes, flags | WriteFlags.recomputed.rawValue)
    }
  }

  /// The bytes before the instruction pointer, at most 15; fewer where memory ends.
  private func code(before rip: UInt64, _ unit: VCPUUnit) -> [UInt8] {
    var bytes: [UInt8] = []
    // From the last byte back, a page at a time.
    var end = rip
    while bytes.count < 15, end > 0 {
      let start = max((end - 1) & ~(guestPageSize - 1), end - min(end, UInt64(15 - bytes.count)))
      guard let gpa = try? unit.vcpu.translate(start) else { break }
      guard let part = ram.read(gpa: gpa, count: Int(end - start)) ?? region.read(gpa: gpa, count: Int(end - start)) else { break }
      bytes = part + bytes
      end = start
    }
    return bytes
  }
}
