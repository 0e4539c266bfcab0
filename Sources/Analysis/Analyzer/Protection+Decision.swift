internal import TraceEvents
internal import TreeFormat

extension Protection {
  /// What is to be done about a trapped write.
  enum Decision {
    /// The write goes through, and nobody is alerted.
    case none
    /// The trace does not show enough to tell.
    case unknown
    case alert(origin: AlertOrigin, action: UInt8, basis: Basis)
  }

  /// Since when a decision is called for, and by what; put into words only where a finding needs them.
  struct Basis {
    enum Kind {
      case driverPage, node, mapping
    }

    var kind: Kind
    var seq: UInt64
    var vcpu: UInt16 = 0
    /// The node, or the leaf that holds the mapping.
    var frame: UInt64 = 0

    var reason: Finding.Reason {
      let page = gpaText(frame << 12)
      switch kind {
      case .driverPage: return Finding.Reason(seq: seq, what: "the driver's pages were locked")
      case .node: return Finding.Reason(seq: seq, what: "vCPU \(vcpu) linked the node \(page)")
      case .mapping: return Finding.Reason(seq: seq, what: "vCPU \(vcpu) published the mapping in the leaf \(page)")
      }
    }
  }

  /// What the replayed tree and the registration call for when `vcpu` writes `count` bytes at `gpa`, a page being crossed nowhere.
  ///
  /// A driver page outranks the tree, a node outranks a mapping, and of several mappings the most severe action is performed. Driver code is
  /// closed to everyone after the lock; a vCPU in integrity mode may write everything else.
  func decision(vcpu: UInt16, gpa: UInt64, count: UInt64) -> Decision {
    let state = modes.state(of: vcpu)
    let frame = gpa >> 12
    if state == .unknown { return .unknown }
    if let kind = registration.driverPageKind(of: frame) {
      let deny = AlertAction.deny.rawValue
      if state == .outside {
        return .alert(origin: .driverPage, action: deny, basis: Basis(kind: .driverPage, seq: registration.lockedAt ?? 0))
      }
      if kind == .code {
        guard let lockedAt = registration.lockedAt else { return registration.isComplete ? .none : .unknown }
        return .alert(origin: .driverPage, action: deny, basis: Basis(kind: .driverPage, seq: lockedAt))
      }
    }
    guard registration.isComplete else { return .unknown }
    return state == .inside ? .none : treeDecision(gpa: gpa, count: count)
  }

  private func treeDecision(gpa: UInt64, count: UInt64) -> Decision {
    let frame = gpa >> 12
    if let reached = tree.node(frame) {
      guard let node = reached.body.node else { return .unknown }
      let basis = Basis(kind: .node, seq: reached.linked.seq, vcpu: reached.linked.vcpu, frame: frame)
      return .alert(origin: .node, action: node.action, basis: basis)
    }
    // Below a node that nobody can read any page may be a node.
    guard tree.opaqueCount == 0 else { return .unknown }
    let cover = tree.cover(gpa: gpa, length: count)
    if cover.isUnknown { return .unknown }
    guard let action = cover.action else { return .none }
    let basis = Basis(kind: .mapping, seq: cover.since.seq, vcpu: cover.since.vcpu, frame: cover.leaf)
    return .alert(origin: .mapping, action: action, basis: basis)
  }
}
