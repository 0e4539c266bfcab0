/// Buffers that decoding needs besides the batch it fills; kept from block to block.
@safe final class DecodingScratch {
  /// Numbers of all series, as read.
  private(set) var values: UnsafeMutablePointer<UInt64>
  private(set) var capacity = 0
  /// Where the next number of each series is: by operand and kind. The eighth operand is the time, the ninth the data.
  let next: UnsafeMutablePointer<Int>
  static let nextCount = 9 * 256
  /// The lane's last address, by kind.
  let gpas: UnsafeMutablePointer<UInt64>
  /// Where the next byte of a short piece of data is: by kind and position; one more for long pieces.
  let bytes: UnsafeMutablePointer<Int>
  static let bytesPerKind = EventLayout.shortPiece + 1

  init() {
    unsafe values = .allocate(capacity: 0)
    unsafe next = .allocate(capacity: Self.nextCount)
    unsafe next.initialize(repeating: 0, count: Self.nextCount)
    unsafe gpas = .allocate(capacity: 256)
    unsafe bytes = .allocate(capacity: 256 * Self.bytesPerKind)
    unsafe bytes.initialize(repeating: 0, count: 256 * Self.bytesPerKind)
  }

  deinit {
    unsafe values.deallocate()
    unsafe next.deallocate()
    unsafe gpas.deallocate()
    unsafe bytes.deallocate()
  }

  /// Makes room for so many numbers, of which the first `kept` stay.
  func reserve(_ count: Int, keeping kept: Int) {
    guard count > capacity else { return }
    let larger = UnsafeMutablePointer<UInt64>.allocate(capacity: count)
    // SAFETY: `kept` numbers were written to the old buffer, and fit the larger one.
    unsafe larger.update(from: values, count: kept)
    unsafe values.deallocate()
    unsafe values = larger
    capacity = count
  }
}
