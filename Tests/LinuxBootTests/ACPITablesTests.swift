import GuestImages
import LinuxBoot
import PCDevices
import Testing

/// The tables as a kernel finds and reads them.
@Suite struct ACPITablesTests {
  private static let ram: UInt64 = 64 << 20

  /// What lies in a guest's memory.
  private struct Firmware {
    let image: GuestImage

    init(vcpus: Int = 1) throws {
      let guest = try LinuxGuest(
        name: "kernel", file: TestKernel(payload: [1, 2, 3]).bytes, unpacked: false, initrd: nil, commandLine: "quiet", vcpuCount: vcpus)
      image = try guest.image(ramBytes: ACPITablesTests.ram)
    }

    func bytes(_ gpa: UInt64, _ count: Int) throws -> [UInt8] {
      let segment = try #require(image.segments.first { $0.gpa <= gpa && gpa + UInt64(count) <= $0.gpa + UInt64($0.bytes.count) })
      let start = Int(gpa - segment.gpa)
      return Array(segment.bytes[start..<start + count])
    }

    /// A table by its address: with the length that it says, and bytes that add up to zero.
    func table(_ gpa: UInt64) throws -> (signature: String, bytes: [UInt8]) {
      let table = try bytes(gpa, Int(number(try bytes(gpa, 36), 4, 4)))
      let signature = String(decoding: table[..<4], as: UTF8.self)
      if signature != "FACS" { #expect(table.reduce(0, &+) == 0, "\(signature) adds up") }
      return (signature, table)
    }

    /// Where the root pointer is, found as a kernel without word of it does.
    var pointer: UInt64 {
      get throws {
        try #require(stride(from: 0xe_0000 as UInt64, to: 0x10_0000, by: 16).first { (try? bytes($0, 8)) == Array("RSD PTR ".utf8) })
      }
    }

    /// All tables by signature, with their addresses.
    var tables: [String: (gpa: UInt64, bytes: [UInt8])] {
      get throws {
        let root = number(try bytes(try pointer, 36), 24, 8)
        let entries = try table(root).bytes
        var out = ["XSDT": (root, entries)]
        func add(_ gpa: UInt64) throws {
          let (signature, bytes) = try table(gpa)
          #expect(out[signature] == nil, "\(signature) once")
          out[signature] = (gpa, bytes)
        }
        for offset in stride(from: 36, to: entries.count, by: 8) { try add(number(entries, offset, 8)) }
        let fixed = try #require(out["FACP"]).1
        try add(number(fixed, 36, 4))
        try add(number(fixed, 40, 4))
        return out
      }
    }
  }

  @Test func theRootPointerIsFoundAndTold() throws {
    let firmware = try Firmware()
    let pointer = try firmware.bytes(try firmware.pointer, 36)
    #expect(pointer[..<20].reduce(0, &+) == 0)
    #expect(pointer.reduce(0, &+) == 0)
    #expect(pointer[15] == 2)
    #expect(number(pointer, 20, 4) == 36)
    #expect(number(try firmware.bytes(0x8000, 4096), 0x70, 8) == (try firmware.pointer))
  }

  @Test(arguments: [1, 2, 64]) func allTablesAreThereAndOutOfTheKernelsWay(vcpus: Int) throws {
    let firmware = try Firmware(vcpus: vcpus)
    let tables = try firmware.tables
    #expect(Set(tables.keys) == ["XSDT", "FACP", "APIC", "DSDT", "FACS"])
    let page = try firmware.bytes(0x8000, 4096)
    let memory = (0..<Int(page[0x1e8])).map { 0x2d0 + 20 * $0 }.filter { number(page, $0 + 16, 4) == 1 }
      .map { number(page, $0, 8)..<number(page, $0, 8) + number(page, $0 + 8, 8) }
    #expect(memory.contains { $0.upperBound == Self.ram })
    var taken: [Range<UInt64>] = [try firmware.pointer..<firmware.pointer + 36]
    for (signature, table) in tables {
      let range = table.gpa..<table.gpa + UInt64(table.bytes.count)
      #expect(!memory.contains { $0.overlaps(range) }, "\(signature) in memory that a kernel takes for its own")
      #expect(!taken.contains { $0.overlaps(range) }, "\(signature) over another")
      taken.append(range)
    }
  }

  @Test func theFixedDescriptionNamesTheDevicesPorts() throws {
    let tables = try Firmware().tables
    let fixed = try #require(tables["FACP"]).bytes
    #expect(fixed.count == 276)
    #expect((fixed[8], fixed[131]) == (6, 5))
    #expect(number(fixed, 40, 4) == number(fixed, 140, 8))
    #expect(number(fixed, 46, 2) == 9)
    // No way into ACPI mode: it is the only one.
    #expect(number(fixed, 48, 4) == 0)
    // The 32-bit fields and the generic addresses agree: event, control, timer.
    let registers: [(UInt64, UInt64, Int, Int, Int)] = [(0x600, 4, 56, 88, 148), (0x604, 2, 64, 89, 172), (0x608, 4, 76, 91, 208)]
    for (port, length, short, shortLength, long) in registers {
      #expect(number(fixed, short, 4) == port)
      #expect(number(fixed, shortLength, 1) == length)
      #expect((fixed[long], fixed[long + 1], fixed[long + 2]) == (1, UInt8(length * 8), 0))
      #expect(number(fixed, long + 4, 8) == port)
    }
    #expect(Array(fixed[116..<128]) == [1, 8, 0, 1, 0xf9, 0x0c, 0, 0, 0, 0, 0, 0])
    #expect(fixed[128] == 6)
    #expect(number(fixed, 109, 2) == 0x000d)
    #expect(number(fixed, 112, 4) == 0x1575)
    let control = try #require(tables["FACS"])
    #expect(control.gpa % 64 == 0)
    #expect(control.bytes.count == 64)
  }

  /// What the tables say of the ports is what the devices do.
  @Test func whatTheTablesNameTurnsOffAndResets() throws {
    let tables = try Firmware().tables
    let fixed = try #require(tables["FACP"]).bytes
    let definitions = try #require(tables["DSDT"]).bytes
    // Name (_S5, Package (4) {type, …
    let at = try #require((0..<definitions.count - 12).first { Array(definitions[$0..<$0 + 5]) == Array("\u{08}_S5_".utf8) })
    #expect((definitions[at + 5], definitions[at + 7], definitions[at + 8]) == (0x12, 4, 0x0a))
    let type = UInt16(definitions[at + 9])
    let value = type << 10 | 1 << 13
    var devices = PCDevices(hasTimer: false)
    let control = UInt16(number(fixed, 64, 4))
    #expect(devices.write(control, UInt8(value & 0xff), now: 0, isWhole: false) == .none)
    #expect(devices.write(control + 1, UInt8(value >> 8), now: 0, isWhole: false) == .powerOff)
    #expect(devices.write(UInt16(number(fixed, 120, 8)), fixed[128], now: 0) == .reset)
  }

  @Test(arguments: [1, 3, 64]) func everyProcessorIsListed(vcpus: Int) throws {
    let table = try #require(try Firmware(vcpus: vcpus).tables["APIC"]).bytes
    #expect(number(table, 36, 4) == 0xfee0_0000)
    #expect(number(table, 40, 4) == 1)
    var entries: [[UInt8]] = []
    var at = 44
    while at < table.count {
      try #require(table[at + 1] >= 2 && at + Int(table[at + 1]) <= table.count)
      entries.append(Array(table[at..<at + Int(table[at + 1])]))
      at += Int(table[at + 1])
    }
    #expect(Array(entries.prefix(vcpus)) == (0..<vcpus).map { [0, 8, UInt8($0), UInt8($0), 1, 0, 0, 0] })
    let others: [[UInt8]] = [
      [1, 12, 0, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0],
      // Line 9 by its level, active high; no other differs from ISA, the timer's neither.
      [2, 10, 0, 9, 9, 0, 0, 0, 0x0d, 0],
      [4, 6, 0xff, 0, 0, 1],
    ]
    #expect(Array(entries.dropFirst(vcpus)) == others)
  }

  /// What iasl (ACPICA 20200925) compiles this to:
  ///
  ///     Name (_S5, Package (4) {5, 5, 0, 0})
  ///     Scope (_SB) {
  ///       Device (COM1) {
  ///         Name (_HID, EisaId ("PNP0501"))
  ///         Name (_UID, 1)
  ///         Name (_CRS, ResourceTemplate () {IO (Decode16, 0x3f8, 0x3f8, 0, 8) IRQNoFlags () {4}})
  ///       }
  ///       Device (RTC) {
  ///         Name (_HID, EisaId ("PNP0B00"))
  ///         Name (_CRS, ResourceTemplate () {IO (Decode16, 0x70, 0x70, 0, 2)})
  ///       }
  ///     }
  @Test func theDefinitionsAreWhatACompilerMakesOfTheirSource() throws {
    let table = try #require(try Firmware().tables["DSDT"]).bytes
    #expect(table[8] == 2, "integers of 64 bits")
    #expect(Array(table[36...]) == Self.compiled)
  }

  private static let compiled: [UInt8] = [
    0x08, 0x5f, 0x53, 0x35, 0x5f, 0x12, 0x08, 0x04, 0x0a, 0x05, 0x0a, 0x05, 0x00, 0x00, 0x10, 0x47, 0x05, 0x5f, 0x53, 0x42,
    0x5f, 0x5b, 0x82, 0x2b, 0x43, 0x4f, 0x4d, 0x31, 0x08, 0x5f, 0x48, 0x49, 0x44, 0x0c, 0x41, 0xd0, 0x05, 0x01, 0x08, 0x5f,
    0x55, 0x49, 0x44, 0x01, 0x08, 0x5f, 0x43, 0x52, 0x53, 0x11, 0x10, 0x0a, 0x0d, 0x47, 0x01, 0xf8, 0x03, 0xf8, 0x03, 0x00,
    0x08, 0x22, 0x10, 0x00, 0x79, 0x00, 0x5b, 0x82, 0x22, 0x52, 0x54, 0x43, 0x5f, 0x08, 0x5f, 0x48, 0x49, 0x44, 0x0c, 0x41,
    0xd0, 0x0b, 0x00, 0x08, 0x5f, 0x43, 0x52, 0x53, 0x11, 0x0d, 0x0a, 0x0a, 0x47, 0x01, 0x70, 0x00, 0x70, 0x00, 0x00, 0x02,
    0x79, 0x00,
  ]
}
