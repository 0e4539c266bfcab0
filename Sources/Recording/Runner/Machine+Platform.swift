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

  /// After a kick: ends the session where no vCPU will ever run again. Under `lock`, on the vCPU's own thread.
  func noteHalt(_ unit: VCPUUnit) throws(KVMError) {
    guard platform != nil else { return }
    // With interrupts off only an NMI could wake it, and nobody sends one.
    let isHalted = try unit.vcpu.isHalted()
    unit.isHaltedForGood = isHalted && !unit.vcpu.registers.interruptsEnabled
    guard unit.isHaltedForGood else { return }
    for other in units where !other.isHaltedForGood {
      if try other.vcpu.hasStarted() { return }
    }
    finish(.guestFinished, platform?.hasPanicked == true ? "the guest's kernel panicked, and halted" : "the guest halted for good")
  }

  private func attempt(_ body: () throws(KVMError) -> Void) {
    do throws(KVMError) { try body() } catch { lock.locked { finish(error) } }
  }
}
