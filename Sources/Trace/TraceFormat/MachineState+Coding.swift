import TraceEvents

extension MachineState {
  static let magic: UInt32 = 0x464B_5450  // "PTKF"
  /// Layout of the state. A reader that does not know it passes over the keyframe and folds from further back.
  static let layout: UInt32 = 1
  static let partSize = 4 << 20
  private static let partHeaderSize = 16

  /// The keyframe blocks before compression.
  public var keyframeParts: [[UInt8]] {
    let state = encoded
    let starts = Array(stride(from: 0, to: state.count, by: Self.partSize))
    return starts.enumerated().map { number, start in
      var out: [UInt8] = []
      out.append(integer: Self.magic)
      out.append(integer: Self.layout)
      out.append(integer: UInt32(number))
      out.append(integer: UInt32(starts.count))
      out.append(contentsOf: state[start..<min(start + Self.partSize, state.count)])
      return out
    }
  }

  /// Joins the parts of one keyframe.
  public init(keyframeParts parts: [[UInt8]], vcpuCount: Int) throws(TraceFormatError) {
    var state: [UInt8] = []
    for (number, part) in parts.enumerated() {
      var reader = ByteReader(part)
      try reader.expect(magic: Self.magic)
      guard try reader.integer(UInt32.self) == Self.layout else { throw TraceFormatError(.unsupported, at: 4, expected: "layout \(Self.layout)") }
      guard try reader.integer(UInt32.self) == UInt32(number), try reader.integer(UInt32.self) == UInt32(parts.count) else {
        throw TraceFormatError(.inconsistent, at: 8, expected: "part \(number) of \(parts.count)")
      }
      state += part[Self.partHeaderSize...]
      guard state.count <= TraceLimits.keyframeSize else { throw TraceFormatError(.outOfRange, at: 0, expected: "a smaller keyframe") }
    }
    try self.init(decoding: state, vcpuCount: vcpuCount)
  }

  private var encoded: [UInt8] {
    var out: [UInt8] = []
    for value in [seq, time, lostEvents, regionChange, rendezvous, endReason ?? 0, entryPoint ?? 0, basePointer ?? 0] { out.append(integer: value) }
    out.append(integer: claimer)
    let flags = [regionIsMapped, inRendezvous, isLocked, endReason != nil, entryPoint != nil, basePointer != nil]
    out.append(integer: flags.enumerated().reduce(0 as UInt16) { $0 | ($1.element ? 1 << UInt16($1.offset) : 0) })
    out.append(integer: UInt32(vcpus.count))
    for vcpu in vcpus {
      out.append(vcpu.life.rawValue)
      out.append(vcpu.place.rawValue)
      out.append((vcpu.isExecuting ? 1 : 0) | (vcpu.isHalted ? 2 : 0) | (vcpu.inIntegrityMode ? 4 : 0))
      out.append(0)
      let pending = [vcpu.pendingStop, vcpu.pendingResume, vcpu.latchedInterrupt, vcpu.pendingHypercall, vcpu.pendingTrap]
      for value in [vcpu.rip, vcpu.activity, vcpu.digest] + pending { out.append(integer: value) }
    }
    out.append(integer: UInt32(driverPages.count))
    for pages in driverPages { for value in [pages.gpa, pages.pageCount, pages.kind] { out.append(integer: value) } }
    out.append(integer: UInt32(tracedPages.count))
    for range in tracedPages { for value in [range.lowerBound, range.upperBound] { out.append(integer: value) } }
    out.append(integer: UInt32(contents.count))
    for (gfn, bytes) in contents.sorted(by: { $0.key < $1.key }) {
      out.append(integer: gfn)
      out.append(contentsOf: bytes)
    }
    return out
  }

  private init(decoding bytes: [UInt8], vcpuCount: Int) throws(TraceFormatError) {
    self.init(vcpuCount: vcpuCount)
    var reader = ByteReader(bytes)
    (seq, time, lostEvents) = (try reader.integer(), try reader.integer(), try reader.integer())
    (regionChange, rendezvous) = (try reader.integer(), try reader.integer())
    let optionals = (try reader.integer(UInt64.self), try reader.integer(UInt64.self), try reader.integer(UInt64.self))
    claimer = try reader.integer()
    let flags = try reader.integer(UInt16.self)
    (regionIsMapped, inRendezvous, isLocked) = (flags & 1 != 0, flags & 2 != 0, flags & 4 != 0)
    endReason = flags & 8 != 0 ? optionals.0 : nil
    entryPoint = flags & 16 != 0 ? optionals.1 : nil
    basePointer = flags & 32 != 0 ? optionals.2 : nil
    let at = reader.offset
    guard try reader.count(limit: TraceLimits.vcpus, each: 68, of: "vCPUs") == vcpuCount else {
      throw TraceFormatError(.inconsistent, at: at, expected: "\(vcpuCount) vCPUs")
    }
    for index in 0..<vcpuCount { vcpus[index] = try VCPU(&reader) }
    for _ in 0..<(try reader.count(limit: .max / 32, each: 24, of: "driver pages")) {
      driverPages.append(DriverPages(gpa: try reader.integer(), pageCount: try reader.integer(), kind: try reader.integer()))
    }
    for _ in 0..<(try reader.count(limit: .max / 32, each: 16, of: "traced ranges")) {
      let at = reader.offset
      let (start, end) = (try reader.integer(UInt64.self), try reader.integer(UInt64.self))
      guard start < end, tracedPages.last.map({ $0.upperBound < start }) ?? true else {
        throw TraceFormatError(.inconsistent, at: at, expected: "ranges that ascend")
      }
      tracedPages.append(start..<end)
    }
    for _ in 0..<(try reader.count(limit: Self.contentsLimit, each: 4104, of: "pages")) {
      contents[try reader.integer(UInt64.self)] = try reader.take(4096)
    }
  }
}

extension MachineState.VCPU {
  fileprivate init(_ reader: inout ByteReader) throws(TraceFormatError) {
    let at = reader.offset
    guard let life = MachineState.Life(rawValue: try reader.integer()), let place = MachineState.Place(rawValue: try reader.integer()) else {
      throw TraceFormatError(.outOfRange, at: at, expected: "a known state of a vCPU")
    }
    (self.life, self.place) = (life, place)
    let flags = try reader.integer(UInt16.self)
    (isExecuting, isHalted, inIntegrityMode) = (flags & 1 != 0, flags & 2 != 0, flags & 4 != 0)
    (rip, activity, digest) = (try reader.integer(), try reader.integer(), try reader.integer())
    (pendingStop, pendingResume, latchedInterrupt) = (try reader.integer(), try reader.integer(), try reader.integer())
    (pendingHypercall, pendingTrap) = (try reader.integer(), try reader.integer())
  }
}
