import Hypervisor
import KVM
import PCDevices
import SavedMachines

/// What makes a machine a PC: its devices, and what stands in for what an emulating host lacks.
@safe final class Platform: @unchecked Sendable {
  /// How often an emulating host's guest gets a tick: a timer that ticked as often as kernels like would leave it little time for anything else.
  static let tickNanoseconds: UInt64 = 100_000_000
  private static let timerLine = 0
  private static let panicText = "Kernel panic - not syncing"

  let console: Console
  /// The host emulates: instructions that KVM cannot execute are finished here, and ticks come from here. On other hosts nothing of that is done.
  let isEmulated: Bool

  /// What a guest can do to its machine for good.
  enum Ending { case reset, powerOff }

  private let lock = Lock()
  // Guarded by `lock`.
  private var devices: PCDevices
  private var isLineUp = false
  /// What the console was told of bytes that the guest has not taken.
  private var untaken = 0
  private var panic = TextWatch(Platform.panicText)
  /// What was asked for and is still to be done.
  private var watches: [RecordingSummary.Request: MomentWatch] = [:]
  let snapshot: SnapshotRequest?
  let protection: ProtectionRequest?
  let start: SavedMachine?

  init(_ options: PCOptions, _ kind: HostSupport.Kind) throws(RecordingError) {
    console = options.console
    isEmulated = kind == .emulating
    start = options.start
    snapshot = options.snapshot
    watches[.snapshot] = options.snapshot.map { MomentWatch($0.moment) }
    protection = options.protection
    watches[.protection] = options.protection.map { MomentWatch($0.moment) }
    let hasTimer = kind == .emulating
    guard let start = options.start else {
      devices = PCDevices(hasTimer: hasTimer)
      return
    }
    guard let saved = PCDevices(state: start.devices, hasTimer: hasTimer, now: monotonicNanoseconds()) else {
      throw .snapshot("devices of \(start.devices.count) bytes that they cannot have")
    }
    devices = saved
  }

  /// What an emulating KVM would tell a guest of, and then not execute or not have.
  var hiddenFeatures: [CPUFeature] { isEmulated ? CPUFeature.allCases : [] }

  /// To be called before there are vCPUs.
  func create(in machine: borrowing VirtualMachine) throws(KVMError) {
    try machine.createInterruptControllers()
    if !isEmulated { try machine.createTimer() }
  }

  /// What is to be kept of the devices where a snapshot is due; nil where none is. True once.
  func takeDueSnapshot() -> [UInt8]? {
    lock.locked { isDue(.snapshot) ? devices.state(now: monotonicNanoseconds()) : nil }
  }

  /// What is to be protected now, if anything. Once.
  func takeDueProtection() -> ProtectionPlan? {
    lock.locked { isDue(.protection) ? protection?.plan : nil }
  }

  /// True once, when its moment has come. Under `lock`.
  private func isDue(_ request: RecordingSummary.Request) -> Bool {
    guard watches[request]?.isDue == true else { return false }
    watches[request] = nil
    return true
  }

  /// What was asked for at a moment that never came.
  var missed: Set<RecordingSummary.Request> {
    lock.locked { Set(watches.keys) }
  }

  /// Where vCPUs are to stop for a moment that has not come.
  var awaitedAddresses: [UInt64] {
    lock.locked { watches.values.compactMap(\.awaited) }
  }

  /// Takes in where a vCPU stopped.
  func reach(_ address: UInt64) {
    lock.locked { for request in watches.keys { watches[request]?.reach(address) } }
  }

  /// Whether the guest said that it cannot go on.
  var hasPanicked: Bool { lock.locked { panic.isFound } }

  func read(_ port: UInt16, size: Int, _ machine: borrowing VirtualMachine, time: UInt64) throws(KVMError) -> UInt64 {
    try lock.locked { () throws(KVMError) -> UInt64 in
      let now = monotonicNanoseconds()
      var value: UInt64 = 0
      for index in 0..<size { value |= UInt64(devices.read(port &+ UInt16(index), now: now, time: time)) << UInt64(8 * index) }
      try updateSerial(machine)
      return value
    }
  }

  /// How the guest ended with this write; nil where it goes on.
  func write(_ port: UInt16, size: Int, _ value: UInt64, _ machine: borrowing VirtualMachine) throws(KVMError) -> Ending? {
    var sent: [UInt8] = []
    var ending: Ending?
    try lock.locked { () throws(KVMError) in
      let now = monotonicNanoseconds()
      for index in 0..<size {
        switch devices.write(port &+ UInt16(index), UInt8(truncatingIfNeeded: value >> UInt64(8 * index)), now: now, isWhole: size == 1) {
        case .none: break
        case .sent(let byte):
          _ = panic.take(byte)
          for request in watches.keys { watches[request]?.take(byte) }
          sent.append(byte)
        case .reset: ending = .reset
        case .powerOff: ending = .powerOff
        }
      }
      try updateSerial(machine)
    }
    for byte in sent { console.receive(byte) }
    return ending
  }

  func receive(_ bytes: [UInt8], _ machine: borrowing VirtualMachine) throws(KVMError) {
    try lock.locked { () throws(KVMError) in
      devices.serial.receive(bytes)
      try updateSerial(machine)
    }
  }

  func tick(_ machine: borrowing VirtualMachine) throws(KVMError) {
    guard isEmulated else { return }
    try machine.setLine(Self.timerLine, true)
    try machine.setLine(Self.timerLine, false)
  }

  /// What follows from the serial port's state. Under `lock`.
  private func updateSerial(_ machine: borrowing VirtualMachine) throws(KVMError) {
    if devices.serial.waiting != untaken {
      untaken = devices.serial.waiting
      console.note(untaken: untaken)
    }
    let isUp = devices.serial.wantsInterrupt
    guard isUp != isLineUp else { return }
    isLineUp = isUp
    try machine.setLine(SerialPort.line, isUp)
  }
}
