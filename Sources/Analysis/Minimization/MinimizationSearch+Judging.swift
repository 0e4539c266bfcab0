internal import Analyzer
internal import TraceEvents

/// What the analyzer says of parts of the trace.
extension MinimizationSearch {
  /// How often a part that says other things, too, is mended.
  private static let repairs = 24

  private mutating func judge(_ indices: [Int32]) -> (showing: MinimizationTarget.Showing, part: EventSubset)? {
    tests += 1
    effort -= indices.count
    guard let part = try? EventSubset(indices, of: all, header: minimizer.writtenHeader) else { return nil }
    return (target.showing(in: target.verdict(on: part, minimizer), original: part.original), part)
  }

  mutating func shows(_ indices: [Int32]) -> Bool {
    if case .whole = judge(indices)?.showing { true } else { false }
  }

  /// Keeps `indices` where they show the finding, or fewer: where they show something else, too, that the whole trace does not, it mostly comes of what was
  /// left out, and what it comes to goes as well.
  mutating func keep(_ indices: [Int32]) -> Bool {
    guard indices.count < kept.count else { return false }
    var indices = indices
    for _ in 0...Self.repairs {
      guard let (showing, part) = judge(indices) else { return false }
      switch showing {
      case .whole:
        kept = indices
        return true
      case .nothing: return false
      case .withOthers(let others):
        guard let better = mended(indices, part, others), better.count < kept.count else { return false }
        indices = better
      }
    }
    return false
  }

  /// A part that may say less of `others`: without the events that they come from, or, where those must stay, with a trace that was left out of where they
  /// broke, or without where they show. Nil for none.
  private mutating func mended(_ indices: [Int32], _ part: EventSubset, _ others: [Finding]) -> [Int32]? {
    let causes = removable(others.flatMap { other in other.because.map(\.seq).filter { $0 != other.seq } }, of: indices)
    if causes.isEmpty {
      let there = membership()
      for other in others {
        guard let install = missingInstall(other, indices, part), there.contains(install) else { continue }
        return closure(of: indices + [install], where: there.contains)
      }
    }
    guard let rest = rest(of: indices, without: causes + removable(others.map(\.seq), of: indices)), rest.count < indices.count else { return nil }
    return rest
  }

  /// The units of these events of a part, but for those that must stay.
  private func removable(_ seqs: [UInt64], of indices: [Int32]) -> [Int32] {
    seqs.filter { $0 >= 1 && $0 <= UInt64(indices.count) }.map { indices[Int($0) - 1] }.filter { !isFixed[Int($0)] }.map { units[Int($0)] }
  }

  /// The installation of a trace that a part lacks where it says `other`.
  private func missingInstall(_ other: Finding, _ indices: [Int32], _ part: EventSubset) -> Int32? {
    guard let gpa = other.gpa, let install = lastInstall(over: gpa >> 12, before: part.original(other.seq)) else { return nil }
    return indices.contains(install) ? nil : install
  }

  /// The last installation of a trace over a page (a GFN) before an event of the whole trace.
  private func lastInstall(over frame: UInt64, before seq: UInt64) -> Int32? {
    installs.last {
      let event = all.events[Int($0)]
      return event.seq < seq && frame >= event.gpa >> 12 && frame - (event.gpa >> 12) < max(event.a, 1)
    }
  }
}
