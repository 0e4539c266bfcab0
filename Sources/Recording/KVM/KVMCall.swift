/// Every system call that this module makes: the one table that errors, logs and tests name them by.
public enum KVMCall: String, CaseIterable, Sendable {
  case openDevice = "open /dev/kvm"
  case close
  case getAPIVersion = "KVM_GET_API_VERSION"
  case checkExtension = "KVM_CHECK_EXTENSION"
  case createVM = "KVM_CREATE_VM"
  case getVCPUMapSize = "KVM_GET_VCPU_MMAP_SIZE"
  case getSupportedCPUID = "KVM_GET_SUPPORTED_CPUID"
  case enableCapability = "KVM_ENABLE_CAP"
  case setMemoryRegion = "KVM_SET_USER_MEMORY_REGION"
  case createVCPU = "KVM_CREATE_VCPU"
  case resetDirtyRings = "KVM_RESET_DIRTY_RINGS"
  case run = "KVM_RUN"
  case setCPUID = "KVM_SET_CPUID2"
  case getRegisters = "KVM_GET_REGS"
  case setRegisters = "KVM_SET_REGS"
  case getSystemRegisters = "KVM_GET_SREGS"
  case setSystemRegisters = "KVM_SET_SREGS"
  case getFPU = "KVM_GET_FPU"
  case setFPU = "KVM_SET_FPU"
  case getEvents = "KVM_GET_VCPU_EVENTS"
  case setEvents = "KVM_SET_VCPU_EVENTS"
  case setGuestDebug = "KVM_SET_GUEST_DEBUG"
  case interrupt = "KVM_INTERRUPT"
  case translate = "KVM_TRANSLATE"
  case getMSRList = "KVM_GET_MSR_INDEX_LIST"
  case getMSRs = "KVM_GET_MSRS"
  case setMSRs = "KVM_SET_MSRS"
  case setTSSAddress = "KVM_SET_TSS_ADDR"
  case setIdentityMap = "KVM_SET_IDENTITY_MAP_ADDR"
  case createIRQChip = "KVM_CREATE_IRQCHIP"
  case createPIT = "KVM_CREATE_PIT2"
  case setIRQLine = "KVM_IRQ_LINE"
  case getIRQChip = "KVM_GET_IRQCHIP"
  case setIRQChip = "KVM_SET_IRQCHIP"
  case getPIT = "KVM_GET_PIT2"
  case setPIT = "KVM_SET_PIT2"
  case getClock = "KVM_GET_CLOCK"
  case setClock = "KVM_SET_CLOCK"
  case getTSCFrequency = "KVM_GET_TSC_KHZ"
  case getXSave = "KVM_GET_XSAVE"
  case setXSave = "KVM_SET_XSAVE"
  case getXCRs = "KVM_GET_XCRS"
  case setXCRs = "KVM_SET_XCRS"
  case getLocalAPIC = "KVM_GET_LAPIC"
  case setLocalAPIC = "KVM_SET_LAPIC"
  case getDebugRegisters = "KVM_GET_DEBUGREGS"
  case setDebugRegisters = "KVM_SET_DEBUGREGS"
  case getMPState = "KVM_GET_MP_STATE"
  case setMPState = "KVM_SET_MP_STATE"
  case mapMemory = "mmap of guest memory"
  case mapVCPU = "mmap of a vCPU"
  case mapDirtyRing = "mmap of a dirty ring"
  case unmap = "munmap"

  /// What a success leaves behind for someone to give back: 1 for a descriptor or a mapping, -1 for giving one back.
  var balance: Int {
    switch self {
    case .openDevice, .createVM, .createVCPU, .mapMemory, .mapVCPU, .mapDirtyRing: 1
    case .close, .unmap: -1
    default: 0
    }
  }
}
