import GuestImages
import LinuxBoot
import Testing
import X86

@Suite struct LinuxGuestTests {
  private static let ram: UInt64 = 64 << 20

  private static func guest(initrd: [UInt8]? = nil, commandLine: String = "quiet", vcpus: Int = 1) throws -> LinuxGuest {
    try LinuxGuest(
      name: "kernel", file: TestKernel(payload: [1, 2, 3]).bytes, unpacked: false, initrd: initrd, commandLine: commandLine, vcpuCount: vcpus)
  }

  private static func bytes(_ image: GuestImage, _ gpa: UInt64) -> [UInt8] { image.segments.first { $0.gpa == gpa }?.bytes ?? [] }

  @Test func startsAsTheBootProtocolWants() throws {
    let image = try Self.guest().image(ramBytes: Self.ram)
    let boot = try #require(image.boot)
    #expect(boot.rip == 0x100_0200)
    #expect(boot.general[.rsi] == 0x8000)
    #expect(boot.code.selector == 0x10)
    #expect(boot.data.selector == 0x18)
    #expect(boot.rflags & 0x200 == 0)
    #expect(Self.bytes(image, boot.gdt.base).count == Int(boot.gdt.limit) + 1)
    #expect(Self.bytes(image, boot.cr3) == BootMemory.pageTableBytes)
    try image.check(vcpuCount: 1, ramBytes: Self.ram)
  }

  @Test func theZeroPageTellsWhatIsWhere() throws {
    let disk = [UInt8](repeating: 5, count: 5000)
    let image = try Self.guest(initrd: disk).image(ramBytes: Self.ram)
    let page = Self.bytes(image, 0x8000)
    #expect(page.count == 4096)
    #expect(number(page, 0x1fe, 2) == 0xaa55)
    #expect(page[0x210] == 0xff)
    #expect(page[0x211] & 1 == 1)
    #expect(Self.bytes(image, number(page, 0x228, 4)) == Array("quiet\0".utf8))
    #expect(number(page, 0x21c, 4) == 5000)
    #expect(number(page, 0x218, 4) == Self.ram - 8192)
    #expect(Self.bytes(image, Self.ram - 8192) == disk)
    // Memory below 640 KiB, but for the room of the tree, and above 1 MiB.
    #expect(page[0x1e8] == 5)
    let entries = (0..<5).map { (number(page, 0x2d0 + 20 * $0, 8), number(page, 0x2d8 + 20 * $0, 8), number(page, 0x2e0 + 20 * $0, 4)) }
    #expect(entries.map(\.0) == [0, 0x4_0000, 0x8_0000, 0x9fc00, 0x10_0000])
    #expect(entries.map(\.1) == [0x4_0000, 0x4_0000, 0x1_fc00, 0x6_0400, Self.ram - 0x10_0000])
    #expect(entries.map(\.2) == [1, 2, 1, 2, 1])
  }

  @Test func reservedMemoryIsTakenOut() {
    var map = MemoryMap(ramBytes: Self.ram)
    map.reserve(0x200_0000, 0x201_0000)
    map.reserve(Self.ram - 0x1000, Self.ram)
    let ends = [0x4_0000, 0x8_0000, 0x9fc00, 0x10_0000, 0x200_0000, 0x201_0000, Self.ram - 0x1000, Self.ram] as [UInt64]
    #expect(map.ranges.map(\.end) == ends)
    #expect(map.ranges.map(\.isUsable) == [true, false, true, false, true, false, true, false])
    #expect(zip(map.ranges, map.ranges.dropFirst()).allSatisfy { $0.end == $1.start })
  }

  @Test(arguments: [1, 2, 64]) func theProcessorTableAddsUp(vcpus: Int) throws {
    let table = Self.bytes(try Self.guest(vcpus: vcpus).image(ramBytes: Self.ram), 0xf_0000)
    #expect(table.starts(with: Array("_MP_".utf8)))
    #expect(table[..<16].reduce(0, &+) == 0)
    let configuration = Array(table[16...])
    #expect(number(table, 4, 4) == 0xf_0010)
    #expect(configuration.starts(with: Array("PCMP".utf8)))
    #expect(configuration.reduce(0, &+) == 0)
    #expect(Int(number(configuration, 4, 2)) == configuration.count)
    #expect(number(configuration, 34, 2) == UInt64(vcpus + 1 + 1 + 16 + 2))
    // Processors' entries have 20 bytes, all others 8.
    var (at, processors, entries) = (44, 0, 0)
    while at < configuration.count {
      if configuration[at] == 0 { processors += 1 }
      at += configuration[at] == 0 ? 20 : 8
      entries += 1
    }
    #expect(at == configuration.count)
    #expect(processors == vcpus)
    #expect(entries == Int(number(configuration, 34, 2)))
  }

  @Test func whatDoesNotFitIsRefused() throws {
    func expect(_ guest: LinuxGuest, _ ram: UInt64, _ what: Comment) {
      let error = #expect(throws: LinuxBootError.self, what) { try guest.image(ramBytes: ram) }
      #expect(error?.code == .tooLarge, what)
    }
    expect(try Self.guest(), 17 << 20, "a kernel that needs 18 MiB")
    expect(try Self.guest(initrd: [UInt8](repeating: 0, count: 47 << 20)), Self.ram, "a disk larger than what is left")
    expect(try Self.guest(commandLine: String(repeating: "x", count: 2048)), Self.ram, "a long command line")
    expect(try Self.guest(commandLine: "a\0b"), Self.ram, "a command line with a zero in it")
  }

  @Test func theDigestNamesAllParts() throws {
    let plain = try Self.guest().image(ramBytes: Self.ram).digest
    #expect(plain.count == 64)
    #expect(try Self.guest().image(ramBytes: Self.ram).digest == plain)
    #expect(try Self.guest(initrd: [1]).image(ramBytes: Self.ram).digest != plain)
    #expect(try Self.guest(commandLine: "debug").image(ramBytes: Self.ram).digest != plain)
  }

  @Test func theCommandLineOfAnEmulatingHostKeepsOffWhatItLacks() {
    let hardware = KernelCommandLine.hardware(appending: "debug").split(separator: " ")
    #expect(hardware.contains("console=ttyS0"))
    #expect(!hardware.contains { $0.hasPrefix("clearcpuid") || $0.hasPrefix("acpi=") || $0 == "noxsave" || $0 == "nosmp" })
    let emulating = KernelCommandLine.emulating(tscKilohertz: 2_000_000, appending: "debug").split(separator: " ")
    #expect(emulating.contains("noxsave"))
    #expect(emulating.contains("acpi=off"))
    #expect(emulating.contains("tsc_early_khz=2000000"))
    #expect(emulating.last == "debug")
  }
}
