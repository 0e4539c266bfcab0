import GuestImages
package import Hypervisor
import KVM
import Synchronization
package import TraceEvents

/// What decides for the vCPUs: the hypervisor core, or in tests something simpler.
package protocol VCPUDecider: SendableMetatype {
  /// Starts a vCPU (`HypervisorHost.prepareStart`).
  mutating func start(_ vcpu: Int, rip: UInt64, argument: UInt64, host: inout some HypervisorHost)
  mutating func handle(_ input: HypervisorInput, on vcpu: Int, host: inout some HypervisorHost)
  mutating func step(_ vcpu: Int, readiness: VCPUReadiness, host: inout some HypervisorHost) -> Directive
  /// Has the host protect memory. Every vCPU is out of the guest.
  mutating func protect(_ plan: ProtectionPlan, host: inout some HypervisorHost) throws(ProtectionPlanError)
  /// Why the session is over, nil while it goes on.
  var outcome: (reason: EndReason, detail: String)? { get }
}

/// A machine and the one who decides, driven by one thread a vCPU.
@safe final class Session<Decider: VCPUDecider>: @unchecked Sendable {
  let machine: Machine
  /// Guarded by the machine's lock.
  private var decider: Decider

  init(machine: Machine, decider: Decider) {
    self.machine = machine
    self.decider = decider
  }

  /// Starts the threads. vCPU 0 begins to run.
  func start() throws(KVMError) {
    machine.lock.lock()
    defer { machine.lock.unlock() }
    var host = LiveHost(machine: machine)
    // Where one that goes on from a snapshot starts is among its registers.
    let entry = machine.platform?.start == nil ? machine.image.entry : machine.units[0].vcpu.linearInstructionPointer
    decider.start(0, rip: entry, argument: machine.ram.range.length, host: &host)
    actAtMoment()
    for unit in machine.units {
      do throws(KVMError) {
        unit.thread = try VCPUThread.start(name: "vcpu-\(unit.number)") { self.run(unit) }
      } catch {
        machine.finish(error)
        throw error
      }
    }
  }

  /// Joins the threads; the vCPUs of those that do not end in time.
  func join(seconds: Int) -> [Int] {
    var limit = TimeLimit(seconds: seconds, machine.writer)
    return machine.units.filter { unit in
      // A thread that has ended is joined with no time left, too.
      while unit.thread?.join(seconds: limit.isOver ? 0 : 1) == false {
        if limit.isOver { return true }
        limit.countSecond()
      }
      return false
    }.map(\.number)
  }

  // MARK: A vCPU's thread

  private func run(_ unit: VCPUUnit) {
    let machine = machine
    machine.lock.lock()
    defer { machine.lock.unlock() }
    machine.awaitTurn(unit)
    if machine.platform != nil, unit.number > 0 { startByGuest(unit) }
    while goesOn(unit) || prepareToRun(unit) {
      machine.enterGuest(unit)
      if !unit.goesOn {
        machine.passTurn(unit)
        unit.lastTrap = nil
        if machine.isSerial { unit.turnSince = monotonicNanoseconds() }
      }
      unit.goesOn = false
      machine.prepareEntry(unit)
      machine.lock.unlock()
      let result = machine.execute(unit)
      machine.lock.lock()
      switch result {
      case .success(let exits):
        // Never while a trapped write is to be done: a locked instruction has read, and not written yet.
        if exits[exits.count - 1].completion != .later { machine.passTurn(unit, yielding: unit.spins) }
        unit.spins = false
        let trapped = machine.isSerial ? machine.trappedBytes(exits) : nil
        handle(exits, unit)
        actAtMoment()
        if let trapped, unit.goesOn { yield(unit, trapped) }
      case .failure(let error): machine.finish(error)
      }
    }
    unit.isFinished = true
    machine.noteIdle()
    machine.giveTurnAway(unit)
  }

  /// Lets the decider know once the guest has started the vCPU, in KVM. Under the lock.
  private func startByGuest(_ unit: VCPUUnit) {
    do throws(KVMError) {
      guard try machine.awaitStart(unit) else { return }
      var host = LiveHost(machine: machine)
      decider.start(unit.number, rip: unit.vcpu.linearInstructionPointer, argument: 0, host: &host)
    } catch {
      machine.finish(error)
    }
  }

  /// Whether the vCPU runs on after a write as if it had not trapped. Under the lock.
  ///
  /// A seed decides the same in every write mode: there a trapped write is no point where anything else may happen. At other times that goes for
  /// the writes that trap for the recording's sake only.
  private func goesOn(_ unit: VCPUUnit) -> Bool { unit.goesOn && !unit.attention && machine.end == nil }

  /// Does what the decider says until it says to run; false once the thread is to end. Under the lock.
  private func prepareToRun(_ unit: VCPUUnit) -> Bool {
    while machine.end == nil {
      if !unit.mayHaveFurtherParts, !unit.goesOn { machine.passTurn(unit) }
      unit.goesOn = false
      finishStores(unit)
      unit.attention = false
      var host = LiveHost(machine: machine)
      let readiness = VCPUReadiness(canTakeInterrupt: unit.canTakeInterrupt)
      let directive = decider.step(unit.number, readiness: readiness, host: &host)
      noteEnd()
      switch directive {
      case .finish: return false
      case .again:
        // Others may act in between.
        if machine.isSerial { continue }
        machine.lock.unlock()
        machine.lock.lock()
      case .run(let interruptWindow):
        // Somebody may want something else of it since: then it is asked again, as it would be after a kick.
        if unit.attention { continue }
        // When a window opens is found out some time after it did: no matter for a seed. There an interrupt waits for the next exit.
        unit.vcpu.setWantsInterruptWindow(interruptWindow && !machine.isSerial)
        return machine.end == nil
      case .wait:
        // A wake that came already is not lost.
        if !unit.attention { wait(unit) }
      }
    }
    return false
  }

  private func wait(_ unit: VCPUUnit) {
    guard machine.end == nil else { return }
    unit.isWaiting = true
    machine.noteIdle()
    if machine.end == nil { machine.giveTurnAway(unit) }
    while unit.isWaiting, machine.end == nil { unit.changed.wait(machine.lock) }
    unit.isWaiting = false
    machine.awaitTurn(unit)
  }

  /// Gives the turn away where a trapped write, of which `before` was there, is one of a loop that waits: as if it had been found to spin. Under the lock.
  private func yield(_ unit: VCPUUnit, _ before: (gpa: UInt64, bytes: [UInt8]?)) {
    if machine.endOverstay(unit) { return }
    guard machine.spinsByTrapping(unit, gpa: before.gpa, before: before.bytes) else { return }
    unit.goesOn = false
    unit.lastTrap = nil
    finishStores(unit, always: true)
    machine.passTurn(unit, yielding: true)
    if machine.end == nil { give(.kicked, unit) }
  }

  /// Hands exits to the decider, in order. Under the lock.
  private func handle(_ exits: [VMExit], _ unit: VCPUUnit) {
    for exit in exits where machine.end == nil { handle(exit, unit) }
    machine.endWhereStackTraps(unit, exits)
  }

  private func handle(_ exit: VMExit, _ unit: VCPUUnit) {
    let machine = machine
    if machine.finishInstruction(exit, unit) { return give(.kicked, unit) }
    switch exit.decision(registers: unit.vcpu.registers, privilege: unit.vcpu.privilegeLevel, isRAM: machine.isRAM) {
    // The decider hears of every return from the guest.
    case .proceed: give(.kicked, unit)
    case .input(let input) where machine.applyExactWrite(input, unit): unit.goesOn = true
    case .end(let reason, let detail):
      let rip = unit.vcpu.registers.rip
      give(.failed(reason, detail: detail + machine.stackNote(unit, exit), gpa: try? unit.vcpu.translate(rip), rip: rip), unit)
    case .input(.trappedWrite(let gpa, let bytes, let rip, let flags)):
      let write = machine.freshWrite(unit, gpa: gpa, bytes: bytes, flags: flags)
      machine.writingVCPU = unit.number
      give(.trappedWrite(gpa: gpa, bytes: write.bytes, rip: rip, flags: write.flags), unit)
      machine.writingVCPU = nil
      unit.goesOn = machine.isSerial
    case .input(let input): give(input, unit)
    }
  }

  private func give(_ input: HypervisorInput, _ unit: VCPUUnit) {
    var host = LiveHost(machine: machine)
    decider.handle(input, on: unit.number, host: &host)
    noteEnd()
  }

  /// Finishes a store of several parts where the vCPU may do something else than run on. Under the lock.
  private func finishStores(_ unit: VCPUUnit, always: Bool = false) {
    // Where interrupts are delivered by hand, they find no instruction half done.
    while unit.mayHaveFurtherParts, unit.attention || machine.writes == .exact || always, machine.end == nil {
      unit.mayHaveFurtherParts = false
      do throws(KVMError) {
        let exit = try unit.vcpu.complete()
        if exit == .interrupted { return }
        unit.mayHaveFurtherParts = exit.completion == .later
        handle(exit, unit)
      } catch {
        machine.finish(error)
      }
    }
  }

  /// Does what was asked for at a moment that has come. Under the lock, with no instruction half done.
  private func actAtMoment() {
    machine.takeSnapshotIfDue()
    guard let plan = machine.platform?.takeDueProtection(), machine.end == nil, machine.emptyGuest() else { return }
    machine.prepareCPUWrites(in: plan)
    guard machine.end == nil else { return }
    var host = LiveHost(machine: machine)
    do throws(ProtectionPlanError) {
      try decider.protect(plan, host: &host)
      machine.watchStacks()
    } catch {
      machine.finish(.internalError, "memory cannot be protected: \(error)")
    }
  }

  private func noteEnd() {
    if let end = decider.outcome { machine.finish(end.reason, end.detail) }
  }
}
