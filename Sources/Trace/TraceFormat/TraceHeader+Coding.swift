import TraceEvents

extension TraceHeader {
  static let magic: UInt32 = 0x4448_5450  // "PTHD"
  /// Required features that this version understands: none are defined.
  static let knownFeatures: UInt64 = 0

  /// The header block before compression.
  public var encoded: [UInt8] {
    var out: [UInt8] = []
    out.append(integer: Self.magic)
    out.append(integer: major)
    out.append(integer: minor)
    out.append(integer: requiredFeatures)
    out.append(integer: optionalFeatures)
    out.append(integer: startTime)
    out.append(integer: clockFrequency)
    out.append(integer: region.start)
    out.append(integer: region.length)
    out.append(integer: UInt32(vcpuCount))
    out.append(integer: UInt32(attribution.rawValue))
    out.append(integer: UInt32(memory.count))
    for range in memory {
      out.append(integer: range.start)
      out.append(integer: range.length)
    }
    out.append(integer: UInt32(kinds.count))
    for kind in kinds {
      out.append(kind.number)
      out.append(kind.columns.rawValue)
      out.append(text: kind.name)
    }
    out.append(integer: UInt32(properties.count))
    for property in properties {
      out.append(text: property.name)
      out.append(text: property.value)
    }
    return out
  }

  /// Decodes a header block. Bytes that follow the properties belong to newer minor versions and are ignored.
  public init(decoding bytes: [UInt8]) throws(TraceFormatError) {
    var reader = ByteReader(bytes)
    try reader.expect(magic: Self.magic)
    let version = (major: try reader.integer(UInt16.self), minor: try reader.integer(UInt16.self))
    guard (Self.oldestMajor...Self.currentMajor).contains(version.major) else {
      throw TraceFormatError(.unsupported, at: 4, expected: "major version \(Self.oldestMajor) to \(Self.currentMajor), not \(version.major)")
    }
    let required = try reader.integer(UInt64.self)
    guard required & ~Self.knownFeatures == 0 else {
      throw TraceFormatError(.unsupported, at: 8, expected: "no required features but known ones; bits 0x\(String(required, radix: 16)) are set")
    }
    let optional = try reader.integer(UInt64.self)
    let start = try reader.integer(UInt64.self)
    let frequency = try reader.integer(UInt64.self)
    let region = GuestRange(start: try reader.integer(), length: try reader.integer())
    let at = reader.offset
    let vcpus = try reader.integer(UInt32.self)
    guard vcpus >= 1, vcpus <= TraceLimits.vcpus else { throw TraceFormatError(.outOfRange, at: at, expected: "1 to \(TraceLimits.vcpus) vCPUs") }
    guard let raw = UInt8(exactly: try reader.integer(UInt32.self)), let attribution = WriteAttribution(rawValue: raw) else {
      throw TraceFormatError(.outOfRange, at: at + 4, expected: "a known attribution of writes")
    }
    self.init(vcpuCount: Int(vcpus), region: region, attribution: attribution, startTime: start)
    (major, minor, requiredFeatures, optionalFeatures, clockFrequency) = (version.major, version.minor, required, optional, frequency)
    for _ in 0..<(try reader.count(limit: TraceLimits.memoryRanges, each: 16, of: "memory ranges")) {
      memory.append(GuestRange(start: try reader.integer(), length: try reader.integer()))
    }
    kinds = try Self.kinds(&reader)
    for _ in 0..<(try reader.count(limit: TraceLimits.properties, each: 8, of: "properties")) {
      properties.append(Property(try reader.text(), try reader.text()))
    }
  }

  private static func kinds(_ reader: inout ByteReader) throws(TraceFormatError) -> [Kind] {
    var kinds: [Kind] = []
    var last = -1
    for _ in 0..<(try reader.count(limit: 256, each: 6, of: "kinds")) {
      let at = reader.offset
      let number = try reader.integer(UInt8.self)
      guard Int(number) > last else { throw TraceFormatError(.inconsistent, at: at, expected: "kinds by ascending number") }
      last = Int(number)
      kinds.append(Kind(number: number, name: "", columns: Columns(rawValue: try reader.integer())))
      kinds[kinds.count - 1].name = try reader.text()
    }
    return kinds
  }
}
