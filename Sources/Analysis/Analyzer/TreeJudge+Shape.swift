internal import TraceEvents
internal import TreeFormat

/// What a change of the tree brings: faults of its shape, pages that must now be traced, pages that need be no longer.
extension TreeJudge {
  /// After `protection` took the event in.
  mutating func follow(_ event: borrowing EventView, _ protection: inout Protection, _ findings: inout FindingCollector) {
    let seq = event.seq
    let (vcpu, cause) = (event.vcpu, event.cause)
    let request = cause == 0 ? [] : [Finding.Reason(seq: cause, what: "vCPU \(vcpu) asked for it")]
    for fault in protection.tree.news.faults where hasTraces {
      let isBase = event.kind == .basePointerSet && fault.frame == protection.tree.base
      findings.report(
        isBase ? .treeBasePointer : .treeMalformed, seq: seq, vcpu: vcpu == Event.host ? nil : vcpu, gpa: fault.frame << 12,
        expected: isBase ? "the base pointer is set to a page that holds a valid node" : "the pages that the base pointer leads to are a tree",
        observed: fault.what, because: isBase ? request : Self.baseReason(&protection))
    }
    for frame in protection.tree.news.nodes where protection.traced.isUntraced(frame) {
      owe(Obligation(kind: .node, pages: FrameRange(low: frame, end: frame + 1), seq: seq, vcpu: vcpu))
    }
    for (leaf, mapping) in protection.tree.news.mappings where protection.firstUntracedRAM(in: FrameRange(mapping)) != nil {
      owe(Obligation(kind: .mapping, pages: FrameRange(mapping), seq: seq, vcpu: vcpu, leaf: leaf))
    }
    for pages in protection.tree.news.unnamed { suspects.insert(pages.low, pages.end) }
  }

  static func baseReason(_ protection: inout Protection) -> [Finding.Reason] {
    guard let base = protection.registration.basePointer else { return [] }
    return [Finding.Reason(seq: protection.registration.basePointerSetAt, what: "the base pointer was set to \(gpaText(base))")]
  }

  func judgeBase(_ event: borrowing EventView, _ protection: inout Protection, _ findings: inout FindingCollector) {
    let registration = protection.registration
    let gpa = event.gpa
    if let lockedAt = registration.lockedAt {
      findings.report(
        .treeBasePointer, at: event, expected: "the base pointer is set before registration is locked",
        observed: "it was set to \(gpaText(gpa)) after the lock",
        because: [Finding.Reason(seq: lockedAt, what: "registration was locked")])
    } else if let old = registration.basePointer {
      findings.report(
        .treeBasePointer, at: event, expected: "the base pointer is set once",
        observed: "it was set to \(gpaText(gpa)) while it was \(gpaText(old))", because: Self.baseReason(&protection))
    }
    if gpa & 4095 != 0 || !protection.tree.isGuestMemory(frame: gpa >> 12) {
      findings.report(
        .treeBasePointer, at: event, expected: "the base pointer is set to a page in guest memory",
        observed: "it was set to \(gpaText(gpa))")
    }
  }

  // MARK: Traced in time

  mutating func settleObligations(_ event: borrowing EventView, _ protection: inout Protection, _ findings: inout FindingCollector) {
    let vcpu = event.vcpu
    guard obligations.contains(where: { $0.vcpu == vcpu || $0.vcpu == Event.host }) else { return }
    let due = obligations
    obligations.removeAll { $0.vcpu == vcpu || $0.vcpu == Event.host }
    for item in due where item.vcpu == vcpu || item.vcpu == Event.host {
      switch item.kind {
      case .node:
        if protection.tree.reached[item.pages.low] != nil, protection.traced.isUntraced(item.pages.low) {
          reportUntraced(.treeUntracedNode, item.pages.low, item, event, &protection, &findings)
        }
      case .mapping:
        if let frame = protection.firstUntracedRAM(in: item.pages), case .mapping = protection.tree.naming(frame) {
          reportUntraced(.treeUntracedMapping, frame, item, event, &protection, &findings)
        }
      case .removal: settleRemoval(item, event, &protection, &findings)
      }
    }
  }

  private func settleRemoval(
    _ item: Obligation, _ event: borrowing EventView, _ protection: inout Protection, _ findings: inout FindingCollector
  ) {
    for frame in protection.tree.reachedFrames(in: item.pages) where protection.traced.isUntraced(frame) {
      reportUntraced(.treeUntracedNode, frame, item, event, &protection, &findings)
    }
    var low = item.pages.low
    while let named = protection.tree.firstNamed(from: low, to: item.pages.end) {
      if let frame = protection.firstUntracedRAM(in: named) {
        reportUntraced(.treeUntracedMapping, frame, item, event, &protection, &findings)
        return
      }
      low = named.end
    }
  }

  private func reportUntraced(
    _ rule: Rule, _ frame: UInt64, _ item: Obligation, _ event: borrowing EventView, _ protection: inout Protection,
    _ findings: inout FindingCollector
  ) {
    let (seq, vcpu, kind) = (event.seq, event.vcpu, event.kind)
    let what = rule == .treeUntracedNode ? "stores a node of the tree" : "is named by a leaf mapping"
    let since = item.kind == .removal ? "its trace was removed at \(item.seq)" : "it was linked at \(item.seq)"
    let link = protection.linkReason(frame, rule, item)
    var because = [link]
    if item.kind == .removal {
      because.append(Finding.Reason(seq: item.seq, what: "its write trace was removed"))
    } else if let request = unfulfilled.last(where: { $0.pages.contains(frame) }) {
      because.append(Finding.Reason(seq: request.seq, what: "its protection was asked for"))
      because.append(Finding.Reason(seq: request.answeredAt, what: "the request was answered with success, and no trace was installed"))
    } else if let removedAt = protection.traced.removedAt(frame) {
      because.append(Finding.Reason(seq: removedAt, what: "its last write trace was removed"))
    }
    findings.report(
      rule, seq: seq, vcpu: vcpu, gpa: frame << 12, rip: event.rip == 0 ? nil : event.rip,
      expected: "the page \(gpaText(frame << 12)), which \(what), carries a write trace before vCPU \(vcpu) goes on",
      observed: "it carries none at \(kind.name) \(seq), and \(since)", because: because.sorted { $0.seq < $1.seq })
  }

  // MARK: Traced for nothing

  /// At the moment when nobody is left in integrity mode, what is traced must be named.
  mutating func judgeSettled(_ event: borrowing EventView, _ protection: inout Protection, _ findings: inout FindingCollector) {
    guard let lockedAt = protection.registration.lockedAt, protection.modes.isNobodyIn(besides: event.vcpu), !suspects.isEmpty else { return }
    guard protection.registration.isComplete, protection.tree.opaqueCount == 0 else { return }
    var at: UInt64 = 0
    while let span = suspects.next(from: at) {
      at = span.end
      guard let (frame, isCertain) = protection.firstTracedForNothing(from: span.low, to: span.end), isCertain else { continue }
      findings.report(
        .treeOverTrace, seq: event.seq, vcpu: event.vcpu, gpa: frame << 12,
        expected: "every traced page is named by the tree or belongs to the driver once the last vCPU leaves integrity mode",
        observed: "the page \(gpaText(frame << 12)) is traced, and nothing names it: each trap on it is cost without protection",
        because: [Finding.Reason(seq: lockedAt, what: "registration was locked: driver pages do not change any more")])
    }
    suspects.removeAll()
  }
}

extension FrameRange {
  func contains(_ frame: UInt64) -> Bool { frame >= low && frame < end }
}

extension Protection {
  /// The first page of guest memory in the range that is certainly not traced.
  func firstUntracedRAM(in pages: FrameRange) -> UInt64? {
    var found: UInt64?
    for range in tree.memory {
      let low = max(pages.low, (range.start &+ 4095) >> 12)
      let end = min(pages.end, (range.start &+ range.length) >> 12)
      if low < end, let frame = traced.firstUntraced(from: low, to: end), frame < found ?? .max { found = frame }
    }
    return found
  }

  /// The first traced page of the range that is no node, no driver page and in no mapping; false where a walk did not get far enough to say.
  func firstTracedForNothing(from low: UInt64, to end: UInt64) -> (frame: UInt64, isCertain: Bool)? {
    var at = low
    while at < end, let span = traced.pages.next(from: at), span.low < end {
      at = max(at, span.low)
      let stop = min(span.end, end)
      while at < stop {
        switch tree.naming(at) {
        case .mapping(let mappingEnd): at = mappingEnd
        case .unknown: return (at, false)
        case .none:
          if tree.reached[at] != nil {
            at += 1
          } else if let driver = registration.driverPagesEnd(at) {
            at = driver
          } else {
            return (at, true)
          }
        }
      }
    }
    return nil
  }

  /// Why a page must be traced: when the tree came to name it.
  fileprivate func linkReason(_ frame: UInt64, _ rule: Rule, _ item: TreeJudge.Obligation) -> Finding.Reason {
    if rule == .treeUntracedNode, let node = tree.reached[frame] {
      return Finding.Reason(seq: node.linked.seq, what: "\(actorText(node.linked.vcpu)) linked the node \(gpaText(frame << 12))")
    }
    let cover = tree.cover(gpa: frame << 12, length: 4096)
    guard cover.mapping != nil else { return Finding.Reason(seq: item.seq, what: "the mapping became reachable") }
    let leaf = gpaText(cover.leaf << 12)
    return Finding.Reason(seq: cover.since.seq, what: "\(actorText(cover.since.vcpu)) published its mapping in the leaf \(leaf)")
  }
}

extension Registration {
  /// The end of the driver pages that hold this frame.
  func driverPagesEnd(_ frame: UInt64) -> UInt64? {
    if let span = codePages.next(from: frame), span.low <= frame { return span.end }
    if let span = dataPages.next(from: frame), span.low <= frame { return span.end }
    return nil
  }
}
