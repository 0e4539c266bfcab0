import SavedMachines
import TestSeeds
import Testing

@Suite struct SavedMachineTests {
  private static let state = SavedMachine(
    name: "linux", digest: "ab", isEmulated: true, ramBytes: 1 << 20,
    memory: [.init(gpa: 0, bytes: [1, 2, 3]), .init(gpa: 0x1000, bytes: [UInt8](repeating: 7, count: 5000)), .init(gpa: 0xff000, bytes: [9])],
    vcpus: [[[1], [], [2, 3]], [[4]]], interrupts: [[5, 6], [7]], devices: [8, 8, 8])

  @Test func comesBackAsItWas() throws {
    let bytes = Self.state.fileBytes()
    #expect(bytes.count < 1000, "what repeats is packed")
    #expect(try SavedMachine(fileBytes: bytes) == Self.state)
  }

  @Test func otherFilesAreRefused() {
    #expect(throws: SavedMachineError.notAMachine) { try SavedMachine(fileBytes: []) }
    #expect(throws: SavedMachineError.notAMachine) { try SavedMachine(fileBytes: [UInt8](repeating: 0, count: 100)) }
    var newer = Self.state.fileBytes()
    newer[7] = 3
    #expect(throws: SavedMachineError.version(3)) { try SavedMachine(fileBytes: newer) }
  }

  @Test func memoryMustLieInsideTheMachine() {
    var state = Self.state
    state.memory[2].gpa = 1 << 20
    #expect(throws: SavedMachineError.self) { try SavedMachine(fileBytes: state.fileBytes()) }
    state = Self.state
    state.memory[1].gpa = 2
    #expect(throws: SavedMachineError.self) { try SavedMachine(fileBytes: state.fileBytes()) }
    state = Self.state
    state.ramBytes = 1 << 40
    #expect(throws: SavedMachineError.self) { try SavedMachine(fileBytes: state.fileBytes()) }
  }

  @Test func everyCutAndEveryChangedByteIsFound() {
    let bytes = Self.state.fileBytes()
    for count in 0..<bytes.count { #expect(throws: SavedMachineError.self) { try SavedMachine(fileBytes: Array(bytes[..<count])) } }
    var seed = Seed(Seed.base(1))
    for at in bytes.indices {
      var changed = bytes
      changed[at] ^= 1 << UInt8(seed.below(8))
      let read = try? SavedMachine(fileBytes: changed)
      #expect(read == nil || read == Self.state, "byte \(at)")
    }
  }
}
