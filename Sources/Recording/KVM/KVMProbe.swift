import Synchronization

/// Records the calls that go through a `KVMSeam`, and forces an error at one of them: how failure paths run without a failing host.
public final class KVMProbe: Sendable {
  private struct State {
    var log: [KVMCall] = []
    var outstanding = 0
    var failAt: Int?
    var failing: KVMCall?
    var errno: Int32 = 0
    var forced: KVMCall?
  }

  private let state = Mutex(State())
  private let onCall: (@Sendable (KVMCall) -> Void)?

  /// With `failAt`, the call of that number (from 0) is not made but answered with `errno`; giving things back never fails.
  ///
  /// `failing` counts calls of that kind only. With several vCPUs the order of all calls differs from run to run, so a test that means
  /// one kind has to say so. `onCall` runs before each call, on the thread that makes it, which it may hold up.
  public init(failAt: Int? = nil, failing: KVMCall? = nil, errno: Int32 = 0, onCall: (@Sendable (KVMCall) -> Void)? = nil) {
    self.onCall = onCall
    state.withLock {
      $0.failAt = failAt
      $0.failing = failing
      $0.errno = errno
    }
  }

  /// Every call so far, in order.
  public var log: [KVMCall] { state.withLock { $0.log } }
  /// Descriptors and mappings that were acquired and not given back.
  public var outstanding: Int { state.withLock { $0.outstanding } }
  /// The call that was made to fail, nil while there was none.
  public var forced: KVMCall? { state.withLock { $0.forced } }

  func willCall(_ call: KVMCall) -> Int32? {
    onCall?(call)
    return state.withLock { state in
      let number = if let failing = state.failing { state.log.count(where: { $0 == failing }) } else { state.log.count }
      state.log.append(call)
      guard let failAt = state.failAt, number >= failAt, state.forced == nil, call.balance >= 0 else { return nil }
      guard state.failing == nil || state.failing == call else { return nil }
      state.forced = call
      return state.errno
    }
  }

  func didCall(_ call: KVMCall, _ result: Int32) {
    guard result >= 0 else { return }
    state.withLock { $0.outstanding += call.balance }
  }
}
