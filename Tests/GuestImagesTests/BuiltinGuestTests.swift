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
}
