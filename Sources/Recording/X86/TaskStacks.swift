/// The stacks that a CPU goes over to by itself for interrupts and exceptions, as a 64-bit task-state segment names them (Intel SDM volume 3, 8.7).
///
/// Those of rings 1 and 2 are left away: nobody uses these rings, and kernels keep other things there.
public struct TaskStacks: Hashable, Sendable {
  /// What is read of the segment.
  public static let size = 92
  private static let interruptStacks = 36

  /// Out of user mode; 0 for none.
  public let ring0: UInt64
  /// What gates of the interrupt descriptor table name by number, from 1 on; 0 for none.
  public let byNumber: [UInt64]

  /// Nil where these are not so many bytes.
  public init?(_ bytes: [UInt8]) {
    guard bytes.count == Self.size else { return nil }
    ring0 = bytes.word(at: 4)
    byNumber = (0..<7).map { bytes.word(at: Self.interruptStacks + 8 * $0) }
  }
}
