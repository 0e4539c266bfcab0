public import TraceEvents

/// The table of kinds of one trace, laid out for decoding: what each kind number carries.
public struct KindTable: Sendable {
  /// Columns by kind number; 0 for numbers that the trace does not use.
  let columns: [UInt8]
  /// Whether the trace's header lists this number.
  let listed: [Bool]
  /// Whether this version knows the kind.
  let known: [Bool]
  /// Numbers from 0 for the kinds that the header lists, so that tables by kind are no larger than they must be.
  let slots: [UInt8]
  let slotCount: Int
  /// How each kind's operands are put together from differences; 0 where they are stored as they are.
  let differences: [EventLayout.Differences]

  public init(_ header: TraceHeader) {
    var columns = [UInt8](repeating: 0, count: 256)
    var listed = [Bool](repeating: false, count: 256)
    for kind in header.kinds {
      columns[Int(kind.number)] = kind.columns.rawValue
      listed[Int(kind.number)] = true
    }
    var known = [Bool](repeating: false, count: 256)
    for row in EventKind.table { known[Int(row.kind.rawValue)] = true }
    var slots = [UInt8](repeating: 0, count: 256)
    var slotCount = 0
    for number in 0..<256 where listed[number] {
      slots[number] = UInt8(slotCount)
      slotCount += 1
    }
    self.columns = columns
    self.listed = listed
    self.known = known
    self.slots = slots
    self.slotCount = slotCount
    differences = (0..<256).map { EventLayout.Differences(kind: $0, columns: columns[$0]) }
  }

  public func lists(_ kind: EventKind) -> Bool { listed[Int(kind.rawValue)] }
  public func columns(of kind: EventKind) -> Columns { Columns(rawValue: columns[Int(kind.rawValue)]) }
}
