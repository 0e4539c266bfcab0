import CKVM

/// /dev/kvm: what this host can do, and where virtual machines come from.
public struct System: ~Copyable {
  /// The only version of the interface that there has been since 2007.
  public static let apiVersion: Int32 = 12

  let descriptor: OwnedDescriptor
  public let seam: KVMSeam

  /// Opens the device and checks that it speaks the interface. The error says how to get at it.
  public init(path: String = "/dev/kvm", seam: KVMSeam = .direct) throws(KVMError) {
    let number = try seam.call(.openDevice, path == "/dev/kvm" ? "" : path) { unsafe path.withCString { unsafe ckvm_open($0) } }
    let descriptor = OwnedDescriptor(number, seam)
    let version = try seam.call(.getAPIVersion) { ckvm_get_api_version(number) }
    guard version == Self.apiVersion else {
      throw KVMError(.getAPIVersion, errno: 0, detail: "answered \(version), expected \(Self.apiVersion)")
    }
    self.descriptor = descriptor
    self.seam = seam
  }

  /// What the host says of a capability: 0 where it lacks it, else 1 or the limit that it names.
  public func check(_ capability: Capability) throws(KVMError) -> Int {
    let number = descriptor.number
    return Int(try seam.call(.checkExtension, capability.name) { ckvm_check_extension(number, capability.rawValue) })
  }

  /// `hiding` are features that its vCPUs are not told of, though this KVM supports them.
  public func createVirtualMachine(hiding: [CPUFeature] = []) throws(KVMError) -> VirtualMachine {
    let number = descriptor.number
    let mapSize = Int(try seam.call(.getVCPUMapSize) { ckvm_get_vcpu_mmap_size(number) })
    let cpuid = try CPUIDTable(descriptor: number, seam: seam)
    for feature in hiding { cpuid.hide(feature) }
    let vm = OwnedDescriptor(try seam.call(.createVM) { ckvm_create_vm(number) }, seam)
    return VirtualMachine(descriptor: vm, seam: seam, vcpuMapSize: mapSize, cpuid: cpuid)
  }
}

/// Something that CPUID tells, and that a guest can do without.
public enum CPUFeature: Sendable, CaseIterable {
  /// `cmpxchg16b`.
  case compareExchange16
  case x2APIC
  case deadlineTimer
  /// That there is a hypervisor, and what it offers.
  case hypervisor

  /// A leaf, and the bits of its ECX.
  var bit: (leaf: UInt32, ecx: UInt32)? {
    switch self {
    case .compareExchange16: (1, 1 << 13)
    case .x2APIC: (1, 1 << 21)
    case .deadlineTimer: (1, 1 << 24)
    case .hypervisor: (1, 1 << 31)
    }
  }

  /// Leaves that go with it.
  var leaves: Range<UInt32> { self == .hypervisor ? 0x4000_0000..<0x4001_0000 : 0..<0 }
}

/// The CPU features that a guest is told of: all that this KVM supports.
@safe struct CPUIDTable: ~Copyable {
  private let table: OpaquePointer

  init(descriptor: Int32, seam: KVMSeam) throws(KVMError) {
    guard let table = unsafe ckvm_cpuid_new() else { throw KVMError(.getSupportedCPUID, errno: 12) }
    do throws(KVMError) {
      // SAFETY: the table is ours, and large enough for what the kernel writes, which it is told.
      try seam.call(.getSupportedCPUID) { unsafe ckvm_get_supported_cpuid(descriptor, table) }
    } catch {
      unsafe ckvm_cpuid_free(table)
      throw error
    }
    unsafe self.table = unsafe table
  }

  deinit { unsafe ckvm_cpuid_free(table) }

  func hide(_ feature: CPUFeature) {
    // From the last down: removing one moves those behind it.
    // SAFETY: indices are below the count.
    for index in (0..<(unsafe ckvm_cpuid_count(table))).reversed() {
      let entry = unsafe ckvm_cpuid_entry(table, index)!
      if feature.leaves.contains(unsafe entry.pointee.function) {
        unsafe ckvm_cpuid_remove(table, index)
      } else if let bit = feature.bit, unsafe entry.pointee.function == bit.leaf {
        unsafe entry.pointee.ecx &= ~bit.ecx
      }
    }
  }

  /// Gives a vCPU the table, with its own number in it.
  func apply(to vcpu: Int32, id: Int, seam: KVMSeam) throws(KVMError) {
    // SAFETY: the table lives as long as this.
    unsafe ckvm_cpuid_set_apic_id(table, UInt32(id))
    try seam.call(.setCPUID, "vCPU \(id)") { unsafe ckvm_set_cpuid2(vcpu, table) }
  }
}
