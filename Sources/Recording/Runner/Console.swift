/// The other end of a guest's first serial port.
@safe public final class Console: @unchecked Sendable {
  /// So many bytes may wait for the guest before whoever has more is to wait, too.
  public static let room = 4096

  private let output: @Sendable (UInt8) -> Void
  private let lock = Lock()
  private let changed = Condition()
  // Guarded by `lock`.
  private var machine: (@Sendable ([UInt8]) -> Void)?
  private var connected: (@Sendable () -> Void)?
  /// What was sent before there was a machine.
  private var early: [UInt8] = []
  /// Bytes that the machine has and the guest has not taken.
  private var untaken = 0
  private var isOver = false

  /// `output` is called for each byte that the guest sends, on the thread of the vCPU that sends it.
  public init(output: @escaping @Sendable (UInt8) -> Void) { self.output = output }

  /// Has this called when there is a guest: from then on an interrupt ends the recording, where it is to.
  public func whenConnected(_ body: @escaping @Sendable () -> Void) {
    lock.locked { connected = body }
  }

  /// Sends bytes to the guest. From any thread, at any time: what the guest does not take waits.
  public func send(_ bytes: [UInt8]) {
    let take = lock.locked {
      if machine == nil { early += bytes }
      return machine
    }
    take?(bytes)
  }

  /// Waits until fewer than `room` bytes wait for the guest; false once there is no guest any more. For whoever has bytes without an end.
  public func waitForRoom() -> Bool {
    lock.locked {
      while !isOver, early.count + untaken >= Self.room { changed.wait(lock) }
      return !isOver
    }
  }

  func receive(_ byte: UInt8) { output(byte) }

  /// How many bytes the guest has not taken.
  func note(untaken: Int) {
    lock.locked {
      self.untaken = untaken
      changed.signal()
    }
  }

  func connect(_ take: @escaping @Sendable ([UInt8]) -> Void) {
    lock.locked { connected.take() }?()
    // What is sent meanwhile comes behind what was there.
    while let bytes = earlyBytes(orConnect: take) { take(bytes) }
  }

  private func earlyBytes(orConnect take: @escaping @Sendable ([UInt8]) -> Void) -> [UInt8]? {
    lock.locked {
      guard early.isEmpty else {
        defer { early = [] }
        return early
      }
      machine = take
      return nil
    }
  }

  func disconnect() {
    lock.locked {
      machine = nil
      isOver = true
      changed.signal()
    }
  }
}
