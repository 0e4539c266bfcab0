import PCDevices

/// A moment in the life of a guest with a PC's devices.
public enum Moment: Hashable, Sendable {
  /// Before its first instruction.
  case start
  /// Once it has sent this text, which is not empty, to its console.
  case console(String)
  /// Once a vCPU is about to execute the instruction at this guest-virtual address.
  case address(UInt64)
}

/// Whether a moment has come.
struct MomentWatch {
  private var text: TextWatch?
  /// The address that is yet to be reached.
  private(set) var awaited: UInt64?
  private(set) var isDue = false

  init(_ moment: Moment) {
    switch moment {
    case .start: isDue = true
    case .console(let text): self.text = TextWatch(text)
    case .address(let address): awaited = address
    }
  }

  /// Takes in a byte that the guest sent to its console.
  mutating func take(_ byte: UInt8) {
    if text?.take(byte) == true { isDue = true }
  }

  /// Takes in where a vCPU stopped.
  mutating func reach(_ address: UInt64) {
    guard awaited == address else { return }
    awaited = nil
    isDue = true
  }
}
