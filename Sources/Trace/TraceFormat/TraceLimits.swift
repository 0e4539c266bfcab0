/// What a trace may hold at most. A reader rejects more before it allocates anything for it.
public enum TraceLimits {
  /// vCPUs of a guest; the host itself comes on top.
  public static let vcpus = 1024
  /// Bytes of one zstd frame: what the largest block can take (`ZSTD_compressBound`).
  public static let compressedBlockSize = rawBlockSize + rawBlockSize / 256 + 1024
  /// Events of one block.
  public static let eventsPerBlock = 1 << 17
  /// Bytes of one block before compression, of any type.
  public static let rawBlockSize = 16 << 20
  /// Bytes of `data` of one event.
  public static let dataPerEvent = 1 << 16
  /// Bytes of `data` of all events of one block.
  public static let dataPerBlock = 6 << 20
  /// Ranges of guest memory in a header.
  public static let memoryRanges = 4096
  /// Properties in a header.
  public static let properties = 4096
  /// Bytes of a property's name or value, or of a kind's name.
  public static let textSize = 1 << 16
  /// Bytes of a keyframe, all its parts together.
  public static let keyframeSize = 1 << 30
}
