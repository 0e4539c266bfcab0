/// An alert on its lane, or several that follow each other there.
public struct AlertMark: Hashable, Sendable {
  /// `Event.host` for the host.
  public var vcpu: UInt16
  /// Of the first one.
  public var point: LanePoint
  public var gpa: UInt64
  /// `AlertAction` and `AlertOrigin`, as recorded.
  public var action: UInt64
  public var origin: UInt64
  /// Alerts that this mark stands for.
  public var count: UInt64
}

/// The alerts of a trace; where there are too many, neighbours on a lane share a mark.
public struct AlertLog: Sendable {
  public private(set) var marks: [AlertMark] = []
  public private(set) var total: UInt64 = 0
  private let limit: Int
  private let kept: [ClosedRange<UInt64>]

  init(limit: Int, keeping kept: [ClosedRange<UInt64>]) {
    self.limit = limit
    self.kept = kept
  }

  mutating func add(_ mark: AlertMark) {
    total += 1
    marks.append(mark)
    if marks.count >= limit { join() }
  }

  /// Joins each second mark of a lane to the one before.
  private mutating func join() {
    var joined: [AlertMark] = []
    /// By vCPU: the mark that may take in one more.
    var open: [UInt16: Int] = [:]
    for mark in marks {
      let isKept = kept.meets(mark.point.seq...mark.point.seq)
      if !isKept, let index = open.removeValue(forKey: mark.vcpu) {
        joined[index].count += mark.count
      } else {
        if !isKept { open[mark.vcpu] = joined.count }
        joined.append(mark)
      }
    }
    // What is watched alone may fill it: then the newest are dropped, and the total says how many there were.
    marks = joined.count < limit ? joined : Array(joined.prefix(limit / 2))
  }
}
