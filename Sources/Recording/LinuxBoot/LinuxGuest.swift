import Digests
public import GuestImages
import X86

/// A Linux kernel with all that its boot protocol wants in memory, as a guest that can be loaded.
public struct LinuxGuest: Sendable {
  public var name: String
  public var kernel: KernelImage
  /// The initial RAM disk, nil for none.
  public var initrd: [UInt8]?
  public var commandLine: String
  public var vcpuCount: Int
  /// Of the kernel's file.
  private let kernelDigest: String

  private static let pageSize: UInt64 = 4096

  /// `file` is a bzImage or a vmlinux; `unpacked` as for `KernelImage`.
  public init(name: String, file: [UInt8], unpacked: Bool, initrd: [UInt8]?, commandLine: String, vcpuCount: Int) throws(LinuxBootError) {
    self.name = name
    kernel = try KernelImage(file, unpacked: unpacked)
    self.initrd = initrd
    self.commandLine = commandLine
    self.vcpuCount = vcpuCount
    kernelDigest = SHA256.hexadecimal(file)
  }

  /// Everything at its address. `ramBytes` is a whole number of pages.
  public func image(ramBytes: UInt64) throws(LinuxBootError) -> GuestImage {
    guard kernel.end <= ramBytes else {
      throw LinuxBootError(.tooLarge, "the kernel needs memory up to \(hex(kernel.end)); the guest has \(hex(ramBytes))")
    }
    guard kernel.segments.allSatisfy({ $0.gpa >= LinuxMap.firmwareEnd }) else {
      throw LinuxBootError(.malformed, "expected a kernel above 1 MiB, found a segment at \(hex(kernel.segments[0].gpa))")
    }
    var page = ZeroPage(kernel.header)
    page.set(MemoryMap(ramBytes: ramBytes))
    page.set(commandLine: LinuxMap.commandLine)
    page.set(acpiPointer: LinuxMap.acpiTables)
    var contents = LinuxTables.contents
    if let initrd, !initrd.isEmpty {
      let gpa = try initrdAddress(count: initrd.count, ramBytes: ramBytes)
      page.set(initrd: gpa, count: initrd.count)
      contents.append((gpa, initrd))
    }
    contents.append((LinuxMap.zeroPage, page.bytes))
    contents.append((LinuxMap.commandLine, try commandLineBytes()))
    // Both, whatever the command line says: a kernel takes ACPI's, and one that is built without ACPI, or told to leave it, the other.
    contents.append((LinuxMap.acpiTables, ACPITables.bytes(at: LinuxMap.acpiTables, vcpuCount: vcpuCount)))
    contents.append((LinuxMap.processorTable, ProcessorTable.bytes(at: LinuxMap.processorTable, vcpuCount: vcpuCount)))
    let segments =
      contents.map { GuestImage.Segment(gpa: $0.gpa, bytes: $0.bytes) }
      + kernel.segments.map { GuestImage.Segment(gpa: $0.gpa, bytes: $0.bytes, zeroFill: $0.zeroFill) }
    return GuestImage(
      name: name, segments: segments, boot: LinuxTables.bootState(entry: kernel.entry, ramBytes: ramBytes), digest: digest)
  }

  /// As high as may be: a kernel's first allocations come from below.
  private func initrdAddress(count: Int, ramBytes: UInt64) throws(LinuxBootError) -> UInt64 {
    let end = min(ramBytes, kernel.initrdEnd)
    let room = end - min(end, kernel.end)
    let size = (UInt64(count) + Self.pageSize - 1) & ~(Self.pageSize - 1)
    guard size <= room else {
      throw LinuxBootError(.tooLarge, "the initial RAM disk has \(count) bytes; behind the kernel there are \(room)")
    }
    return (end - size) & ~(Self.pageSize - 1)
  }

  private func commandLineBytes() throws(LinuxBootError) -> [UInt8] {
    let bytes = Array(commandLine.utf8)
    let limit = min(kernel.commandLineLimit, Int(LinuxMap.commandLineEnd - LinuxMap.commandLine) - 1)
    guard bytes.count <= limit, !bytes.contains(0) else {
      throw LinuxBootError(.tooLarge, "the command line has \(bytes.count) bytes; the kernel takes \(limit)")
    }
    return bytes + [0]
  }

  /// Over the digests of its parts: which kernel, initial RAM disk and command line a trace is of.
  private var digest: String {
    SHA256.hexadecimal(Array([kernelDigest, SHA256.hexadecimal(initrd ?? []), commandLine].joined(separator: "\n").utf8))
  }
}
