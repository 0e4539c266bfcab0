import CKVM
import Glibc

/// A thread of its own for a vCPU: named, kickable, always joined.
@safe public final class VCPUThread: @unchecked Sendable {
  /// Names are cut to this by the kernel.
  public static let nameLimit = 15

  private var thread = pthread_t()
  private let name: String
  /// Of the thread alone once it runs, which lets go of it: the body holds what holds this.
  private var body: (@Sendable () -> Void)?
  private var joined = false

  /// Starts the thread. It receives the kick signal, and none that a user or a terminal sends.
  public static func start(name: String, _ body: @escaping @Sendable () -> Void) throws(KVMError) -> VCPUThread {
    let status = ckvm_install_kick_handler()
    guard status == 0 else { throw KVMError(.run, errno: -status, detail: "cannot handle the kick signal") }
    let object = VCPUThread(name: name, body)
    let argument = unsafe Unmanaged.passRetained(object)
    // SAFETY: the thread takes over the retained object; it is released here if there is no thread.
    let error = unsafe pthread_create(&object.thread, nil, { unsafe VCPUThread.run($0) }, argument.toOpaque())
    guard error == 0 else {
      unsafe argument.release()
      throw KVMError(.run, errno: error, detail: "cannot start thread \(name)")
    }
    return object
  }

  private init(name: String, _ body: @escaping @Sendable () -> Void) {
    self.name = String(name.prefix(Self.nameLimit))
    self.body = body
  }

  @unsafe private static func run(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    // SAFETY: the argument is the object that `start` retained for this thread.
    let object = unsafe Unmanaged<VCPUThread>.fromOpaque(argument!).takeRetainedValue()
    unsafe object.name.withCString { name in _ = unsafe ckvm_prepare_vcpu_thread(name) }
    let body = object.body
    object.body = nil
    body?()
    return nil
  }

  /// Makes a system call that the thread is in come back. Set `VCPU.setImmediateExit` first: the signal may come before the call.
  public func kick() { _ = ckvm_kick(thread) }

  /// Waits for the thread to end, at most this long; false where it has not ended. To be called once it is to end, by one thread.
  public func join(seconds: Int) -> Bool {
    guard !joined else { return true }
    joined = ckvm_join(thread, UInt32(seconds)) == 0
    return joined
  }
}

/// Something that happened, to be waited for; raising it is safe in a signal handler.
public struct Event: ~Copyable, Sendable {
  private let descriptor: Int32

  public init() throws(KVMError) {
    let result = ckvm_event_new()
    guard result >= 0 else { throw KVMError(.openDevice, errno: -result, detail: "eventfd") }
    descriptor = result
  }

  deinit { _ = ckvm_close(descriptor) }

  public func raise() { _ = ckvm_event_raise(descriptor) }
  public func clear() { _ = ckvm_event_clear(descriptor) }

  /// Waits for this or another, at most this long.
  public func wait(or other: borrowing Event, milliseconds: Int) -> (this: Bool, other: Bool) {
    let result = ckvm_event_wait(descriptor, other.descriptor, Int32(milliseconds))
    return (result > 0 && result & 1 != 0, result > 0 && result & 2 != 0)
  }

  /// From here an interrupt from the terminal (SIGINT), a request to end (SIGTERM) or a terminal that is closed (SIGHUP, unless it is ignored) raises
  /// this, once; the next interrupt or request does what it did before.
  public func raiseOnInterrupt() -> Bool { ckvm_stop_on_interrupt(descriptor) == 0 }
  public static func stopRaisingOnInterrupt() { _ = ckvm_stop_on_interrupt(-1) }
}

/// The monotonic clock, in nanoseconds.
public func monotonicNanoseconds() -> UInt64 { ckvm_nanoseconds() }
