import OutputFiles
import TraceFile

/// A trace that is made, not recorded: it is there when it is whole, and nothing is left of one that came to nothing. A recording is written where it belongs
/// from its first event on, since what it holds by the time of a crash cannot be had again.
enum WholeTrace {
  /// `write` makes the file that it is told; an error of it names the one that the user did.
  static func write<Written>(_ path: String, overwrites: Bool, by write: (_ path: String) throws -> Written) throws -> Written {
    var file = try OutputFile(path, overwrites: overwrites)
    let written: Written
    do { written = try write(file.temporaryPath ?? path) } catch let error as TraceFileError {
      throw Traces.failure(file.temporaryPath == nil ? error : error.of(path))
    }
    try file.finish()
    return written
  }
}
