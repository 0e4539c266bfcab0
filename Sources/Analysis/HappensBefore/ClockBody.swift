/// What a thread knows of the times of threads: a reference to a persistent vector, a tree of nodes of 32 numbers.
///
/// The level says how many threads the tree spans (32 at level 0, 1,024 at level 1, and so on); it is part of the reference, so that bodies
/// made when there were few threads stay valid when there are many. Zero is the body that knows nothing, at any level.
@usableFromInline
struct ClockBody: BitwiseCopyable, Equatable, Sendable {
  /// The level in the highest three bits, the node's number below.
  @usableFromInline var bits: UInt32

  @inlinable init(bits: UInt32) { self.bits = bits }

  @inlinable init(level: Int, node: Int) { bits = UInt32(truncatingIfNeeded: level << 29 | node) }

  @inlinable static var empty: ClockBody { ClockBody(bits: 0) }

  @inlinable var isEmpty: Bool { bits == 0 }
  @inlinable var level: Int { Int(bits >> 29) }
  /// Node 0 is there and holds zeros, so that a look-up needs no test for the empty body.
  @inlinable var node: Int { Int(bits & 0x1fff_ffff) }

  /// The lowest level that spans a thread's number.
  static func level(for thread: Int32) -> Int {
    var level = 0
    while thread >> (5 * Int32(level + 1)) != 0 { level += 1 }
    return level
  }
}
