import Exports
import Foundation
import Testing
import TraceEvents
import TraceFile
import TraceFormat

/// The stored traces, and exports of them.
struct StoredTrace: CustomTestStringConvertible {
  static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("traces")

  /// Every one in which a header can be found.
  static let all = ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []).filter { $0.hasSuffix(".tape") }.sorted()
    .map { StoredTrace(name: String($0.dropLast(5))) }.filter { (try? $0.reader()) != nil }

  /// One of each sort, short ones.
  static let few = [
    "clean-hello", "clean-brief-4", "fault-stop-map-early", "fault-integrity-halt-in-mode", "damaged-flipped", "damaged-truncated", "format-1-clean-hello",
  ].map { StoredTrace(name: $0) }

  /// All of them, or in a debug build, which takes ten times as long, one of each sort.
  #if DEBUG
    static let many = few
  #else
    static let many = all
  #endif

  var name: String
  var testDescription: String { name }
  var path: String { Self.folder.appendingPathComponent(name + ".tape").path }

  func reader() throws -> TraceReader { try TraceReader(path: path) }

  func events() throws -> [Event] {
    let reader = try reader()
    var events: [Event] = []
    let batch = EventBatch()
    while reader.nextBatch(into: batch) { events += batch.events }
    return events
  }
}

/// What an export makes of a trace, or of events in memory.
enum Exported {
  static func bytes<Export: EventExport & ~Copyable>(_ export: consuming Export, _ trace: StoredTrace) throws -> [UInt8] {
    var pass = Pass(export: export)
    pass.export.begin()
    try trace.reader().run(&pass)
    pass.export.finish()
    pass.flush()
    return pass.bytes
  }

  static func bytes<Export: EventExport & ~Copyable>(_ export: consuming Export, _ events: [Event]) -> [UInt8] {
    var pass = Pass(export: export)
    pass.export.begin()
    for event in events { pass.export.take(event) }
    pass.export.finish()
    pass.flush()
    return pass.bytes
  }

  private struct Pass<Export: EventExport & ~Copyable>: ~Copyable, TracePass {
    var export: Export
    var bytes: [UInt8] = []
    var isDone: Bool { false }

    init(export: consuming Export) { self.export = export }

    mutating func consume(_ batch: EventBatch) {
      batch.withCursor { cursor in
        while cursor.next() { export.take(cursor) }
      }
      flush()
    }

    mutating func noteHole(lostEvents: UInt64, firstSeq: UInt64, lastSeq: UInt64, damage: String?) {
      export.noteHole(lostEvents: lostEvents, firstSeq: firstSeq, lastSeq: lastSeq, damage: damage)
    }

    mutating func flush() {
      // SAFETY: the bytes are copied at once.
      export.flush { span in unsafe span.withUnsafeBytes { unsafe bytes.append(contentsOf: $0) } }
    }
  }
}
