import KVM

/// An event that is shared.
final class StopEvent: Sendable {
  let event: KVM.Event

  init() throws(KVMError) { event = try KVM.Event() }
}
