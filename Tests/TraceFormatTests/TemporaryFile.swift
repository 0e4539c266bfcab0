import Glibc
import TraceEvents
import TraceFile
import TraceFormat

/// A path in a directory of the test's own, removed with the object.
final class TemporaryFile {
  let path: String
  private let directory: String

  init(_ name: String = "trace.tape") {
    var template = Array("/tmp/pagetape-XXXXXX".utf8CString)
    // SAFETY: mkdtemp changes the template in place.
    directory = unsafe template.withUnsafeMutableBufferPointer { unsafe String(cString: mkdtemp($0.baseAddress!)) }
    path = directory + "/" + name
  }

  deinit {
    unsafe unlink(path)
    unsafe rmdir(directory)
  }

  var bytes: [UInt8] {
    get { fileBytes(path) }
    set {
      guard let file = unsafe fopen(path, "w") else { return }
      unsafe fwrite(newValue, 1, newValue.count, file)
      unsafe _ = fclose(file)
    }
  }
}

/// Writes events as they are, and finishes the file.
func write(_ events: [Event], _ header: TraceHeader, to path: String, blockSize: Int = 64) throws {
  var options = TraceWriter.Options()
  options.force = true
  options.eventsPerBlock = blockSize
  options.flushInterval = 0
  let writer = try TraceWriter(path: path, header: header, options: options)
  for event in events { writer.append(timed: event) }
  try writer.finish()
}

/// All events that can be read, in order.
func readAll(_ reader: TraceReader) -> [Event] {
  let batch = EventBatch()
  var events: [Event] = []
  reader.rewind()
  while reader.nextBatch(into: batch) { events += batch.events }
  return events
}

/// All bytes of a file; none where it cannot be read.
func fileBytes(_ path: String) -> [UInt8] {
  guard let file = unsafe fopen(path, "r") else { return [] }
  defer { unsafe _ = fclose(file) }
  var all: [UInt8] = []
  var chunk = [UInt8](repeating: 0, count: 1 << 16)
  while true {
    let count = unsafe fread(&chunk, 1, chunk.count, file)
    if count == 0 { return all }
    all += chunk[..<count]
  }
}
