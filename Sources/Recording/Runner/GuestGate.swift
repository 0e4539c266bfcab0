/// Which vCPUs are in guest code, and the way to have none of them there.
///
/// A vCPU goes in only under the session's lock, so whoever holds that lock can wait here until the last one is out: none can go in meanwhile.
/// A vCPU comes out without the session's lock: it would wait for the one who waits for it.
final class GuestGate: @unchecked Sendable {
  private let lock = Lock()
  private let changed = Condition()
  // Guarded by `lock`.
  private var inside: [Bool]
  private var count = 0

  init(vcpuCount: Int) { inside = Array(repeating: false, count: vcpuCount) }

  func enter(_ vcpu: Int) {
    lock.locked {
      precondition(!inside[vcpu], "a vCPU goes in once")
      inside[vcpu] = true
      count += 1
    }
  }

  func leave(_ vcpu: Int) {
    lock.locked {
      precondition(inside[vcpu], "a vCPU comes out once")
      inside[vcpu] = false
      count -= 1
      if count == 0 { changed.signal() }
    }
  }

  func isInside(_ vcpu: Int) -> Bool { lock.locked { inside[vcpu] } }

  /// Kicks everyone out and waits until nobody is in; false where somebody does not come out in time.
  func waitUntilEmpty(_ limit: TimeLimit, kick: (Int) -> Void) -> Bool {
    lock.lock()
    defer { lock.unlock() }
    for vcpu in inside.indices where inside[vcpu] { kick(vcpu) }
    var limit = limit
    while count > 0 {
      if !changed.wait(lock, milliseconds: 1000) {
        limit.countSecond()
        if limit.isOver { return count == 0 }
      }
    }
    return true
  }
}
