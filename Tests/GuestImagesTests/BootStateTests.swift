import Testing
import X86

@Suite struct BootStateTests {
  @Test func tablesMapFourGigabytesOntoThemselves() {
    let tables = BootMemory.pageTableBytes
    func entry(_ table: UInt64, _ index: UInt64) -> UInt64 {
      let at = Int(table - BootMemory.pageTables + index * 8)
      return (0..<8).reduce(0) { $0 | UInt64(tables[at + $1]) << UInt64(8 * $1) }
    }
    for address in [0, 0x10_0000, 0x3fff_ffff, 0x4000_0000, 0x7000_0000, 0xffff_ffff] as [UInt64] {
      let top = entry(BootMemory.pageTables, address >> 39)
      #expect(top & 0xfff == 0x23)
      let middle = entry(top & ~0xfff, address >> 30 & 511)
      #expect(middle & 0xfff == 0x23)
      let page = entry(middle & ~0xfff, address >> 21 & 511)
      #expect(page & 0xfff == 0xe3, "present, writable, accessed, dirty, large")
      #expect(page & ~0xfff | address & 0x1f_ffff == address)
    }
    #expect(entry(BootMemory.pageTables, 1) == 0)
    #expect(entry(BootMemory.pageTables + 4096, 4) == 0)
    #expect(tables.count == 6 * 4096)
  }

  @Test func contentsLieBelowTheImageAndApart() {
    var floor: UInt64 = 0x1000
    for (gpa, bytes) in BootMemory.contents {
      #expect(gpa >= floor)
      floor = gpa + UInt64(bytes.count)
    }
    #expect(floor <= BootMemory.tablesEnd)
  }

  @Test func registersAreThoseOfTheABI() {
    let state = BootState(vcpu: 3, vcpuCount: 4, entry: 0x10_0000, argument: 0x55, ramBytes: 0x100_0000)
    #expect(state.general[.rdi] == 3)
    #expect(state.general[.rsi] == 4)
    #expect(state.general[.rdx] == 0x55)
    #expect(state.general[.rsp] == 0x100_0000 - 3 * 0x4000)
    #expect(state.rip == 0x10_0000)
    #expect(state.rflags & 0x200 == 0, "interrupts off")
    #expect(state.code.selector == 0x08)
    #expect(state.data.selector == 0x10)
    #expect(state.efer & 0x500 == 0x500)
    #expect(state.gdt.limit == 23)
  }

  @Test func stacksOfAllVCPUsAreApart() {
    let ram = BootMemory.minimumRAM
    let tops = (0..<64).map { BootMemory.stackTop(vcpu: $0, ramBytes: ram) }
    #expect(tops[0] == ram)
    #expect(zip(tops, tops.dropFirst()).allSatisfy { $0 - $1 == BootMemory.stackSize })
    #expect(BootMemory.reserved(vcpuCount: 64, ramBytes: ram)[1] == (tops[63] - BootMemory.stackSize)..<ram)
  }
}
