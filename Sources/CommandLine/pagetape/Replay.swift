import Analyzer
import Races
import TraceFile
import TraceFormat

/// From a file to a verdict.
enum Replay {
  /// Reads the whole trace and judges it.
  static func verdict(of reader: TraceReader) -> Verdict {
    Verdict(of: reader, Analyzer.Subject(reader.header), isComplete: reader.isComplete)
  }
}

extension Analyzer.Subject {
  /// The machine that a header describes.
  init(_ header: TraceHeader) {
    self.init(
      vcpuCount: header.vcpuCount, memory: header.memory, region: header.region, attribution: header.attribution, writes: header.writes,
      isSerial: header.property(TraceHeader.Property.Name.schedule) == "serial")
  }
}
