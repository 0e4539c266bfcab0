import Glibc
import KVM
import PCDevices
import TraceEvents

/// A PC's devices, and its end.
extension Machine {
  /// From here what the console is given reaches the guest.
  func connectConsole() {
    platform?.console.connect { [weak self] bytes in
      guard let self else { return }
      self.attempt { () throws(KVMError) in try self.platform?.receive(bytes, self.virtualMachine) }
    }
  }

  /// A tick of the guest's timer, where KVM has none. From any thread, without `lock`.
  func tick() {
    attempt { () throws(KVMError) in try platform?.tick(virtualMachine) }
  }

  /// What a device gives to a read of a port; nil where there are no devices, or this is no such exit. Without `lock`.
  func readPort(_ exit: VMExit) -> UInt64? {
    guard let platform, case .portIn(let port, let size, _) = exit else { return nil }
    var seconds = timespec()
    // SAFETY: the structure is ours.
    unsafe clock_gettime(CLOCK_REALTIME, &seconds)
    do throws(KVMError) { return try platform.read(port, size: size, virtualMachine, time: UInt64(seconds.tv_sec)) } catch {
      lock.locked { finish(error) }
      return nil
    }
  }

  /// Gives a device what was written to its port. Without `lock`.
  func writePort(_ exit: VMExit) {
    guard let platform, case .portOut(let port, let size, _, let value) = exit else { return }
    attempt { () throws(KVMError) in
      switch try platform.write(port, size: size, value, virtualMachine) {
      case nil: break
      case .powerOff: lock.locked { finish(.guestFinished, "the guest powered off") }
      case .reset:
        lock.locked { finish(.guestFinished, platform.hasPanicked ? "the guest's kernel panicked, and reset the machine" : "the guest reset the machine") }
      }
    }
  }

  /// Waits, in KVM, until the guest starts the vCPU (INIT and SIPI): those of a PC beside the first one run no sooner. False where the session is over
  /// first. Under `lock`, on the vCPU's own thread.
  func awaitStart(_ unit: VCPUUnit) throws(KVMError) -> Bool {
    var activity = try look(unit)
    while end == nil, !activity.hasStarted {
      // After the INIT KVM would go from the wait into the guest: where it starts would not be known. The SIPI follows within milliseconds.
      if activity == .awaitsInit { try waitInKVM(unit) } else { lock.unlocked { _ = usleep(Self.startPollMicroseconds) } }
      activity = try look(unit)
    }
    return end == nil
  }

  private static let startPollMicroseconds: UInt32 = 1000

  /// Executes nothing: it comes back when an INIT is there, or with a kick.
  private func waitInKVM(_ unit: VCPUUnit) throws(KVMError) {
    unit.vcpu.setImmediateExit(false)
    gate.enter(unit.number)
    try lock.unlocked { () throws(KVMError) in
      defer { gate.leave(unit.number) }
      _ = try unit.vcpu.enter()
    }
  }

  /// Looks what a vCPU does, and ends the session where none will ever run again. Under `lock`, on the vCPU's own thread.
  @discardableResult func look(_ unit: VCPUUnit) throws(KVMError) -> VCPU.Activity {
    looks += 1
    let activity = try unit.vcpu.activity()
    // With interrupts off only an NMI could wake it, and nobody sends one.
    let rests = activity == .halted ? !unit.vcpu.registers.interruptsEnabled : activity != .runs
    unit.rest = rests ? (unit.rest?.since ?? looks, looks) : nil
    if restsForGood() {
      finish(.guestFinished, platform?.hasPanicked == true ? "the guest's kernel panicked, and halted" : "the guest halted for good")
    }
    return activity
  }

  /// Who was last looked at before another one came to rest may have been started by it since.
  private func restsForGood() -> Bool {
    var last: VCPUUnit?
    for unit in units {
      guard let rest = unit.rest else { return false }
      if rest.since > last?.rest?.since ?? 0 { last = unit }
    }
    return units.allSatisfy { $0 === last || $0.rest?.seen ?? 0 > last?.rest?.since ?? 0 }
  }

  private func attempt(_ body: () throws(KVMError) -> Void) {
    do throws(KVMError) { try body() } catch { lock.locked { finish(error) } }
  }
}
