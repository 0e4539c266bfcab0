import GuestImages
import Testing
import X86

@Suite struct BuiltinGuestTests {
  @Test func everyBuiltinFitsADefaultMachine() throws {
    #expect(BuiltinGuest.all.count >= 1)
    #expect(Set(BuiltinGuest.all.map(\.name)).count == BuiltinGuest.all.count)
    for guest in BuiltinGuest.all {
      try guest.image.check(vcpuCount: 64, ramBytes: BootMemory.defaultRAM)
      #expect(!guest.description.isEmpty)
      #expect(guest.image.segments[0].bytes.count > 16)
      #expect(guest.image.entry == BootMemory.imageBase)
    }
  }

  @Test func helloCarriesItsText() throws {
    let hello = try #require(BuiltinGuest(name: "hello"))
    let text = Array("hello from a guest\n".utf8)
    let bytes = hello.image.segments[0].bytes
    #expect(bytes.indices.contains { bytes[$0...].starts(with: text) })
    #expect(!hello.image.hasHandler)
    // mov $10, %eax: the default handler leaves.
    #expect(hello.image.region.starts(with: [0xb8, 10, 0, 0, 0]))
  }

  @Test func namesAreOfWhatAGuestHas() throws {
    for guest in BuiltinGuest.all {
      let image = guest.image.entry..<guest.image.entry + UInt64(guest.image.segments[0].bytes.count)
      let handler = 0x7000_0000..<0x7000_0000 + UInt64(guest.image.region.count)
      #expect(guest.names.contains { $0.address == image.lowerBound } && guest.names.contains { $0.address == handler.lowerBound }, "\(guest.name)")
      #expect(Set(guest.names.map(\.name)).count == guest.names.count, "\(guest.name)")
      for name in guest.names {
        let range = name.address..<name.address + name.size
        switch name.letter {
        case "T": #expect(!range.isEmpty && (image.clamped(to: range) == range || handler.clamped(to: range) == range), "\(guest.name): \(name.line)")
        default: #expect(range.upperBound <= guest.image.memoryEnd || range.lowerBound >= handler.upperBound, "\(guest.name): \(name.line)")
        }
      }
    }
    let hello = try #require(BuiltinGuest(name: "hello"))
    #expect(hello.names.map(\.line).contains("0000000000100027 0000000000000013 T hello_text"))
  }
}
