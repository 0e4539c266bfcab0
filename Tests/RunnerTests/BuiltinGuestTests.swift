import GuestImages
import Glibc
import Runner
import Testing
import TraceEvents
import TraceFile
import TraceFormat

/// The built-in guests under the real hypervisor core.
@Suite(.serialized) struct BuiltinGuestTests {
  @Test(.needsKVM, arguments: BuiltinGuest.all.map(\.name), [1, 4])
  func builtinGuestsRunToTheirEnd(name: String, vcpus: Int) throws {
    let recorded = try Recorded(image: try GuestImage(nameOrPath: name), vcpus: vcpus)
    #expect(recorded.summary.endReason == .guestFinished, "\(recorded.summary.detail)")
    #expect(recorded.summary.detail == "exit code 0")
    #expect(recorded.isComplete)
    expectWellFormed(recorded)
    // What was seen before a trapped write and after it is what the trace told of that page until then.
    expectMemoryAgrees(recorded)
  }

  @Test(.needsKVM) func eightVCPUsAskForThePrivilegedModeAtOnce() throws {
    let recorded = try Recorded(image: try GuestImage(nameOrPath: "stop-storm"), vcpus: 8)
    #expect(recorded.summary.endReason == .guestFinished, "\(recorded.summary.detail)")
    let entries = recorded.of(.modeEnter)
    #expect(Set(entries.map(\.vcpu)).count == 8)
    #expect(entries.contains { $0.a == EntryPath.next.rawValue })
    // Whoever was stopped or interrupted comes back with the registers that it had.
    var digests: [UInt16: UInt64] = [:]
    for event in recorded.events {
      switch event.kind {
      case .stopAck, .modeEnter: digests[event.vcpu] = event.c
      case .resumeTake, .modeReturn: #expect(digests[event.vcpu] == nil || digests[event.vcpu] == event.c, "event \(event.seq)")
      default: break
      }
    }
    expectWellFormed(recorded)
  }

  @Test(.needsKVM) func aFaultIsNamedInTheHeader() throws {
    let recorded = try Recorded(image: try GuestImage(nameOrPath: "stop-storm"), vcpus: 2, faults: ["stop/late-unmap"])
    #expect(recorded.header.property("fault") == "stop/late-unmap")
    var options = RecordingOptions(image: try GuestImage(nameOrPath: "hello"), vcpuCount: 1, output: "")
    options.faults = ["stop/nonsense"]
    #expect { try Recording.run(options) } throws: { "\($0)".contains("stop/nonsense") }
  }

  @Test(.needsKVM) func theSizeCapEndsTheSession() throws {
    let path = temporaryPath()
    defer { _ = unsafe unlink(path) }
    var options = RecordingOptions(image: try GuestImage(nameOrPath: "writer"), vcpuCount: 2, output: path)
    options.maximumSize = 20_000
    let summary = try Recording.run(options)
    #expect(summary.endReason == .sizeCap)
    #expect(summary.bytes <= 20_000)
    let reader = try TraceReader(path: path)
    #expect(reader.size == summary.bytes && reader.eventCount == summary.events)
    #expect(reader.isComplete)
  }

  @Test(.needsKVM) func aFullDiskEndsTheSession() throws {
    let path = temporaryPath()
    defer { _ = unsafe unlink(path) }
    var options = RecordingOptions(image: try GuestImage(nameOrPath: "writer"), vcpuCount: 2, output: path)
    options.outputSeam.willTake = { offset, count in offset + UInt64(count) > 20_000 ? ENOSPC : 0 }
    let summary = try Recording.run(options)
    #expect(summary.endReason == .diskFull)
    #expect(summary.detail.contains("No space left on device"))
    let reader = try TraceReader(path: path)
    #expect(reader.size == summary.bytes && reader.eventCount == summary.events)
    #expect(reader.isComplete)
  }

  @Test(.needsKVM) func aFileThatIsThereIsKept() throws {
    let path = temporaryPath()
    defer { _ = unsafe unlink(path) }
    let options = RecordingOptions(image: try GuestImage(nameOrPath: "hello"), vcpuCount: 1, output: path)
    _ = try Recording.run(options)
    #expect { try Recording.run(options) } throws: { error in
      if case RecordingError.file(let error) = error { error.code == .exists } else { false }
    }
  }
}

/// Every trapped write saw in memory what the trace had told of: nothing was written that no event tells.
func expectMemoryAgrees(_ recorded: Recorded, sourceLocation: SourceLocation = #_sourceLocation) {
  var known: [UInt64: UInt8] = [:]
  var mismatch: UInt64?
  for event in recorded.events {
    switch event.kind {
    case .pageWrite:
      for run in PageDiff(event.data)?.runs ?? [] {
        for (index, byte) in run.bytes.enumerated() { known[event.gpa + UInt64(run.offset + index)] = byte }
      }
    case .pageContents:
      for (index, byte) in event.data.enumerated() {
        if let expected = known[event.gpa + UInt64(index)], expected != byte { mismatch = mismatch ?? event.seq }
        known[event.gpa + UInt64(index)] = byte
      }
    case .writeResult:
      let half = event.data.count / 2
      for index in 0..<half {
        if let expected = known[event.gpa + UInt64(index)], expected != event.data[index] { mismatch = mismatch ?? event.seq }
        known[event.gpa + UInt64(index)] = event.data[half + index]
      }
    default: break
    }
  }
  #expect(mismatch == nil, sourceLocation: sourceLocation)
}
