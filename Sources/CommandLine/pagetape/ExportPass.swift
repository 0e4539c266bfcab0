import Exports
import OutputFiles
import TraceEvents
import TraceFile
import TraceFormat

/// Writes an export as it goes, in pieces of a size that does not depend on the trace's.
struct ExportPass<Export: EventExport & ~Copyable>: ~Copyable, TracePass {
  private static var pieceSize: Int { 1 << 16 }

  private var export: Export
  private var output: OutputFile
  private var failure: OutputFileError?
  private var events: UInt64 = 0

  /// Nothing more can be written.
  var isDone: Bool { failure != nil }

  /// Reads the whole trace; says how many events there were, and how many bytes came of them.
  static func run(_ export: consuming Export, _ reader: TraceReader, to output: consuming OutputFile) throws -> (events: UInt64, bytes: UInt64) {
    var pass = ExportPass(export: export, output: output)
    pass.export.begin()
    reader.run(&pass)
    pass.export.finish()
    try pass.end()
    return (pass.events, pass.output.byteCount)
  }

  private init(export: consuming Export, output: consuming OutputFile) {
    self.export = export
    self.output = output
  }

  mutating func consume(_ batch: EventBatch) {
    batch.withCursor { cursor in
      while failure == nil, cursor.next() {
        export.take(cursor)
        events += 1
        if export.pendingCount >= Self.pieceSize { flush() }
      }
    }
  }

  mutating func noteHole(lostEvents: UInt64, firstSeq: UInt64, lastSeq: UInt64, damage: String?) {
    export.noteHole(lostEvents: lostEvents, firstSeq: firstSeq, lastSeq: lastSeq, damage: damage)
  }

  private mutating func flush() {
    do throws(OutputFileError) { try write() } catch { failure = error }
  }

  private mutating func write() throws(OutputFileError) {
    var failure: OutputFileError?
    export.flush { bytes in
      do throws(OutputFileError) { try output.write(bytes) } catch { failure = error }
    }
    if let failure { throw failure }
  }

  private mutating func end() throws(OutputFileError) {
    if let failure { throw failure }
    try write()
    try output.finish()
  }
}
