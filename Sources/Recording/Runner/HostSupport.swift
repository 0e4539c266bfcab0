public import KVM
import Glibc
public import TraceEvents

/// What this host offers to a recording, or why it cannot make one.
public struct HostSupport: Sendable {
  /// How guest code is executed.
  public enum Kind: String, Sendable {
    /// By the CPU (VT-x, AMD-V).
    case hardware
    /// Instruction by instruction, in software.
    case emulating
  }

  public let kind: Kind
  /// The kernel module that executes guests, empty where it is built in or not known.
  public let module: String
  public let attribution: WriteAttribution
  /// What KVM says of each capability: 0, 1 or a limit.
  public let capabilities: [(capability: Capability, value: Int)]
  /// Name and release.
  public let kernel: String

  /// Capabilities without which there is no recording.
  static let required: [Capability] = [.userMemory, .readOnlyMemory, .immediateExit, .syncRegisters, .dirtyRing]

  /// Finds out, by asking KVM and by running a few instructions. The error says what is missing and how to get it.
  public static func check(devicePath: String = "/dev/kvm", seam: KVMSeam = .direct) throws(RecordingError) -> HostSupport {
    do throws(KVMError) { return try HostSupport(devicePath: devicePath, seam: seam) } catch { throw .host(error) }
  }

  init(devicePath: String, seam: KVMSeam) throws(KVMError) {
    let system = try System(path: devicePath, seam: seam)
    var found: [(capability: Capability, value: Int)] = []
    for capability in Capability.allCases { found.append((capability, try system.check(capability))) }
    for capability in Self.required where found.contains(where: { $0.capability == capability && $0.value == 0 }) {
      throw KVMError(.checkExtension, errno: 0, detail: "this KVM lacks \(capability.name), which a recording needs (Linux 5.11 or later, x86-64)")
    }
    capabilities = found
    attribution = try Self.probeAttribution(system)
    module = ["kvm_intel", "kvm_amd", "kvm_pvm"].first { Self.exists("/sys/module/\($0)") } ?? ""
    kind = attribution == .everyWrite ? .emulating : .hardware
    kernel = Self.kernelName()
  }

  private static func exists(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }

  private static func kernelName() -> String {
    var name = utsname()
    // SAFETY: the kernel fills in strings that end with a zero.
    guard unsafe uname(&name) == 0 else { return "unknown" }
    func text<Field>(_ field: Field) -> String {
      unsafe withUnsafeBytes(of: field) { unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
    return "\(text(name.sysname)) \(text(name.release))"
  }
}
