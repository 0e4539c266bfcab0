import Glibc
import GuestImages
import LinuxBoot
import TestSeeds
import Testing

@Suite struct KernelImageTests {
  private static let code = [UInt8](repeating: 0x90, count: 300)
  private static let elf = TestKernel.elf(entry: 0x100_0010, [(0x100_0000, code, 0x1000), (0x120_0000, [1, 2, 3], 3)])

  @Test func anELFFileIsLoadedByPhysicalAddress() throws {
    let image = try KernelImage(Self.elf, unpacked: true)
    #expect(image.segments.map(\.gpa) == [0x100_0000, 0x120_0000])
    #expect(image.segments[0].bytes == Self.code)
    #expect(image.segments[0].zeroFill == 0x1000 - 300)
    #expect(image.entry == 0x100_0010)
    #expect(image.end == 0x120_0003)
    #expect(image.header == nil)
  }

  @Test func theKernelInABzImageIsUnpacked() throws {
    let image = try KernelImage(TestKernel(payload: TestKernel.lz4(Self.elf)).bytes, unpacked: true)
    #expect(image.segments == (try KernelImage(Self.elf, unpacked: true)).segments)
    #expect(image.entry == 0x100_0010)
    #expect(image.header != nil)
  }

  @Test func aBzImageStartsWhereItWantsToBe() throws {
    let kernel = TestKernel(payload: [7, 7, 7])
    let image = try KernelImage(kernel.bytes, unpacked: false)
    #expect(image.segments.count == 1)
    #expect(image.segments[0].gpa == 0x100_0000)
    // The two sectors of setup code stay behind.
    #expect(image.segments[0].bytes == Array(kernel.bytes[1024...]))
    #expect(image.entry == 0x100_0200)
    #expect(image.end == 0x120_0000)
  }

  @Test func whatCannotBeStartedIsRefused() {
    func expect(_ code: LinuxBootError.Code, _ file: [UInt8], unpacked: Bool = true, _ what: Comment) {
      let error = #expect(throws: LinuxBootError.self, what) { try KernelImage(file, unpacked: unpacked) }
      #expect(error?.code == code, what)
    }
    expect(.unsupported, [], "nothing")
    expect(.unsupported, Array("#!/bin/sh".utf8), "a script")
    expect(.unsupported, TestKernel(version: 0x20b).bytes, "before there was a 64-bit entry point")
    expect(.unsupported, TestKernel(loadFlags: 0).bytes, "a 32-bit kernel")
    expect(.malformed, TestKernel(headerEnd: 0x20).bytes, "a header that ends inside its fields")
    expect(.truncated, TestKernel(payload: Self.code).bytes.dropLast(1).map { $0 }, "a payload cut off")
    expect(.truncated, Array(TestKernel().bytes[..<0x240]), "a header cut off")
    for magic in [[0x1f, 0x8b], [0xfd, 0x37, 0x7a, 0x58, 0x5a], [0x42, 0x5a, 0x68]] as [[UInt8]] {
      expect(.unsupported, TestKernel(payload: magic + Self.code).bytes, "another way to pack")
    }
    var far = TestKernel(payload: Self.code).bytes
    far.replaceSubrange(0x258..<0x260, with: repeatElement(0xff, count: 8))
    expect(.malformed, far, unpacked: false, "an address where there is no memory")
    expect(.malformed, TestKernel.elf(entry: 0x1000, [(0x100_0000, Self.code, 300)]), "an entry point nowhere")
    expect(.malformed, TestKernel.elf(entry: 0x100_0000, [(0x100_0000, Self.code, 300), (0x100_0010, [1], 1)]), "segments that overlap")
  }

  // MARK: LZ4

  private static func unpack(_ payload: [UInt8]) throws -> KernelImage { try KernelImage(TestKernel(payload: payload).bytes, unpacked: true) }

  @Test func repetitionsAreUnpacked() throws {
    // The file, and then a tail: 10 literals, and 200 bytes that repeat them from 3 bytes back.
    let literals = Self.elf + [1, 2, 3]
    var block: [UInt8] = [0xff] + [UInt8](repeating: 255, count: (literals.count - 15) / 255) + [UInt8((literals.count - 15) % 255)] + literals
    block += [3, 0, UInt8(200 - 4 - 15)]
    block += [0x10, 9]
    let image = try Self.unpack(TestKernel.lz4(blocks: [block], size: literals.count + 201))
    #expect(image.segments.count == 2)
  }

  @Test func blocksFollowEachOther() throws {
    let half = Self.elf.count / 2
    let blocks = [Array(Self.elf[..<half]), Array(Self.elf[half...])].map { part in
      [0xf0] + [UInt8](repeating: 255, count: (part.count - 15) / 255) + [UInt8((part.count - 15) % 255)] + part
    }
    #expect(try Self.unpack(TestKernel.lz4(blocks: blocks, size: Self.elf.count)).segments.count == 2)
  }

  @Test func damagedPayloadsAreRefused() {
    let good = TestKernel.lz4(Self.elf)
    #expect(throws: LinuxBootError.self) { try Self.unpack(Array(good.dropLast(4)) + TestKernel.word(Self.elf.count + 1)) }
    #expect(throws: LinuxBootError.self) { try Self.unpack(Array(good.dropLast(4)) + TestKernel.word(Self.elf.count - 1)) }
    #expect(throws: LinuxBootError.self) { try Self.unpack(Array(good.dropLast(4)) + TestKernel.word(0)) }
    // A repetition of what came before the start.
    #expect(throws: LinuxBootError.self) { try Self.unpack(TestKernel.lz4(blocks: [[0x10, 1, 2, 0, 0x10, 1]], size: 6)) }
  }

  // MARK: A real kernel

  private static let realKernel = (unsafe getenv("PAGETAPE_LINUX_GUEST").map { unsafe String(cString: $0) } ?? ".build/linux-guest") + "/vmlinuz"

  @Test(.enabled(if: unsafe access(realKernel, R_OK) == 0, "needs a kernel: tools/linux-guest fetches it")) func aStockKernelIsUnderstood() throws {
    let file = try FileBytes.read(Self.realKernel, limit: 1 << 30)
    let image = try KernelImage(file, unpacked: true)
    #expect(image.entry == 0x100_0000)
    #expect(image.segments.count >= 3)
    #expect(image.segments[0].gpa == 0x100_0000)
    let packed = try KernelImage(file, unpacked: false)
    #expect(packed.segments.count == 1)
    #expect(packed.entry == 0x100_0200)
    // Both end in memory that the kernel says it needs.
    #expect(image.end <= packed.end)
  }

  /// Nothing in a file may crash the one who reads it.
  @Test func changedFilesNeverCrash() {
    let base = Seed.base(1)
    let file = TestKernel(payload: TestKernel.lz4(Self.elf)).bytes
    for number in 0..<2000 as Range<UInt64> {
      var seed = Seed(base &+ number)
      var changed = file
      for _ in 0...seed.below(4) { changed[seed.below(changed.count)] = UInt8(truncatingIfNeeded: seed.next()) }
      if seed.chance(20) { changed.removeLast(seed.below(changed.count)) }
      // A size that is believed would be a gigabyte of zeros.
      if changed.count > 4 { changed[changed.count - 1] = 0 }
      _ = try? KernelImage(changed, unpacked: seed.chance(80))
    }
  }
}
