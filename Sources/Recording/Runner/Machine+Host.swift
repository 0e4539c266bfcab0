import GuestImages
import Hypervisor
import KVM
import Synchronization
import TraceEvents
import TraceFile
import X86

/// The hypervisor core's hands. Everything here runs under the machine's lock.
struct LiveHost: HypervisorHost {
  let machine: Machine

  func record(_ event: TraceEvents.Event) -> UInt64 {
    guard let writer = machine.writer else { return machine.nextOwnSeq() }
    return writer.append(event)
  }

  func kick(_ vcpu: Int) { machine.kick(vcpu) }
  func wake(_ vcpu: Int) { machine.wake(vcpu) }
  func setRegionMapped(_ mapped: Bool) { machine.setRegionMapped(mapped) }
  func setTraced(_ traced: Bool, firstGFN: UInt64, pageCount: UInt64) { machine.setTraced(traced, firstGFN: firstGFN, pageCount: pageCount) }
  func readMemory(gpa: UInt64, count: Int) -> [UInt8]? { machine.ram.read(gpa: gpa, count: count) }
  func writeMemory(gpa: UInt64, _ bytes: [UInt8]) { machine.write(gpa: gpa, bytes) }
  func registers(of vcpu: Int) -> RegisterSnapshot { machine.registers(of: vcpu) }
  func setHypercallResult(_ vcpu: Int, status: Int64, value: UInt64) { machine.setHypercallResult(vcpu, status: status, value: value) }
  func enterHandler(_ vcpu: Int) { machine.enterHandler(vcpu) }
  func restoreInterrupted(_ vcpu: Int) { machine.restoreInterrupted(vcpu) }
  func injectInterrupt(_ vcpu: Int, vector: UInt8) { machine.injectInterrupt(vcpu, vector: vector) }
  func prepareStart(_ vcpu: Int, rip: UInt64, argument: UInt64) { machine.prepareStart(vcpu, rip: rip, argument: argument) }
}

extension Machine {
  // MARK: Signals

  func kick(_ vcpu: Int) {
    let unit = units[vcpu]
    unit.attention = true
    if gate.isInside(vcpu) { sendKick(unit) } else { wake(vcpu) }
  }

  func wake(_ vcpu: Int) {
    let unit = units[vcpu]
    unit.attention = true
    unit.isWaiting = false
    if !unit.isFinished { turns?.unblock(vcpu) }
    unit.changed.signal()
  }

  // MARK: The view

  func setRegionMapped(_ mapped: Bool) {
    guard mapped != regionIsMapped, end == nil else { return }
    // Whoever still runs in the region then has told of its writes before it goes.
    guard mapped || emptyGuest() else { return }
    do throws(KVMError) {
      if mapped { try virtualMachine.add(regionSlot) } else { try virtualMachine.remove(regionSlot) }
      regionIsMapped = mapped
    } catch {
      finish(error)
    }
  }

  func setTraced(_ traced: Bool, firstGFN: UInt64, pageCount: UInt64) {
    if writes == .pages {
      // Nothing can be made to trap. What was written so far is told, as it would be.
      if end == nil { _ = emptyGuest() }
      return
    }
    let plan = slots.planned(traced, Int(firstGFN)..<Int(firstGFN + pageCount))
    guard !plan.isEmpty, end == nil, emptyGuest() else { return }
    slots.apply(plan)
    // Every write traps already.
    if writes == .exact { return }
    do throws(KVMError) {
      for run in plan.remove { try virtualMachine.remove(slot(run)) }
      for run in plan.add { try virtualMachine.add(slot(run)) }
    } catch {
      finish(error)
    }
  }

  func write(gpa: UInt64, _ bytes: [UInt8]) {
    if !ram.write(gpa: gpa, bytes) { region.write(gpa: gpa, bytes) }
    if let writingVCPU { applied.note(gpa: gpa, length: bytes.count, vcpu: writingVCPU) }
  }

  // MARK: Registers

  func registers(of vcpu: Int) -> RegisterSnapshot {
    let registers = units[vcpu].vcpu.registers
    return RegisterSnapshot(rip: registers.rip, digest: registers.digest(units[vcpu].vcpu.systemRegisters))
  }

  func setHypercallResult(_ vcpu: Int, status: Int64, value: UInt64) {
    let unit = units[vcpu]
    var registers = unit.vcpu.registers
    registers.rax = UInt64(bitPattern: status)
    registers.r10 = value
    unit.vcpu.setRegisters(registers)
  }

  func prepareStart(_ vcpu: Int, rip: UInt64, argument: UInt64) {
    // One that goes on from a snapshot has its registers, and where the others of a PC start the guest has told KVM.
    if platform?.start != nil || platform != nil && vcpu > 0 { return }
    start(units[vcpu], image.boot ?? BootState(vcpu: vcpu, vcpuCount: units.count, entry: rip, argument: argument, ramBytes: ram.range.length))
  }

  private func start(_ unit: VCPUUnit, _ state: BootState) {
    var system = unit.vcpu.systemRegisters
    system.load(state)
    unit.vcpu.setSystemRegisters(system)
    unit.vcpu.setRegisters(Registers(state))
  }

  func enterHandler(_ vcpu: Int) {
    let unit = units[vcpu]
    do throws(KVMError) {
      unit.saved = try unit.vcpu.save()
      unit.savedVector = unit.pendingVector
      unit.pendingVector = nil
    } catch {
      return finish(error)
    }
    var state = BootState(vcpu: vcpu, vcpuCount: units.count, entry: GuestInterface.regionBase, argument: 0, ramBytes: ram.range.length)
    state.general[.rsp] = GuestInterface.regionStackTop(vcpu)
    unit.vcpu.clearPendingEvents()
    start(unit, state)
  }

  func restoreInterrupted(_ vcpu: Int) {
    let unit = units[vcpu]
    guard let saved = unit.saved else { return finish(.internalError, "vCPU \(vcpu) has nothing to return to") }
    unit.saved = nil
    unit.pendingVector = unit.savedVector
    unit.savedVector = nil
    do throws(KVMError) {
      try unit.vcpu.restore(saved)
    } catch {
      finish(error)
    }
  }

  func injectInterrupt(_ vcpu: Int, vector: UInt8) {
    let unit = units[vcpu]
    do throws(KVMError) {
      if writes == .exact {
        unit.pendingVector = vector
        return
      }
      try inject(vector, unit)
    } catch {
      finish(error)
    }
  }

  /// Has KVM deliver an interrupt; ends the session where it cannot. Under `lock`, on the vCPU's own thread.
  func inject(_ vector: UInt8, _ unit: VCPUUnit) throws(KVMError) {
    if let stack = try trappingStack(unit, of: unit.vcpu.privilegeLevel == 0 ? .current : .task) { return finish(.emulationFailure, stack) }
    try unit.vcpu.inject(vector: vector)
  }
}
