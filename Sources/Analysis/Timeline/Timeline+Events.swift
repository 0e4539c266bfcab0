internal import TraceEvents
public import TraceFormat

extension Timeline {
  public mutating func consume(_ batch: EventBatch) {
    batch.withCursor { cursor in
      while cursor.next() {
        let point = LanePoint(seq: cursor.seq, time: cursor.time)
        if eventCount == 0 { begin(at: point) }
        eventCount += 1
        last = point
        show(cursor)
        fold(cursor, at: point)
      }
    }
    if segmentCount > segmentTrigger { makeRoom() }
  }

  public mutating func noteHole(lostEvents: UInt64, firstSeq: UInt64, lastSeq: UInt64, damage: String?) {
    let next = lastSeq == 0 ? last.seq : lastSeq + 1
    note(Hole(point: LanePoint(seq: max(next, last.seq), time: last.time), lost: lostEvents, what: damage ?? "the file does not hold these events"))
    machine.forget()
    if eventCount > 0 { showUnknown() }
  }

  private mutating func begin(at point: LanePoint) {
    first = point
    for vcpu in lanes.indices { lanes[vcpu].change(to: machine.mode(of: vcpu), at: point) }
    region.change(to: machine.region, at: point)
    segmentCount = lanes.count + 1
    for index in holes.indices where holes[index].point.seq <= point.seq { holes[index].point = point }
  }

  private mutating func show(_ cursor: borrowing EventCursor) {
    while let range = comingShown.first, range.upperBound < cursor.seq { comingShown.removeFirst() }
    if let range = comingShown.first, range.contains(cursor.seq) { events.append(cursor.event) }
  }

  private mutating func fold(_ cursor: borrowing EventCursor, at point: LanePoint) {
    let vcpu = cursor.vcpu
    switch cursor.kind {
    case .guestEnter, .guestExit: break
    case .pageWrite: writes.add(gpa: cursor.gpa, writes: max(1, cursor.a), isElevated: isElevated(vcpu))
    case .guestWrite: writes.add(gpa: cursor.gpa, writes: 1, isElevated: isElevated(vcpu))
    case .writeResult:
      if cursor.a == WriteOutcome.applied.rawValue {
        writes.add(gpa: cursor.gpa, writes: 1, isElevated: isElevated(vcpu))
      } else {
        writes.addDenied(gpa: cursor.gpa)
      }
    case .alert: alerts.add(AlertMark(vcpu: vcpu, point: point, gpa: cursor.gpa, action: cursor.a, origin: cursor.b, count: 1))
    case .eventsLost:
      let cause = LossCause(rawValue: cursor.b).map { "\($0)" } ?? "cause \(cursor.b)"
      note(Hole(point: point, lost: cursor.a, what: "the recorder says: \(cause)"))
      foldMode(cursor, at: point)
    case .stopSend: signals.send(.stop, from: vcpu, to: cursor.a, rendezvous: cursor.b, at: point)
    case .resumeSend: signals.send(.resume, from: vcpu, to: cursor.a, rendezvous: cursor.b, at: point)
    default: foldMode(cursor, at: point)
    }
  }

  /// What changes the mode of a vCPU, or of the region.
  private mutating func foldMode(_ cursor: borrowing EventCursor, at point: LanePoint) {
    switch machine.apply(cursor.kind, vcpu: cursor.vcpu, a: cursor.a, b: cursor.b, isFirst: eventCount == 1) {
    case .nothing: break
    case .region: changeRegion(at: point)
    case .everything: showUnknown()
    case .vcpu(let vcpu):
      switch cursor.kind {
      case .stopAck:
        signals.take(.stop, by: cursor.vcpu, cause: cursor.cause, at: point)
        acks[vcpu] += 1
      case .resumeTake: signals.take(.resume, by: cursor.vcpu, cause: cursor.cause, at: point)
      case .vcpuOffline: signals.take(.stop, by: cursor.vcpu, cause: cursor.cause, at: point)
      case .rendezvousClaim: claims[vcpu] += 1
      default: break
      }
      change(vcpu, at: point)
    }
  }

  private mutating func change(_ vcpu: Int, at point: LanePoint) {
    let before = lanes[vcpu].segments.count
    lanes[vcpu].change(to: machine.mode(of: vcpu), at: point)
    segmentCount += lanes[vcpu].segments.count - before
  }

  private mutating func changeRegion(at point: LanePoint) {
    let before = region.segments.count
    region.change(to: machine.region, at: point)
    segmentCount += region.segments.count - before
  }

  private func isElevated(_ vcpu: UInt16) -> Bool {
    guard Int(vcpu) < lanes.count else { return false }
    let mode = machine.mode(of: Int(vcpu))
    return mode == .privileged || mode == .integrity
  }

  private mutating func note(_ hole: Hole) {
    if holes.count < limits.holes { holes.append(hole) } else { moreHoles += 1 }
  }

  private mutating func showUnknown() {
    for vcpu in lanes.indices { change(vcpu, at: last) }
    changeRegion(at: last)
  }

  /// Makes room: joins what came since, and then what is longer and longer, until half of the room is free or nothing more can be joined.
  private mutating func makeRoom() {
    if grain > 1 { joinSegments() }
    while segmentCount > limits.segments / 2, grain <= last.seq - first.seq {
      grain *= 2
      joinSegments()
    }
    segmentTrigger = max(limits.segments, segmentCount * 2)
  }

  private mutating func joinSegments() {
    for vcpu in lanes.indices { lanes[vcpu].join(below: grain, keeping: watch.exact) }
    region.join(below: grain, keeping: watch.exact)
    segmentCount = lanes.reduce(region.segments.count) { $0 + $1.segments.count }
  }
}
