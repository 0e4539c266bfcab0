import Glibc

/// A mutex that conditions can wait on, which `Synchronization.Mutex` has none of.
@safe final class Lock: @unchecked Sendable {
  fileprivate let mutex: UnsafeMutablePointer<pthread_mutex_t>

  init() {
    unsafe mutex = .allocate(capacity: 1)
    // SAFETY: initialized once here and destroyed once in `deinit`, when nobody else holds the object any more.
    unsafe pthread_mutex_init(mutex, nil)
  }

  deinit {
    unsafe pthread_mutex_destroy(mutex)
    unsafe mutex.deallocate()
  }

  func lock() { unsafe pthread_mutex_lock(mutex) }
  func unlock() { unsafe pthread_mutex_unlock(mutex) }

  func locked<Result, Failure: Error>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
    lock()
    defer { unlock() }
    return try body()
  }

  /// Lets others have it meanwhile. Called by its holder.
  func unlocked<Result, Failure: Error>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
    unlock()
    defer { lock() }
    return try body()
  }
}

/// What threads that hold a lock wait on until another thread that holds it says that something changed.
@safe final class Condition: @unchecked Sendable {
  private let condition: UnsafeMutablePointer<pthread_cond_t>

  init() {
    unsafe condition = .allocate(capacity: 1)
    var attributes = pthread_condattr_t()
    // SAFETY: initialized once here and destroyed once in `deinit`, when nobody else holds the object any more.
    unsafe pthread_condattr_init(&attributes)
    unsafe pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    unsafe pthread_cond_init(condition, &attributes)
    unsafe pthread_condattr_destroy(&attributes)
  }

  deinit {
    unsafe pthread_cond_destroy(condition)
    unsafe condition.deallocate()
  }

  func signal() { unsafe pthread_cond_broadcast(condition) }

  func wait(_ lock: Lock) {
    // SAFETY: the caller holds the lock; both live through the call.
    unsafe pthread_cond_wait(condition, lock.mutex)
  }

  /// Waits at most this long; false at the time limit.
  func wait(_ lock: Lock, milliseconds: Int) -> Bool {
    var limit = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &limit)
    limit.tv_nsec += milliseconds % 1000 * 1_000_000
    limit.tv_sec += milliseconds / 1000 + limit.tv_nsec / 1_000_000_000
    limit.tv_nsec %= 1_000_000_000
    // SAFETY: as above.
    return unsafe pthread_cond_timedwait(condition, lock.mutex, &limit) == 0
  }
}
