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
    forget()
  }

  private mutating func begin(at point: LanePoint) {
    first = point
    for vcpu in lanes.indices { lanes[vcpu].change(to: states[vcpu].mode, at: point) }
    region.change(to: regionMode, at: point)
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
      // The end of a longer recording begins with the state that it came from.
      if cursor.b != LossCause.flightRecorder.rawValue || eventCount > 1 { forget() }
    case .stopSend: signals.send(.stop, from: vcpu, to: cursor.a, rendezvous: cursor.b, at: point)
    case .resumeSend: signals.send(.resume, from: vcpu, to: cursor.a, rendezvous: cursor.b, at: point)
    case .regionMap, .regionUnmap:
      regionMode = cursor.kind == .regionMap ? .privileged : .normal
      changeRegion(at: point)
    default: foldMode(cursor, at: point)
    }
  }

  /// What changes the mode of the vCPU that the event is of.
  private mutating func foldMode(_ cursor: borrowing EventCursor, at point: LanePoint) {
    let (vcpu, kind) = (Int(cursor.vcpu), cursor.kind)
    guard vcpu < lanes.count, states[vcpu].apply(kind, a: cursor.a) else { return }
    switch kind {
    case .stopAck:
      signals.take(.stop, by: cursor.vcpu, cause: cursor.cause, at: point)
      acks[vcpu] += 1
    case .resumeTake: signals.take(.resume, by: cursor.vcpu, cause: cursor.cause, at: point)
    case .vcpuOffline: signals.take(.stop, by: cursor.vcpu, cause: cursor.cause, at: point)
    case .rendezvousClaim: claims[vcpu] += 1
    default: break
    }
    let before = lanes[vcpu].segments.count
    lanes[vcpu].change(to: states[vcpu].mode, at: point)
    segmentCount += lanes[vcpu].segments.count - before
  }

  private mutating func changeRegion(at point: LanePoint) {
    let before = region.segments.count
    region.change(to: regionMode, at: point)
    segmentCount += region.segments.count - before
  }

  private func isElevated(_ vcpu: UInt16) -> Bool {
    guard Int(vcpu) < states.count else { return false }
    let mode = states[Int(vcpu)].mode
    return mode == .privileged || mode == .integrity
  }

  private mutating func note(_ hole: Hole) {
    if holes.count < limits.holes { holes.append(hole) } else { moreHoles += 1 }
  }

  /// After a hole nobody knows where anybody is, until an event tells.
  private mutating func forget() {
    regionMode = .unknown
    for vcpu in states.indices { states[vcpu].forget() }
    guard eventCount > 0 else { return }
    for vcpu in lanes.indices {
      let before = lanes[vcpu].segments.count
      lanes[vcpu].change(to: .unknown, at: last)
      segmentCount += lanes[vcpu].segments.count - before
    }
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
