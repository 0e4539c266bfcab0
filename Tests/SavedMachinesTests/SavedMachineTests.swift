import SavedMachines
import TestSeeds
import Testing

@Suite struct SavedMachineTests {
  private static let state = SavedMachine(
    name: "linux", digest: String(repeating: "0a", count: 32), isEmulated: true, ramBytes: 4 << 20,
    memory: [.init(gpa: 0, bytes: page(1)), .init(gpa: 0x1000, bytes: page(7) + page(8)), .init(gpa: 0x3f_f000, bytes: page(9))],
    vcpus: [[[1], [], [2, 3]], [[4]]], interrupts: [[5, 6], [7]], devices: [8, 8, 8])

  private static func page(_ byte: UInt8) -> [UInt8] { [UInt8](repeating: byte, count: 4096) }

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
    state.memory[2].gpa = 4 << 20
    #expect(throws: SavedMachineError.self) { try SavedMachine(fileBytes: state.fileBytes()) }
    state = Self.state
    state.memory[1].gpa = 0
    #expect(throws: SavedMachineError.self) { try SavedMachine(fileBytes: state.fileBytes()) }
    state = Self.state
    state.ramBytes = 1 << 40
    #expect(throws: SavedMachineError.self) { try SavedMachine(fileBytes: state.fileBytes()) }
  }

  @Test func whatCannotBeIsRefused() {
    let wrong: [(String, (inout SavedMachine) -> Void)] = [
      ("a guest's name of 0 bytes", { $0.name = "" }),
      ("a guest's name of 5000 bytes", { $0.name = String(repeating: "n", count: 5000) }),
      ("a guest's name of 3 bytes", { $0.name = "a\u{1b}b" }),
      ("a digest of 2 bytes", { $0.digest = "ab" }),
      ("a digest of 64 bytes", { $0.digest = String(repeating: "x", count: 64) }),
      ("guest memory of 0 bytes", { $0.ramBytes = 0 }),
      ("guest memory of 4194305 bytes", { $0.ramBytes += 1 }),
      ("0 vCPUs", { $0.vcpus = [] }),
      ("65 vCPUs", { $0.vcpus = Array(repeating: [], count: 65) }),
      ("65 parts", { $0.vcpus[0] = Array(repeating: [], count: 65) }),
      ("65 parts", { $0.interrupts = Array(repeating: [], count: 65) }),
      ("0 bytes of memory at 0", { $0.memory[0].bytes = [] }),
      ("4095 bytes of memory at 0", { $0.memory[0].bytes.removeLast() }),
      ("memory at 8192 is out of order", { $0.memory.swapAt(1, 2); $0.memory.swapAt(0, 1); $0.memory[1].gpa = 0x2000; $0.memory[0].gpa = 0x2000 }),
    ]
    for (message, change) in wrong {
      var state = Self.state
      change(&state)
      let error = #expect(throws: SavedMachineError.self) { try SavedMachine(fileBytes: state.fileBytes()) }
      #expect(error?.description.contains(message) == true, "\(message): \(error?.description ?? "")")
    }
  }

  @Test func nothingFollowsTheFrameOrTheBody() {
    var file = Self.state.fileBytes()
    file += [0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0]  // a frame that zstd skips
    let error = #expect(throws: SavedMachineError.self) { try SavedMachine(fileBytes: file) }
    #expect(error?.description.contains("8 bytes follow") == true)
    #expect(throws: SavedMachineError.damaged("more is there than it says")) {
      try SavedMachine(fileBytes: SavedMachine.fileBytes(body: Self.state.body() + [0]))
    }
  }

  /// Well packed, with a right checksum, and wrong inside: refused in words, or read as what it says now.
  @Test func whateverTheBodyHoldsIsReadOrRefused() {
    let seed = Seed.base(.random(in: 1..<1 << 32))
    var random = Seed(seed)
    // Where numbers and counts are, up to the first page.
    let body = Self.state.body(), front = body.count - 4 * 4096 - 2 * 16
    for count in Array(0..<front) + [body.count - 1] {
      #expect(throws: SavedMachineError.self, "cut to \(count)") { try SavedMachine(fileBytes: SavedMachine.fileBytes(body: Array(body[..<count]))) }
    }
    for round in 0..<2000 {
      var changed = body
      for _ in 0...random.below(3) {
        let at = random.below(front)
        switch random.below(3) {
        case 0: changed[at] ^= 1 << UInt8(random.below(8))
        case 1: changed[at] = UInt8(random.below(256))
        default: for next in at..<min(at + 8, front) { changed[next] = [0, 0xff, 0x7f][random.below(3)] }
        }
      }
      do throws(SavedMachineError) {
        let read = try SavedMachine(fileBytes: SavedMachine.fileBytes(body: changed))
        #expect(read.body() == changed, "PAGETAPE_SEED=\(seed), round \(round)")
      } catch {
        #expect(error.description.hasPrefix("the saved machine is damaged: "), "PAGETAPE_SEED=\(seed), round \(round): \(error)")
      }
    }
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
