public import TraceFormat

extension Analyzer.Subject {
  /// The machine that a header describes.
  public init(_ header: TraceHeader) {
    self.init(
      vcpuCount: header.vcpuCount, memory: header.memory, region: header.region, attribution: header.attribution, writes: header.writes,
      isSerial: header.property(TraceHeader.Property.Name.schedule) == "serial")
  }
}
