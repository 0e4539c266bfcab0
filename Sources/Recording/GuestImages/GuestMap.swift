import GuestPrograms
import X86

/// Addresses of `pagetape_abi.h` as the loaders need them.
enum GuestMap {
  static let regionBase = UInt64(PT_REGION_BASE)
  static let regionEnd = UInt64(PT_REGION_BASE) + UInt64(PT_REGION_SIZE)
  /// Where a handler's bytes must end: the rest of the region holds the stacks of 64 vCPUs.
  static let handlerEnd = regionEnd - UInt64(BootMemory.maximumVCPUs) * UInt64(PT_REGION_STACK_SIZE)
}
