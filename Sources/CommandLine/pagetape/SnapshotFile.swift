import OutputFiles
import Reports
import SavedMachines
import Synchronization

/// Where a snapshot goes. It is made before the boot, beside the place that it takes when it is whole: what cannot be written is found out then.
final class SnapshotFile: Sendable {
  let path: String
  private let file: Mutex<OutputFile?>

  init(_ path: String, overwrites: Bool) throws(OutputFileError) {
    self.path = path
    file = Mutex(try OutputFile(path, overwrites: overwrites))
  }

  /// Writes it, once, and says so where it does not mix with the guest's console. The guest goes on whether or not that works.
  func write(_ machine: SavedMachine) throws(OutputFileError) {
    let bytes = machine.fileBytes()
    guard var file = file.withLock({ $0.take() }) else { return }
    do throws(OutputFileError) {
      // SAFETY: bytes of bytes.
      try unsafe file.write(bytes.span.bytes)
      try file.finish()
    } catch {
      Terminal.error("\rpagetape: no snapshot: \(error)\r")
      throw error
    }
    Terminal.error("\rpagetape: \(path): a snapshot, \(Count.bytes(UInt64(bytes.count)))\r")
  }

  /// Leaves nothing behind where none was taken.
  func discard() { file.withLock { $0 = nil } }
}
