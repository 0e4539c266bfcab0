import TraceEvents

extension MachineState {
  /// One event as the fold sees it.
  struct Step {
    var kind: EventKind
    var vcpu: UInt16
    var seq: UInt64
    var gpa: UInt64
    var rip: UInt64
    var a: UInt64
    var b: UInt64
    var c: UInt64
    var d: UInt64
  }

  /// Folds the events of a batch, up to and including number `last`.
  public mutating func fold(_ batch: EventBatch, through last: UInt64 = .max) {
    batch.withCursor { cursor in
      while cursor.next(), cursor.seq <= last {
        // The hot kinds change nothing but the vCPU itself.
        let kind = cursor.kind
        if kind == .guestEnter || kind == .guestExit {
          execute(cursor.vcpu, kind == .guestEnter, rip: cursor.rip)
        } else if kind != .pageWrite, kind != .guestWrite {
          let step = Step(
            kind: kind, vcpu: cursor.vcpu, seq: cursor.seq, gpa: cursor.gpa, rip: cursor.rip, a: cursor.a, b: cursor.b, c: cursor.c, d: cursor.d)
          apply(step, data: cursor.data)
        }
        (seq, time) = (cursor.seq, cursor.time)
      }
    }
  }

  /// Folds rows that were not encoded yet.
  public mutating func fold(_ rows: EventRows) {
    for index in 0..<rows.count {
      // SAFETY: rows below `count` are initialized, and their data lie inside the data appended.
      let row = unsafe rows.rows[index]
      let kind = EventKind(rawValue: row.kind)
      if kind == .guestEnter || kind == .guestExit {
        execute(row.vcpu, kind == .guestEnter, rip: row.rip)
      } else if kind != .pageWrite, kind != .guestWrite {
        let range = rows.dataRange(index)
        let data = unsafe RawSpan(_unsafeStart: rows.data + range.lowerBound, byteCount: range.count)
        let seq = rows.firstSeq + UInt64(index)
        apply(Step(kind: kind, vcpu: row.vcpu, seq: seq, gpa: row.gpa, rip: row.rip, a: row.a, b: row.b, c: row.c, d: row.d), data: data)
      }
    }
    guard rows.count > 0 else { return }
    (seq, time) = (rows.firstSeq + UInt64(rows.count) - 1, rows.times.upperBound)
  }

  private mutating func execute(_ vcpu: UInt16, _ executing: Bool, rip: UInt64) {
    let index = Int(vcpu)
    guard index < vcpus.count else { return }
    vcpus[index].isExecuting = executing
    vcpus[index].rip = rip
  }

  private mutating func update(_ vcpu: UInt64, _ body: (inout VCPU) -> Void) {
    if vcpu < UInt64(vcpus.count) { body(&vcpus[Int(vcpu)]) }
  }

  private mutating func apply(_ step: Step, data: RawSpan) {
    let vcpu = UInt64(step.vcpu)
    switch step.kind {
    case .sessionEnd: endReason = step.a
    case .eventsLost: lostEvents &+= step.a
    case .vcpuOnline:
      update(vcpu) {
        $0.life = .online
        $0.place = step.a == 1 ? .stopped : .normal
      }
    case .vcpuOffline:
      update(vcpu) {
        $0.life = .offline
        $0.isExecuting = false
        $0.pendingStop = 0
      }
    case .vcpuHalt: update(vcpu) { $0.isHalted = true }
    case .vcpuUnhalt: update(vcpu) { $0.isHalted = false }
    case .writeTrap: update(vcpu) { $0.pendingTrap = step.seq }
    case .writeResult:
      update(vcpu) { $0.pendingTrap = 0 }
      store(data.extracting(data.byteCount / 2..<data.byteCount), at: step.gpa)
    case .pageContents: if isTraced(gfn: step.gpa >> 12), data.byteCount == 4096 { keep(data, gfn: step.gpa >> 12) }
    case .traceInstall: trace(step.gpa >> 12, step.a)
    case .traceRemove: untrace(step.gpa >> 12, step.a)
    case .hypercall: update(vcpu) { $0.pendingHypercall = step.seq }
    case .hypercallResult: update(vcpu) { $0.pendingHypercall = 0 }
    case .entryPointSet: entryPoint = step.rip
    case .driverPagesSet: driverPages.append(DriverPages(gpa: step.gpa, pageCount: step.a, kind: step.b))
    case .basePointerSet: basePointer = step.gpa
    case .registrationLocked: isLocked = true
    case .integrityEnter: update(vcpu) { $0.inIntegrityMode = true }
    case .integrityLeave: update(vcpu) { $0.inIntegrityMode = false }
    default: applyStopProtocol(step)
    }
  }

  private mutating func applyStopProtocol(_ step: Step) {
    let vcpu = UInt64(step.vcpu)
    switch step.kind {
    case .privilegedRaise: update(step.a) { if step.b == 0 || $0.latchedInterrupt == 0 { $0.latchedInterrupt = step.seq } }
    case .rendezvousClaim:
      (rendezvous, claimer, inRendezvous) = (step.b, step.vcpu, true)
      update(vcpu) { $0.place = .claiming }
    case .stopSend: update(step.a) { $0.pendingStop = step.seq }
    case .stopAck:
      update(vcpu) {
        $0.pendingStop = 0
        ($0.place, $0.activity, $0.digest, $0.rip) = (.stopped, step.a, step.c, step.rip)
      }
    case .regionMap: (regionIsMapped, regionChange) = (true, step.seq)
    case .regionUnmap: (regionIsMapped, regionChange) = (false, step.seq)
    case .modeEnter:
      update(vcpu) {
        $0.latchedInterrupt = 0
        ($0.place, $0.activity, $0.digest, $0.rip) = (.privileged, step.d, step.c, step.rip)
      }
    case .modeExit: update(vcpu) { $0.place = step.a == ExitPath.last.rawValue ? .leaving : .stopped }
    case .resumeSend: update(step.a) { $0.pendingResume = step.seq }
    case .resumeTake:
      update(vcpu) {
        $0.pendingResume = 0
        ($0.place, $0.rip) = (.normal, step.rip)
      }
    case .rendezvousEnd: inRendezvous = false
    case .modeReturn: update(vcpu) { ($0.place, $0.rip) = (.normal, step.rip) }
    default: break
    }
  }
}
