internal import TraceEvents

/// The words for why a finding is one.
extension StopJudge {
  /// Those that name an event.
  func chain(_ reasons: Finding.Reason...) -> [Finding.Reason] { reasons.filter { $0.seq != 0 } }

  var claimReason: Finding.Reason {
    let what = now.claimant >= 0 ? "vCPU \(now.claimant) claimed first-in of rendezvous \(now.number)" : "the rendezvous was claimed"
    return Finding.Reason(seq: now.claim, what: what)
  }
  var mapReason: Finding.Reason { Finding.Reason(seq: now.map, what: "the region was added to the view") }
  var entryReason: Finding.Reason { Finding.Reason(seq: now.firstEntry, what: "the first vCPU entered the mode") }
  var exitReason: Finding.Reason { Finding.Reason(seq: now.lastExit, what: "a vCPU left the mode as the last one") }
  var unmapReason: Finding.Reason { Finding.Reason(seq: now.unmap, what: "the region was removed from the view") }

  /// The vCPUs that are neither stopped nor in the mode, as far as is known.
  func atLarge(_ isWanted: (VCPU) -> Bool) -> [Int] {
    vcpus.indices.filter { vcpus[$0].place == .outside && isWanted(vcpus[$0]) }
  }

  /// Why a vCPU is at large: the stop that it has not acknowledged, or that none was sent, and the entry that shows it executing.
  func atLargeReasons(_ index: Int) -> [Finding.Reason] {
    let state = vcpus[index]
    var reasons: [Finding.Reason] = []
    if state.stop != 0 {
      reasons.append(Finding.Reason(seq: state.stop, what: "a stop signal was sent to vCPU \(index), which has not acknowledged it"))
    } else if state.onlineSince > now.claim, now.claim != 0 {
      reasons.append(Finding.Reason(seq: state.onlineSince, what: "vCPU \(index) came online, after the claim, and was sent no stop signal"))
    } else {
      reasons.append(
        Finding.Reason(
          seq: max(state.since, state.onlineSince), what: "vCPU \(index) is outside the stop state since here, and was sent no stop signal"))
    }
    if state.isInGuest {
      reasons.append(Finding.Reason(seq: state.lastEnter, what: "vCPU \(index) entered the guest and has not left it"))
    } else if state.lastExit != 0 {
      reasons.append(Finding.Reason(seq: state.lastExit, what: "vCPU \(index) left the guest, free to enter it again"))
    }
    return reasons.filter { $0.seq != 0 }
  }

  /// The same of several, of the first few only: a machine may have many.
  func atLargeReasons(_ indices: [Int]) -> [Finding.Reason] {
    var reasons: [Finding.Reason] = []
    for index in indices.prefix(4) { reasons += atLargeReasons(index) }
    return reasons
  }

  /// The entries of those that are in the mode.
  func insiders(besides index: Int) -> [Finding.Reason] {
    vcpus.indices.filter { $0 != index && vcpus[$0].place == .inMode }.map {
      Finding.Reason(seq: vcpus[$0].since, what: "vCPU \($0) entered the mode, and is in it")
    }
  }

  func insiderNames(besides index: Int) -> String {
    Self.list(vcpus.indices.filter { $0 != index && vcpus[$0].place == .inMode })
  }

  /// "vCPU 1 is", "vCPUs 1, 2 and 5 are".
  static func list(_ indices: [Int]) -> String {
    guard let last = indices.last else { return "nobody is" }
    if indices.count == 1 { return "vCPU \(last) is" }
    return "vCPUs " + indices.dropLast().map(String.init).joined(separator: ", ") + " and \(last) are"
  }

  /// Which acknowledgements a map waited for.
  static func waitedFor(_ event: borrowing EventView) -> String {
    let count = event.dataCount / 8
    if count == 0 { return "it waited for no acknowledgement" }
    var seqs: [String] = []
    for index in 0..<min(count, 64) { seqs.append("\(event.word(index))") }
    return "it waited for the acknowledgements at " + seqs.joined(separator: ", ")
  }

  func text(_ activity: Activity) -> String {
    let base =
      switch activity.inIntegrityMode(false) {
      case .running: "running"
      case .halted: "halted"
      case .inHypercall: "in a hypercall"
      default: "in activity \(activity.rawValue)"
      }
    return activity.inIntegrityMode ? base + " in integrity mode" : base
  }
}
