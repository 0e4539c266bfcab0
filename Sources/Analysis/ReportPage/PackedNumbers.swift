internal import Timeline

/// Numbers one after the other, 7 bits a byte, the lowest first (LEB128): what lanes and arrows are in the page's data.
struct PackedNumbers {
  private var bytes: [UInt8] = []

  mutating func add(_ number: UInt64) {
    var rest = number
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }

  mutating func add(_ number: some BinaryInteger) { add(UInt64(number)) }

  /// How far a point is from the one before; neither its number nor its time falls.
  mutating func add(_ point: LanePoint, after last: LanePoint) {
    add(point.seq &- last.seq)
    add(point.time &- last.time)
  }

  var text: String { Base64.text(bytes) }
}
