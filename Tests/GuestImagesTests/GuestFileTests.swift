import Glibc
import GuestImages
import Testing
import X86

@Suite struct GuestFileTests {
  /// Writes a file into the temporary directory for as long as `body` runs.
  private func withFile(_ bytes: [UInt8], _ body: (String) throws -> Void) throws {
    let path = "/tmp/pagetape-guest-\(getpid())-\(UInt64.random(in: 0 ... .max)).bin"
    guard let file = unsafe fopen(path, "w") else { throw GuestTestError() }
    unsafe fwrite(bytes, 1, bytes.count, file)
    unsafe fclose(file)
    defer { unsafe unlink(path) }
    try body(path)
  }

  @Test func aFlatBinaryStartsAtItsFirstByte() throws {
    try withFile([0xf4, 0xeb, 0xfd]) { path in
      let image = try GuestImage(nameOrPath: path)
      #expect(image.segments == [GuestImage.Segment(gpa: 0x10_0000, bytes: [0xf4, 0xeb, 0xfd])])
      #expect(image.entry == 0x10_0000)
      #expect(image.name == path)
      // sha256sum of these three bytes.
      #expect(image.digest == "af6f85f9739bc6c1d4e36531b0e13906511f0b1f4c234f391524a69c054e1222")
    }
  }

  @Test func filesThatCannotBeReadSayWhy() throws {
    func code(_ path: String) -> GuestImageError? {
      #expect(throws: GuestImageError.self) { try GuestImage(nameOrPath: path) }
    }
    let missing = code("/nonexistent/guest.elf")
    #expect(missing?.code == .unreadable)
    #expect(missing?.description == "/nonexistent/guest.elf: No such file or directory")
    #expect(code("/tmp")?.code == .unreadable)
    #expect(code("/dev/null")?.code == .unreadable)
    try withFile([]) { #expect(code($0)?.code == .empty) }
    try withFile([0x7f, 0x45, 0x4c, 0x46]) { #expect(code($0)?.code == .truncated) }
  }

  @Test func aWrongNameFindsItsNeighbours() {
    func message(_ name: String) -> String? {
      #expect(throws: GuestImageError.self) { try GuestImage(nameOrPath: name) }?.description
    }
    #expect(message("integrty") == "no guest named 'integrty': did you mean integrity?")
    #expect(message("stop")?.hasSuffix("did you mean stop-storm?") == true)
    #expect(message("zzzzzzzzzzzz")?.contains("hello") == true)
  }

  @Test func anImageMustFitItsMachine() throws {
    let image = try GuestImage(name: "big", fileBytes: [UInt8](repeating: 1, count: 0x30_0000))
    try image.check(vcpuCount: 1, ramBytes: 0x40_4000)
    func refuses(_ vcpus: Int, _ ram: UInt64) -> GuestImageError.Code? {
      #expect(throws: GuestImageError.self) { try image.check(vcpuCount: vcpus, ramBytes: ram) }?.code
    }
    #expect(refuses(2, 0x40_4000) == .outOfMemory, "the second stack overlaps")
    #expect(refuses(1, 0x40_4001) == .outOfMemory, "not whole pages")
    #expect(refuses(1, 0x10_0000) == .outOfMemory, "less than the least")
    #expect(refuses(1, 0x7000_1000) == .outOfMemory, "up to the region")
    #expect(refuses(0, 0x100_0000) == .outOfMemory, "no vCPU")
    #expect(refuses(65, 0x100_0000) == .outOfMemory, "too many vCPUs")
  }
}

private struct GuestTestError: Error {}
