/// Between the writer and the disk: where a test makes the disk full, or slow.
package struct OutputSeam: Sendable {
  /// Whether the file system can set room aside before it is written to; many network file systems cannot.
  package var reserves = true
  /// Called before this many bytes are written at an offset, or room for them is set aside there: 0 to go on, or the error number to fail with.
  package var willTake: @Sendable (_ offset: UInt64, _ count: Int) -> Int32 = { _, _ in 0 }

  package init() {}
}
