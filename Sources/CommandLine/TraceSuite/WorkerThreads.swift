import CFiles
import Glibc

/// Threads of our own that share out work.
enum WorkerThreads {
  /// How many CPUs this process may use.
  static var cpuCount: Int { max(1, Int(cfiles_cpu_count())) }

  /// Runs `body` on so many threads, this one among them, and waits for all. Where the system gives fewer, it runs on those.
  static func run(_ count: Int, _ body: @escaping @Sendable () -> Void) {
    var threads: [pthread_t] = []
    for _ in 1..<max(1, count) {
      let start = unsafe Unmanaged.passRetained(Start(body))
      var thread = pthread_t()
      // SAFETY: the thread takes over the retained object; it is released here if there is no thread.
      guard unsafe pthread_create(&thread, nil, { unsafe Start.run($0) }, start.toOpaque()) == 0 else {
        unsafe start.release()
        break
      }
      threads.append(thread)
    }
    body()
    for thread in threads { pthread_join(thread, nil) }
  }

  private final class Start {
    let body: @Sendable () -> Void

    init(_ body: @escaping @Sendable () -> Void) { self.body = body }

    @unsafe static func run(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
      // SAFETY: the argument is the object that `run` retained for this thread.
      let start = unsafe Unmanaged<Start>.fromOpaque(argument!).takeRetainedValue()
      _ = unsafe cfiles_name_thread("pagetape-test")
      start.body()
      return nil
    }
  }
}
