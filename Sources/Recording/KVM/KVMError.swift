import Glibc

/// A system call that failed: which, why, and what the user can do about it.
public struct KVMError: Error, Hashable, Sendable, CustomStringConvertible {
  public let call: KVMCall
  /// The positive error number; 0 where the call succeeded but its answer cannot be used.
  public let errno: Int32
  /// What was asked, or what was expected instead of the answer.
  public let detail: String

  public init(_ call: KVMCall, errno: Int32, detail: String = "") {
    self.call = call
    self.errno = errno
    self.detail = detail
  }

  /// What to do, empty where there is nothing to advise.
  public var remedy: String {
    switch (call, errno) {
    case (.openDevice, ENOENT), (.openDevice, ENODEV), (.openDevice, ENXIO):
      "load the module ('modprobe kvm_intel' or 'modprobe kvm_amd'); in a virtual machine, turn nested virtualisation on at its host"
    case (.openDevice, EACCES), (.openDevice, EPERM):
      "join the group that owns it ('sudo usermod -aG kvm $USER', then log in again)"
    case (.openDevice, EBUSY), (.createVM, EBUSY):
      "another hypervisor has the CPU's virtualisation; stop it"
    case (.mapMemory, ENOMEM), (.createVM, ENOMEM), (.setMemoryRegion, ENOMEM):
      "give the guest less memory"
    default: ""
    }
  }

  public var description: String {
    var text = call.rawValue
    if !detail.isEmpty { text += ": \(detail)" }
    // SAFETY: strerror returns a string that lives until the thread's next call of it.
    if errno != 0 { text += unsafe ": " + String(cString: strerror(errno)) }
    if !remedy.isEmpty { text += "; \(remedy)" }
    return text
  }
}
