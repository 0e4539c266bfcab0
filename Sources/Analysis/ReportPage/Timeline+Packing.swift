internal import Reports
internal import Timeline

extension Timeline {
  /// What `data.js` unpacks: numbers and times are counted from the first event's.
  var json: JSON {
    .object([
      ("first", .object([("seq", .number(first.seq)), ("time", .number(first.time))])),
      ("last", .object([("seq", .number(last.seq)), ("time", .number(last.time))])),
      ("events", .number(eventCount)),
      ("grain", .number(grain)),
      ("lanes", .array(lanes.map { .string(pack($0)) })),
      ("region", .string(pack(region))),
      ("signals", .object([("total", .number(signals.total)), ("stride", .number(UInt64(signals.stride))), ("packed", .string(packedSignals))])),
      ("alerts", .object([("total", .number(alerts.total)), ("packed", .string(packedAlerts))])),
      ("writes", .object([("shift", .number(writes.shift)), ("packed", .string(packedWrites))])),
      (
        "holes",
        .array(
          holes.map { .object([("seq", .number($0.point.seq)), ("time", .number($0.point.time)), ("lost", .number($0.lost)), ("what", .string($0.what))]) })
      ),
      ("moreHoles", .number(moreHoles)),
      ("claims", .array(claims.map { .number($0) })),
      ("acks", .array(acks.map { .number($0) })),
    ])
  }

  /// Of each segment: where it starts; its mode, and 8 where it is a mixture; then the shares of the eight modes in 255ths.
  private func pack(_ lane: LaneHistory) -> String {
    var packed = PackedNumbers()
    var last = first
    for segment in lane.segments {
      packed.add(segment.start, after: last)
      last = segment.start
      packed.add(segment.mode.rawValue | (segment.shares == nil ? 0 : 8))
      guard let shares = segment.shares else { continue }
      for mode in 0..<8 { packed.add(UInt8((shares[mode] * 255).rounded())) }
    }
    return packed.text
  }

  /// Of each signal: where it was sent; from whom, to whom; its kind, and 2 where it was taken; the rendezvous; how long until it was taken.
  private var packedSignals: String {
    var packed = PackedNumbers()
    var last = first
    for arrow in signals.arrows {
      packed.add(arrow.sent, after: last)
      last = arrow.sent
      packed.add(arrow.from)
      packed.add(arrow.to)
      packed.add(arrow.kind.rawValue | (arrow.taken == nil ? 0 : 2))
      packed.add(arrow.rendezvous)
      if let taken = arrow.taken { packed.add(taken, after: arrow.sent) }
    }
    return packed.text
  }

  private var packedAlerts: String {
    var packed = PackedNumbers()
    var last = first
    for mark in alerts.marks {
      packed.add(mark.point, after: last)
      last = mark.point
      for number in [UInt64(mark.vcpu), mark.action, mark.origin, mark.gpa, mark.count] { packed.add(number) }
    }
    return packed.text
  }

  private var packedWrites: String {
    var packed = PackedNumbers()
    var last: UInt64 = 0
    for (key, cell) in writes.cells.sorted(by: { $0.key < $1.key }) {
      packed.add(key - last)
      last = key
      for number in [cell.writes, cell.elevated, cell.denied] { packed.add(number) }
    }
    return packed.text
  }
}
