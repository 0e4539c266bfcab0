import CKVM
import Glibc

/// Memory that a guest sees, and that the host reads and writes while the guest runs: every access is bounds-checked and copies.
@safe public struct GuestMemory: ~Copyable {
  private let mapping: Mapping

  /// Zeroed memory, taken from the host as it is touched. `size` is in bytes, whole pages.
  public init(size: Int, seam: KVMSeam = .direct) throws(KVMError) {
    precondition(size > 0 && size % 4096 == 0, "whole pages")
    mapping = try unsafe Mapping(.mapMemory, size: size, seam) { unsafe ckvm_map_memory(size, $0) }
  }

  public var size: Int { mapping.size }

  /// Where it is in this process, for a memory slot.
  public var address: UInt64 { UInt64(UInt(bitPattern: unsafe mapping.address)) }

  /// The bytes themselves, for the caller to keep within `size` and within this value's life.
  @unsafe public var base: UnsafeMutableRawPointer { unsafe mapping.address }

  public func contains(_ offset: UInt64, _ count: Int) -> Bool {
    count >= 0 && UInt64(count) <= UInt64(size) && offset <= UInt64(size) - UInt64(count)
  }

  /// What is there now; nil where that is not all inside.
  public func read(at offset: UInt64, count: Int) -> [UInt8]? {
    guard contains(offset, count) else { return nil }
    // SAFETY: just checked.
    return unsafe Array(unsafeUninitializedCapacity: count) { buffer, filled in
      if let to = buffer.baseAddress { unsafe memcpy(to, mapping.address + Int(offset), count) }
      filled = count
    }
  }

  /// Stores bytes; false where that is not all inside. Stores of 1, 2, 4 or 8 aligned bytes are single stores.
  @discardableResult public func write(_ bytes: [UInt8], at offset: UInt64) -> Bool {
    guard contains(offset, bytes.count) else { return false }
    // SAFETY: just checked; the aligned forms are what their guards say.
    unsafe bytes.withUnsafeBytes { source in
      let to = unsafe mapping.address + Int(offset)
      switch source.count {
      case 8 where offset % 8 == 0: unsafe to.storeBytes(of: source.loadUnaligned(as: UInt64.self), as: UInt64.self)
      case 4 where offset % 4 == 0: unsafe to.storeBytes(of: source.loadUnaligned(as: UInt32.self), as: UInt32.self)
      case 2 where offset % 2 == 0: unsafe to.storeBytes(of: source.loadUnaligned(as: UInt16.self), as: UInt16.self)
      case 0: break
      default: unsafe to.copyMemory(from: source.baseAddress!, byteCount: source.count)
      }
    }
    return true
  }
}
