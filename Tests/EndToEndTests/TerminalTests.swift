import Foundation
import Glibc
import Testing

/// A terminal as a guest's console.
@Suite(.serialized) struct TerminalTests {
  /// The recorder's end of a terminal, and ours.
  private struct Terminal {
    /// TIOCSPTLCK and TIOCGPTPEER (asm-generic/ioctls.h), which are macros that Swift does not see.
    private static let setLock: UInt = 0x4004_5431, getPeer: UInt = 0x5441

    let near: FileHandle
    let far: FileHandle

    init() throws {
      let descriptor = unsafe open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
      try #require(descriptor >= 0)
      near = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
      var locked: Int32 = 0
      unsafe _ = ioctl(descriptor, Self.setLock, &locked)
      let other = ioctl(descriptor, Self.getPeer, O_RDWR | O_NOCTTY | O_CLOEXEC)
      try #require(other >= 0)
      far = FileHandle(fileDescriptor: other, closeOnDealloc: true)
    }

    var settings: termios {
      var settings = termios()
      unsafe _ = tcgetattr(far.fileDescriptor, &settings)
      return settings
    }

    var isKeyByKey: Bool { settings.c_lflag & tcflag_t(ICANON | ECHO) == 0 }
  }

  /// Interrupted as soon as the terminal was changed: it is as it was afterwards, and the recording whole.
  @Test(.enabled(if: KVMAccess.isThere, KVMAccess.comment)) func theTerminalIsAsItWasAfterAnInterrupt() throws {
    let folder = try Folder()
    // jmp to itself
    try Data(TinyKernel.bytes([0xeb, 0xfe])).write(to: folder.file("kernel"))
    let terminal = try Terminal()
    #expect(!terminal.isKeyByKey)
    let process = Process()
    process.executableURL = URL(fileURLWithPath: Tool.path)
    process.arguments = ["record", "--kernel", folder.file("kernel").path, "-o", folder.file("x.tape").path]
    process.standardInput = terminal.far
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try process.run()
    while process.isRunning, !terminal.isKeyByKey { usleep(100) }
    let changed = terminal.settings
    process.interrupt()
    process.waitUntilExit()
    // Ctrl-\ and Ctrl-Z are the guest's.
    #expect(changed.c_cc.1 == 0 && changed.c_cc.10 == 0)
    #expect(changed.c_cc.0 == 3)
    #expect(process.terminationReason == .exit && process.terminationStatus == 0)
    #expect(!terminal.isKeyByKey && terminal.settings.c_cc.1 != 0)
    #expect(try Tool.run("info", folder.file("x.tape").path).output.contains("complete, ended: interrupted"))
  }
}
