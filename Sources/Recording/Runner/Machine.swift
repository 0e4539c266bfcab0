import GuestImages
import Hypervisor
import KVM
import PCDevices
import Synchronization
import TraceEvents
import TraceFile
import X86

/// The virtual machine of a session: memory, slots, vCPUs, the writer, and the lock under which everything is decided.
///
/// **Invariant:** the hypervisor core is called, slots are changed and registers of a vCPU that is not one's own are touched only under `lock`.
@safe final class Machine: @unchecked Sendable {
  /// How long a vCPU may take to leave guest code after a kick before the session is given up; the disk's time is not its own.
  private let kickLimitSeconds: Int
  let turnLimitSeconds: Int

  let lock = Lock()
  let gate: GuestGate
  let virtualMachine: VirtualMachine
  let ram: ShadowedMemory
  let region: ShadowedMemory
  let image: GuestImage
  /// Nil where nothing is recorded. Set before any thread runs.
  var writer: TraceWriter?
  private let recorded: Bool
  let writes: WriteMode
  /// Nil where the guest has no devices.
  let platform: Platform?
  /// Raised once the session is over.
  let ended: KVM.Event
  /// The number of the last event that is known of, for progress.
  let lastSeq = Atomic<UInt64>(0)
  /// Empty only while the machine is made.
  private(set) var units: [VCPUUnit] = []
  /// The model-specific registers that a snapshot holds.
  private let stateMSRs: [UInt32]

  // Guarded by `lock`.
  var slots: SlotMap
  var regionIsMapped = false
  /// The host protects memory of a guest that gets interrupts from KVM.
  var watchesStacks = false
  var applied = AppliedWrites()
  /// The vCPU whose write the core is deciding about.
  var writingVCPU: Int?
  private(set) var end: (reason: EndReason, detail: String)?
  /// How often a vCPU was looked at, whether it runs.
  var looks = 0
  /// How far the guest's clock is ahead of the snapshot that it goes on from, in nanoseconds. Set before any thread runs.
  var clockLead: Int64 = 0
  /// Why a snapshot could not be kept.
  var snapshotFailure: String?
  /// Nil where all vCPUs act at once.
  var turns: TurnOrder?
  private var ownSeq: UInt64 = 0
  private var resetsOwed = 0
  /// The host logs every write in the rings: they must be emptied by time, not only at exits of the guest's own. Set before the threads start.
  var harvestsByTime = false
  /// A ring overflowed: guarded by `resetLock`.
  private var hasOverflowed = false
  private let resetLock = Lock()

  init(_ options: RecordingOptions, _ platform: Platform?) throws(KVMError) {
    let seam = options.seam
    let system = try System(path: options.devicePath, seam: seam)
    var virtualMachine = try system.createVirtualMachine(hiding: platform?.hiddenFeatures ?? [])
    let recorded = options.mode == .record
    if recorded {
      let acquireRelease = try system.check(.dirtyRingAcquireRelease) > 0
      try virtualMachine.enableDirtyRings(entries: options.dirtyRingEntries, acquireRelease: acquireRelease)
    }
    if try system.check(.emulationFailureExit) > 0 { try virtualMachine.enableEmulationFailureExits() }
    try platform?.create(in: virtualMachine)
    stateMSRs = platform?.snapshot == nil ? [] : try system.stateMSRs()
    let ram = try ShadowedMemory(range: GuestRange(start: 0, length: options.memorySize), recorded: recorded, seam: seam)
    let region = try ShadowedMemory(
      range: GuestRange(start: GuestInterface.regionBase, length: GuestInterface.regionSize), recorded: recorded, seam: seam)
    let ended = try KVM.Event()
    self.virtualMachine = virtualMachine
    self.platform = platform
    self.ram = ram
    self.region = region
    self.ended = ended
    image = options.image
    if let seed = options.schedule.seed { turns = TurnOrder(vcpuCount: options.vcpuCount, seed: seed) }
    self.recorded = recorded
    writes = options.writes
    turnLimitSeconds = options.turnLimitSeconds
    kickLimitSeconds = options.kickLimitSeconds
    gate = GuestGate(vcpuCount: options.vcpuCount)
    slots = SlotMap(pageCount: ram.pageCount)
    try prepare(options)
  }

  private func prepare(_ options: RecordingOptions) throws(KVMError) {
    load()
    for run in slots.runs { try self.virtualMachine.add(slot(run)) }
    for number in 0..<options.vcpuCount {
      units.append(VCPUUnit(try virtualMachine.createVCPU(id: number), pageCount: ram.pageCount + region.pageCount))
    }
  }

  /// What comes before the first instruction: the state of a snapshot, where there is one.
  func makeReady() throws(RecordingError) {
    if let start = platform?.start {
      do throws(KVMError) { try restore(start) } catch { throw .snapshot("KVM does not take it: \(error)") }
    }
    do throws(KVMError) {
      for unit in units { try setBreakpoints(unit) }
    } catch { throw .host(error) }
  }

  /// Every vCPU's state, with none of them in the guest.
  func saveUnits() throws(KVMError) -> [[[UInt8]]] {
    var out: [[[UInt8]]] = []
    for unit in units { out.append(try unit.vcpu.saveWhole(stateMSRs)) }
    return out
  }

  private func load() {
    if image.boot == nil { for (gpa, bytes) in BootMemory.contents { ram.write(gpa: gpa, bytes) } }
    for segment in image.segments { ram.write(gpa: segment.gpa, segment.bytes) }
    region.write(gpa: GuestInterface.regionBase, image.region)
  }

  // MARK: Slots

  /// How a run of pages is told to KVM.
  func slot(_ run: SlotMap.Run) -> MemorySlot {
    let traps = run.traced || writes == .exact
    let gpa = UInt64(run.first) * guestPageSize
    return MemorySlot(
      number: run.slot, gpa: gpa, size: UInt64(run.count) * guestPageSize, address: ram.memory.address + gpa, readOnly: traps,
      logsDirtyPages: recorded && !traps)
  }

  var regionSlot: MemorySlot {
    MemorySlot(
      number: SlotMap.regionSlot, gpa: region.range.start, size: region.range.length, address: region.memory.address,
      readOnly: writes == .exact, logsDirtyPages: recorded && writes != .exact)
  }

  /// The page that a ring entry names, RAM's first and then the region's; -1 for none.
  func page(slot: UInt32, offset: UInt64) -> Int {
    guard slot & 0xffff != SlotMap.regionSlot else { return ram.pageCount + Int(offset) }
    let number = Int(slot & 0xffff)
    guard number < slots.firstPage.count, slots.firstPage[number] >= 0 else { return -1 }
    return slots.firstPage[number] + Int(offset)
  }

  func isRAM(_ gpa: UInt64) -> Bool { ram.range.contains(gpa) }

  /// Gets every vCPU out of guest code, with its writes told; nobody can go in as long as the caller holds `lock`.
  func emptyGuest() -> Bool {
    if isSerial { return true }
    if gate.waitUntilEmpty(TimeLimit(seconds: kickLimitSeconds, writer), kick: { self.sendKick(self.units[$0]) }) { return true }
    let inside = units.map(\.number).filter(gate.isInside).map { "\($0)" }.joined(separator: ", ")
    finish(.internalError, "vCPU \(inside) did not leave guest code within \(kickLimitSeconds) seconds")
    return false
  }

  /// Gets a harvest out of every vCPU that executes guest code, before its ring can run over. Under `lock`.
  func kickAllInside() {
    for unit in units where gate.isInside(unit.number) && (turns == nil || turns?.holder == unit.number) { sendKick(unit) }
  }

  func sendKick(_ unit: VCPUUnit) {
    unit.vcpu.setImmediateExit(true)
    unit.thread?.kick()
  }

  // MARK: Dirty rings

  /// Makes KVM take back harvested entries, and checks that it took them all, unless a ring overflowed (which is recorded as a loss).
  func resetDirtyRings(harvested: Int, overflowed: Bool) throws(KVMError) {
    resetLock.lock()
    defer { resetLock.unlock() }
    resetsOwed += harvested
    hasOverflowed = hasOverflowed || overflowed
    var attempts = 0
    // It stops early where a signal is pending. Entries of other vCPUs may be among those it takes: they are counted when their owners come here.
    while resetsOwed > 0 {
      let taken = try virtualMachine.resetDirtyRings()
      resetsOwed -= taken
      attempts = taken > 0 ? 0 : attempts + 1
      if attempts < 100 { continue }
      // After an overflow KVM's position and ours differ until the ring has caught up; the loss itself is in the trace.
      guard hasOverflowed else { throw KVMError(.resetDirtyRings, errno: 0, detail: "\(resetsOwed) harvested entries were not taken back") }
      resetsOwed = 0
    }
  }

  // MARK: The end

  /// Ends the session: everyone leaves guest code, or wakes, and finds it over. The first reason stays. Under `lock`.
  func finish(_ reason: EndReason, _ detail: String) {
    guard end == nil else { return }
    end = (reason, detail)
    for unit in units {
      if gate.isInside(unit.number) { sendKick(unit) }
      if !unit.isFinished { turns?.unblock(unit.number) }
      unit.changed.signal()
    }
    ended.raise()
  }

  func finish(_ error: KVMError) { finish(.internalError, error.description) }

  func finish(_ error: TraceFileError) {
    finish(error.endReason ?? .internalError, error.description)
  }

  /// Ends the session where every vCPU waits or is offline: nothing is left that could wake one. Under `lock`.
  func noteIdle() {
    guard units.allSatisfy({ $0.isWaiting || $0.isFinished }) else { return }
    finish(.allVCPUsHalted, "every vCPU waits or is offline")
  }

  /// Gives an event a number where no writer does. Under `lock`.
  func nextOwnSeq() -> UInt64 {
    ownSeq += 1
    return ownSeq
  }
}
