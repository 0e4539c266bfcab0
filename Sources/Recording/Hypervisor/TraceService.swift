import TraceEvents

/// The trace service (US20170300430A1): which pages carry a write trace.
///
/// A trace is recorded as installed after the host has put it on, and as removed before the host takes it off. The recorded interval thus
/// lies within the true one: inside it every write traps, and no `pageWrite` names the page.
struct TraceService: Hashable, Sendable {
  /// Whether writes can be made to trap. Where not, the guest is told what it would be told, and what is in
  /// the pages is recorded all the same: what changes there later is told by page-writes.
  let isActive: Bool
  private var traced: Set<UInt64> = []
  /// Faults only: pages that the guest was told are traced.
  private var pretended: Set<UInt64> = []
  /// Faults only: traced pages that the guest was told are not.
  private var kept: Set<UInt64> = []

  init(isActive: Bool) { self.isActive = isActive }

  /// Whether the guest was told that this page is traced.
  func isTraced(_ gfn: UInt64) -> Bool { (traced.contains(gfn) && !kept.contains(gfn)) || pretended.contains(gfn) }
  func areAllTraced(_ pages: Range<UInt64>) -> Bool { pages.allSatisfy { isTraced($0) } }
  func isAnyTraced(_ pages: Range<UInt64>) -> Bool { pages.contains { isTraced($0) } }

  /// Installs traces, then records what is in the pages: from here on every change of them is in the trace, byte by byte.
  mutating func install(_ pages: Range<UInt64>, vcpu: UInt16, cause: UInt64, host: inout some HypervisorHost) {
    guard isActive else {
      pretend(pages)
      host.setTraced(true, firstGFN: pages.lowerBound, pageCount: UInt64(pages.count))
      return recordContents(pages, vcpu, host: &host)
    }
    if pages.allSatisfy(kept.contains) {
      kept.subtract(pages)
      return
    }
    kept.subtract(pages)
    pretended.subtract(pages)
    host.setTraced(true, firstGFN: pages.lowerBound, pageCount: UInt64(pages.count))
    traced.formUnion(pages)
    _ = host.record(
      Event(.traceInstall, vcpu: vcpu, gpa: pages.lowerBound * guestPageSize, cause: cause, a: UInt64(pages.count)))
    recordContents(pages, vcpu, host: &host)
  }

  private func recordContents(_ pages: Range<UInt64>, _ vcpu: UInt16, host: inout some HypervisorHost) {
    for gfn in pages {
      let gpa = gfn * guestPageSize
      guard let bytes = host.readMemory(gpa: gpa, count: Int(guestPageSize)) else { continue }
      _ = host.record(Event(.pageContents, vcpu: vcpu, gpa: gpa, data: bytes))
    }
  }

  /// Faults only: says that these pages are traced.
  mutating func pretend(_ pages: Range<UInt64>) { pretended.formUnion(pages) }

  /// Faults only: says that these pages are traced no longer.
  mutating func keep(_ pages: Range<UInt64>) { kept.formUnion(pages) }

  mutating func remove(_ pages: Range<UInt64>, vcpu: UInt16, cause: UInt64, host: inout some HypervisorHost) {
    var first = pages.lowerBound
    while first < pages.upperBound {
      guard traced.contains(first) else {
        pretended.remove(first)
        first += 1
        continue
      }
      let end = (first..<pages.upperBound).first { !traced.contains($0) } ?? pages.upperBound
      _ = host.record(Event(.traceRemove, vcpu: vcpu, gpa: first * guestPageSize, cause: cause, a: end - first))
      host.setTraced(false, firstGFN: first, pageCount: end - first)
      traced.subtract(first..<end)
      first = end
    }
  }
}
