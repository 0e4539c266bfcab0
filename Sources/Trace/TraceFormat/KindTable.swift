public import TraceEvents

/// The table of kinds of one trace, laid out for decoding: what each kind number carries.
public struct KindTable: Sendable {
  /// Columns by kind number; 0 for numbers that the trace does not use.
  let columns: [UInt8]
  /// Whether the trace's header lists this number.
  let listed: [Bool]
  /// Whether this version knows the kind.
  let known: [Bool]
  /// 1 in each of the eight columns that the kind carries, so that one vector addition moves all column positions.
  let steps: [SIMD8<UInt32>]

  public init(_ header: TraceHeader) {
    var columns = [UInt8](repeating: 0, count: 256)
    var listed = [Bool](repeating: false, count: 256)
    for kind in header.kinds {
      columns[Int(kind.number)] = kind.columns.rawValue
      listed[Int(kind.number)] = true
    }
    var known = [Bool](repeating: false, count: 256)
    for row in EventKind.table { known[Int(row.kind.rawValue)] = true }
    self.columns = columns
    self.listed = listed
    self.known = known
    steps = columns.map { mask in
      var step = SIMD8<UInt32>()
      for bit in 0..<8 { step[bit] = UInt32(mask >> UInt8(bit) & 1) }
      return step
    }
  }

  public func lists(_ kind: EventKind) -> Bool { listed[Int(kind.rawValue)] }
  public func columns(of kind: EventKind) -> Columns { Columns(rawValue: columns[Int(kind.rawValue)]) }
}
