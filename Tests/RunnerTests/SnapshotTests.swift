import GuestImages
import KVM
import Runner
import SavedMachines
import Synchronization
import TestSeeds
import Testing
import TraceEvents
import TraceFormat

/// What a recording goes on from is a file that anybody may have written.
@Suite(.serialized) struct SnapshotTests {
  /// A guest's state once it has said "x", and where it goes on.
  private static func taken() throws -> (state: SavedMachine, rip: UInt64) {
    var code = GuestCode()
    code.say("x")
    let rip = code.here
    code.say("y")
    code.reset()
    let taken = Mutex<SavedMachine?>(nil)
    _ = try PCTests.run(code) { $0.snapshot = SnapshotRequest(at: .console("x")) { state in taken.withLock { $0 = state } } }
    return (try #require(taken.withLock { $0 }), rip)
  }

  /// Goes on from it until it ends or `stop` says so.
  private static func goOn(
    from state: SavedMachine, seam: KVMSeam = .direct, stop: RecordingStop? = nil
  ) throws(RecordingError) -> RecordingSummary {
    var options = RecordingOptions(image: GuestImage(state), vcpuCount: state.vcpus.count, output: "")
    options.memorySize = state.ramBytes
    options.mode = .discard
    options.writes = .pages
    options.seam = seam
    options.pc = PCOptions(console: Screen().console())
    options.pc?.start = state
    return try Recording.run(options, stop: stop)
  }

  private static func refusal(_ state: SavedMachine, seam: KVMSeam = .direct) -> String? {
    do throws(RecordingError) {
      _ = try goOn(from: state, seam: seam)
      return nil
    } catch {
      guard case .snapshot(let problem) = error else { return "told otherwise: \(error)" }
      return problem
    }
  }

  @Test(.needsKVM) func theTraceSaysWhereItGoesOn() throws {
    let (state, rip) = try Self.taken()
    #expect(state.name == "test", "\(state.name)")
    var pc = PCOptions(console: Screen().console())
    pc.start = state
    let recorded = try Recorded(GuestImage(state), pc: pc)
    #expect(recorded.of(.vcpuStart).map(\.rip) == [rip])
    #expect(recorded.of(.guestEnter).first?.rip == rip)
    #expect(recorded.header.property("start")?.hasPrefix("snapshot") == true)
  }

  @Test(.needsKVM) func whatIsOfAnotherMachineIsRefused() throws {
    let (whole, _) = try Self.taken()
    let emulates = whole.isEmulated
    let wrong: [(String, (inout SavedMachine) -> Void)] = [
      (emulates ? "taken on a host with hardware for guests" : "taken on a host that emulates", { $0.isEmulated.toggle() }),
      ("vCPU 0: 8 parts; expected 9", { $0.vcpus[0].removeLast() }),
      ("vCPU 0: 10 parts; expected 9", { $0.vcpus[0].append([]) }),
      ("vCPU 0: 7 parts; expected 8", { $0.vcpus[0].removeLast(2) }),
      ("vCPU 0: general registers of 143 bytes; expected 144", { $0.vcpus[0][0].removeLast() }),
      ("vCPU 0: system registers of 313 bytes; expected 312", { $0.vcpus[0][1].append(0) }),
      ("vCPU 0: extended state of 0 bytes; expected 4096", { $0.vcpus[0][3] = [] }),
      ("vCPU 0: model-specific registers of 15 bytes", { $0.vcpus[0][8] = Array($0.vcpus[0][8].prefix(15)) }),
      ("vCPU 0: model-specific registers of 16384 bytes", { $0.vcpus[0][8] = [UInt8](repeating: 0, count: 16384) }),
      ("interrupt controllers: 0 parts", { $0.interrupts = [] }),
      ("interrupt controllers: interrupt controller 1 of 519 bytes; expected 520", { $0.interrupts[1].removeLast() }),
      ("interrupt controllers: controllers out of order; expected number 0", { $0.interrupts.swapAt(0, 2) }),
      ("devices of 0 bytes", { $0.devices = [] }),
      ("devices of 100 bytes", { $0.devices = Array($0.devices.prefix(100)) }),
    ]
    for (message, change) in wrong {
      var state = whole
      change(&state)
      let problem = Self.refusal(state)
      #expect(problem?.hasPrefix(message) == true, "\(message): \(problem ?? "taken")")
    }
  }

  /// Where KVM sets the time stamp counter it goes on; where it is the host's, that is told.
  @Test(.needsKVM) func aClockThatDoesNotGoOnIsTold() throws {
    let (whole, _) = try Self.taken()
    let khz = Int64(try HostSupport.tscKilohertz())
    for seconds in [1000, -1000] as [Int64] {
      var state = whole
      let registers = state.vcpus[0][8]
      let at = try #require(stride(from: 0, to: registers.count, by: 16).first { registers[$0] == 0x10 && registers[$0 + 1..<$0 + 4].allSatisfy { $0 == 0 } })
      let counter = (0..<8).reduce(0 as UInt64) { $0 | UInt64(registers[at + 8 + $1]) << UInt64(8 * $1) }
      // Taken so long ago, or before the host was started.
      let other = counter &- UInt64(bitPattern: seconds * khz * 1000)
      for byte in 0..<8 { state.vcpus[0][8][at + 8 + byte] = UInt8(truncatingIfNeeded: other >> UInt64(8 * byte)) }
      let lead = try Self.goOn(from: state).clockLead
      #expect((seconds > 0 ? lead >= seconds * 1_000_000_000 : lead < -1_000_000_000) == state.isEmulated, "\(lead)")
      guard state.isEmulated else { continue }
      var pc = PCOptions(console: Screen().console())
      pc.start = state
      #expect(try Recorded(GuestImage(state), pc: pc).header.property("start")?.hasSuffix(seconds > 0 ? " s ahead" : " s behind") == true)
    }
  }

  /// What only KVM knows to be wrong is the snapshot's fault, too, and is found out before anything runs.
  @Test(.needsKVM) func whatKVMRefusesIsTheSnapshotsFault() throws {
    let (whole, _) = try Self.taken()
    for call in [KVMCall.setSystemRegisters, .setXSave, .setXCRs, .setLocalAPIC, .setMSRs, .setDebugRegisters, .setEvents, .setMPState, .setIRQChip] {
      let probe = KVMProbe(failAt: 0, failing: call, errno: 22)
      let problem = Self.refusal(whole, seam: KVMSeam(probe: probe))
      #expect(problem?.hasPrefix("KVM does not take it: \(call.rawValue)") == true, "\(call): \(problem ?? "taken")")
      #expect(probe.outstanding == 0, "\(call)")
    }
    var state = whole
    // CR0: paging without protection.
    for (at, byte) in zip(224..<232, [0, 0, 0, 0x80, 0, 0, 0, 0] as [UInt8]) { state.vcpus[0][1][at] = byte }
    #expect(Self.refusal(state) == "KVM does not take it: KVM_SET_SREGS: Invalid argument")
  }

  /// Bytes of the vCPU's and the controllers' parts are changed at random: it is refused as such, or goes on somewhere, and can be stopped.
  @Test(.needsKVM) func noChangedPartDoesMoreThanFail() throws {
    let (whole, _) = try Self.taken()
    for round in 0..<60 {
      var random = Seed(of: Seed.run, salt: UInt64(round))
      var state = whole
      for _ in 0...random.below(4) {
        let part = random.below(state.vcpus[0].count + state.interrupts.count)
        if part < state.vcpus[0].count {
          state.vcpus[0][part][random.below(state.vcpus[0][part].count)] ^= 1 << UInt8(random.below(8))
        } else {
          let chip = part - state.vcpus[0].count
          state.interrupts[chip][random.below(state.interrupts[chip].count)] ^= 1 << UInt8(random.below(8))
        }
      }
      let stop = try RecordingStop()
      stop.stop()
      do throws(RecordingError) { _ = try Self.goOn(from: state, stop: stop) } catch {
        guard case .snapshot = error else {
          Issue.record("round \(round): \(error)")
          continue
        }
      }
    }
  }
}
