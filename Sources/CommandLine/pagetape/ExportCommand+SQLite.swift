import Analyzer
import Glibc
import OutputFiles
import SQLite
import Symbols
import TraceDatabase
import TraceFile

extension ExportCommand {
  /// SQLite writes in no order, so it is given the file beside the target, which then takes its name.
  func database(of reader: TraceReader, _ symbols: GuestSymbols?, to output: consuming OutputFile) throws -> (events: UInt64, bytes: UInt64) {
    let path = output.path
    guard let temporary = output.temporaryPath else { throw Failure("\(path): cannot write a database: not a regular file") }
    let verdict = Replay.verdict(of: reader)
    do throws(DatabaseError) {
      try TraceDatabase.write(reader, verdict, name: Traces.name(of: file), producer: Version.producer, symbols: symbols, to: temporary)
    } catch { throw Failure("\(path): cannot write: \(error.message)") }
    // SAFETY: the structure is ours, the string lives for the call.
    var status = stat()
    let bytes = unsafe stat(temporary, &status) == 0 ? UInt64(status.st_size) : 0
    try output.finish()
    return (verdict.events, bytes)
  }
}
