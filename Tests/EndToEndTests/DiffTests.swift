import Foundation
import Testing
import TraceEvents
import TraceFile
import TraceFormat

/// `diff`: where two traces part.
struct DiffTests {
  private static let path = TimeTravelTests.traces + "format-1-clean-integrity-4.tape"

  private func write(_ events: [Event], _ header: TraceHeader, to path: String) throws {
    var options = TraceWriter.Options()
    options.eventsPerBlock = 777
    options.flushInterval = 0
    let writer = try TraceWriter(path: path, header: header, options: options)
    for event in events { writer.append(timed: event) }
    try writer.finish()
  }

  @Test func aTraceIsTheSameAsItself() throws {
    for name in ["format-1-clean-integrity-4", "clean-hello", "format-1-clean-stop-storm"] {
      let path = TimeTravelTests.traces + name + ".tape"
      let result = try Tool.run("diff", path, path)
      #expect(result.status == 0 && result.output.hasPrefix("same"))
    }
    // Of either format version.
    let folder = try Folder()
    let old = TimeTravelTests.traces + "format-1-clean-stop-storm.tape"
    let reader = try TraceReader(path: old)
    var header = reader.header
    #expect(header.major == 1)
    header.major = TraceHeader.currentMajor
    try write(EventsOfATrace.all(reader), header, to: folder.file("new.tape").path)
    #expect(try Tool.run("diff", old, folder.file("new.tape").path).status == 0)
  }

  @Test func oneEventThatDiffersIsShownWithWhatCameBefore() throws {
    let folder = try Folder()
    let copy = folder.file("copy.tape").path
    let reader = try TraceReader(path: Self.path)
    var events = EventsOfATrace.all(reader)
    let index = try #require(events.indices.filter { events[$0].kind == .guestExit }.dropFirst(500).first)
    events[index].a = GuestExitReason.other.rawValue
    // Times do not count, blocks neither.
    for index in events.indices { events[index].time += 1000 }
    try write(events, reader.header, to: copy)
    let result = try Tool.run("diff", Self.path, copy, "--format", "json")
    #expect(result.status == 1)
    let json = try #require(try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
    #expect(json["verdict"] as? String == "differ" && json["first"] as? Int == Int(events[index].vcpu))
    let lanes = try #require(json["lanes"] as? [[String: Any]])
    let differing = lanes.filter { $0["outcome"] as? String == "diverges" }
    #expect(differing.count == 1 && lanes.count == 5)
    #expect((differing.first?["a"] as? [String: Any])?["seq"] as? Int == index + 1)
    #expect((differing.first?["b"] as? [String: Any])?["seq"] as? Int == index + 1)
    #expect((differing.first?["before"] as? [Any])?.count == 3)
    let text = try Tool.run("diff", Self.path, copy)
    #expect(text.status == 1 && text.output.contains(" other\n"))
    // The kind passed over, they are the same.
    #expect(try Tool.run("diff", Self.path, copy, "--ignore", "guest-exit", "--ignore", "cause").status == 0)
  }

  @Test func damageLeavesItOpenAndBadUseIsSaid() throws {
    let clean = TimeTravelTests.traces + "format-1-clean-tree-churn-2.tape"
    let damaged = try Tool.run("diff", clean, TimeTravelTests.traces + "format-1-damaged-flipped.tape")
    #expect(damaged.status == 3 && damaged.output.contains("from [10781] on"))
    let truncated = TimeTravelTests.traces + "format-1-damaged-truncated.tape"
    #expect(try Tool.run("diff", truncated, TimeTravelTests.traces + "format-1-clean-stop-storm.tape").status == 3)
    #expect(try Tool.run("diff", clean, "/nonexistent").status == 2)
    #expect(try Tool.run("diff", clean, clean, "--ignore", "page-writ").error.contains("did you mean \"page-write\""))
    #expect(try Tool.run("diff", clean, clean, "--ignore", "nothing").status == 2)
    #expect(try Tool.run("diff", clean, Self.path).status == 1)
  }

  @Test(.enabled(if: KVMAccess.isThere, KVMAccess.comment))
  func serialRecordingsAgreeByTheirSeed() throws {
    let folder = try Folder()
    func record(_ name: String, seed: Int) throws -> String {
      let path = folder.file(name).path
      let result = try Tool.run("record", "--guest", "brief", "--vcpus", "3", "--schedule", "serial", "--seed", "\(seed)", "-o", path)
      #expect(result.status == 0, "\(result.error)")
      return path
    }
    let (first, again, other) = (try record("1", seed: 1), try record("1b", seed: 1), try record("2", seed: 2))
    #expect(try Tool.run("diff", first, again).status == 0)
    let result = try Tool.run("diff", first, other)
    #expect(result.status == 1 && result.output.contains("header  seed: 1 / 2"))
  }
}
