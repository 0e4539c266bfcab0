import TraceEvents

/// Ordinary interrupts: latched per vCPU and vector until their vCPU can take them.
///
/// They are delivered only to a vCPU that runs guest code in the ordinary way: not stopped, not in the privileged mode, not in integrity
/// mode. Until then they are held; a second one with the same vector is one with the first.
struct InterruptController: Hashable, Sendable {
  struct Pending: Hashable, Sendable {
    var vector: UInt8
    /// The first `interruptRaise` of this vector that has not been delivered.
    var raise: UInt64
  }

  private var pending: [[Pending]]

  init(vcpuCount: Int) { pending = Array(repeating: [], count: vcpuCount) }

  /// The one to deliver next: the highest vector, as on a local APIC.
  func next(for vcpu: Int) -> Pending? { pending[vcpu].last }

  mutating func raise(_ target: Int, vector: UInt8, sender: UInt16, cause: UInt64, host: inout some HypervisorHost) {
    let seq = host.record(Event(.interruptRaise, vcpu: sender, cause: cause, a: UInt64(target), b: UInt64(vector)))
    let at = pending[target].firstIndex { $0.vector >= vector } ?? pending[target].endIndex
    if at < pending[target].endIndex, pending[target][at].vector == vector { return }
    pending[target].insert(Pending(vector: vector, raise: seq), at: at)
  }

  mutating func deliver(to vcpu: Int, host: inout some HypervisorHost) {
    guard let next = pending[vcpu].popLast() else { return }
    _ = host.record(Event(.interruptDeliver, vcpu: UInt16(vcpu), cause: next.raise, a: UInt64(next.vector)))
    host.injectInterrupt(vcpu, vector: next.vector)
  }

  /// The vCPU is gone, and what was held for it with it.
  mutating func forget(_ vcpu: Int) { pending[vcpu] = [] }
}
