import X86

extension GuestImage {
  /// Checks that the image fits a machine: inside its RAM, clear of the boot tables and of the stacks. To be called before loading.
  public func check(vcpuCount: Int, ramBytes: UInt64) throws(GuestImageError) {
    guard ramBytes >= BootMemory.minimumRAM, ramBytes <= BootMemory.maximumRAM, ramBytes % BootMemory.pageSize == 0 else {
      throw GuestImageError(
        .outOfMemory, file: name,
        detail: "guest memory of \(ramBytes) bytes; expected whole pages, \(BootMemory.minimumRAM) to \(BootMemory.maximumRAM)")
    }
    guard (1...BootMemory.maximumVCPUs).contains(vcpuCount) else {
      throw GuestImageError(.outOfMemory, file: name, detail: "\(vcpuCount) vCPUs; expected 1 to \(BootMemory.maximumVCPUs)")
    }
    // One that brings its own tables has its own stacks, too.
    guard boot == nil else {
      guard memoryEnd <= ramBytes else {
        throw GuestImageError(.outOfMemory, file: name, detail: "needs memory up to \(hex(memoryEnd)); the machine has \(ramBytes) bytes")
      }
      return
    }
    let stacks = ramBytes - UInt64(vcpuCount) * BootMemory.stackSize
    guard memoryEnd <= stacks else {
      throw GuestImageError(
        .outOfMemory, file: name,
        detail: "needs memory up to \(hex(memoryEnd)); with \(vcpuCount) vCPUs and \(ramBytes) bytes, stacks begin at \(hex(stacks))")
    }
    for segment in segments where segment.gpa < BootMemory.tablesEnd {
      throw GuestImageError(
        .overlap, file: name, detail: "segment at \(hex(segment.gpa)) overlaps the boot tables; expected \(hex(BootMemory.tablesEnd)) or above")
    }
  }

  /// Checks what does not depend on the machine: order, overlaps, the entry point.
  func checkSegments() throws(GuestImageError) {
    for (segment, next) in zip(segments, segments.dropFirst()) where segment.end > next.gpa {
      throw GuestImageError(.overlap, file: name, detail: "segments at \(hex(segment.gpa)) and \(hex(next.gpa)) overlap")
    }
    guard segments.contains(where: { $0.gpa <= entry && entry < $0.end }) else {
      throw GuestImageError(.outOfMemory, file: name, detail: "the entry point \(hex(entry)) is in no loaded segment")
    }
  }
}

func hex(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }
