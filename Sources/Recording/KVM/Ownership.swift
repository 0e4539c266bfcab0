import CKVM

/// A file descriptor that is closed with its owner.
struct OwnedDescriptor: ~Copyable {
  let number: Int32
  let seam: KVMSeam

  init(_ number: Int32, _ seam: KVMSeam) {
    self.number = number
    self.seam = seam
  }

  deinit {
    let number = number
    _ = seam.perform(.close) { ckvm_close(number) }
  }
}

/// Mapped pages that are unmapped with their owner.
@safe struct Mapping: ~Copyable {
  let address: UnsafeMutableRawPointer
  let size: Int
  let seam: KVMSeam

  /// `map` puts the address where it is told, and returns 0 or -errno.
  init(
    _ call: KVMCall, size: Int, _ seam: KVMSeam, _ map: (UnsafeMutablePointer<UnsafeMutableRawPointer?>) -> Int32
  ) throws(KVMError) {
    var address: UnsafeMutableRawPointer?
    try seam.call(call, "\(size) bytes") { unsafe map(&address) }
    guard let address = unsafe address else { throw KVMError(call, errno: 0, detail: "no address") }
    unsafe self.address = unsafe address
    self.size = size
    self.seam = seam
  }

  deinit {
    // SAFETY: the owner hands out no pointer that outlives it.
    let address = unsafe address, size = size
    _ = seam.perform(.unmap) { unsafe ckvm_unmap(address, size) }
  }
}
