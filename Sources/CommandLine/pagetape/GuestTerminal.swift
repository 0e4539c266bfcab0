import Foundation
import Glibc
import Runner
import Synchronization

/// This terminal as the console of a guest: what is typed goes to it key by key, what it says is shown as it comes. Ctrl-C alone stays ours.
final class GuestTerminal: Sendable {
  let console: Console
  /// How the terminal was, where it is one and was changed.
  private let before = Mutex<termios?>(nil)

  init() {
    console = Console { byte in
      // Output that cannot be written is the reader's business: the recording goes on.
      // SAFETY: one byte of one byte.
      _ = unsafe withUnsafeBytes(of: byte) { unsafe write(STDOUT_FILENO, $0.baseAddress, 1) }
    }
  }

  /// Reads standard input once there is a guest, until it ends or the recording does. No sooner: before, an interrupt would leave the terminal as changed.
  func join() {
    console.whenConnected { [self] in read() }
  }

  private func read() {
    setKeyByKey()
    let console = console
    Thread.detachNewThread {
      var bytes = [UInt8](repeating: 0, count: 256)
      // No faster than the guest takes it: the rest waits where it comes from.
      while console.waitForRoom() {
        // SAFETY: reads at most the array's size into it.
        let count = unsafe bytes.withUnsafeMutableBytes { unsafe Glibc.read(STDIN_FILENO, $0.baseAddress, $0.count) }
        if count < 0, errno == EINTR { continue }
        guard count > 0 else { return }
        console.send(Array(bytes[..<count]))
      }
    }
  }

  /// The terminal as it was.
  func leave() {
    before.withLock { before in
      if var settings = before { unsafe _ = tcsetattr(STDIN_FILENO, TCSANOW, &settings) }
      before = nil
    }
  }

  private func setKeyByKey() {
    guard isatty(STDIN_FILENO) == 1 else { return }
    var settings = termios()
    // SAFETY: the structure is ours.
    guard unsafe tcgetattr(STDIN_FILENO, &settings) == 0 else { return }
    let old = settings
    before.withLock { $0 = old }
    // No lines, no echo, no newlines for returns: the guest does all of that.
    settings.c_lflag &= ~tcflag_t(ICANON | ECHO)
    settings.c_iflag &= ~tcflag_t(ICRNL | IXON)
    // What would quit or suspend us, Ctrl-\ and Ctrl-Z (VQUIT, VSUSP), are keys of the guest's: 0 is _POSIX_VDISABLE.
    (settings.c_cc.1, settings.c_cc.10) = (0, 0)
    unsafe _ = tcsetattr(STDIN_FILENO, TCSANOW, &settings)
  }
}
