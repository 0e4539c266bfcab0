/// Something that is missing of a trace, as the reader tells it.
struct Hole {
  /// How many events; 0 where nobody knows.
  var lost: UInt64
  /// The missing numbers; nil where they are not known.
  var seqs: ClosedRange<UInt64>?
  /// What is wrong with the file.
  var what: String

  init(lostEvents: UInt64, firstSeq: UInt64, lastSeq: UInt64, damage: String?) {
    lost = lostEvents
    seqs = firstSeq > 0 && firstSeq <= lastSeq ? firstSeq...lastSeq : nil
    what = damage ?? "the file does not hold these events"
  }
}

/// What was exported, for the end of it.
struct Tally {
  var events: UInt64 = 0
  var holes: UInt64 = 0
  /// Events known to be missing.
  var lost: UInt64 = 0

  mutating func add(_ hole: Hole) {
    holes += 1
    lost &+= hole.lost
  }
}
