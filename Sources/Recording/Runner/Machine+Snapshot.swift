public import GuestImages
import KVM
public import SavedMachines
import PCDevices
import TraceEvents
import X86

/// A machine's state, taken and gone on from.
extension Machine {
  /// Takes a snapshot where its moment has come. Under `lock`, on the thread of a vCPU that is out of the guest, with no instruction half done.
  func takeSnapshotIfDue() {
    guard let platform, let request = platform.snapshot, let devices = platform.takeDueSnapshot(), end == nil, emptyGuest() else { return }
    do throws(KVMError) {
      let state = SavedMachine(
        name: image.fileName, digest: image.digest, isEmulated: platform.isEmulated, ramBytes: ram.range.length, memory: memoryInUse(),
        vcpus: try saveUnits(), interrupts: try virtualMachine.saveInterruptState(withTimer: !platform.isEmulated), devices: devices)
      do { try request.take(state) } catch { snapshotFailure = "\(error)" }
    } catch {
      finish(error)
    }
  }

  /// Memory that is not zero, in runs of pages.
  private func memoryInUse() -> [SavedMachine.Memory] {
    let zeros = [UInt8](repeating: 0, count: Int(guestPageSize))
    var out: [SavedMachine.Memory] = []
    for page in 0..<ram.pageCount {
      let gpa = UInt64(page) * guestPageSize
      guard let bytes = ram.read(gpa: gpa, count: Int(guestPageSize)), bytes != zeros else { continue }
      if let last = out.last, last.gpa + UInt64(last.bytes.count) == gpa {
        out[out.count - 1].bytes += bytes
      } else {
        out.append(SavedMachine.Memory(gpa: gpa, bytes: bytes))
      }
    }
    return out
  }

  /// Makes controllers and vCPUs what they were; memory is in the image.
  func restore(_ state: SavedMachine) throws(KVMError) {
    try virtualMachine.restoreInterruptState(state.interrupts, withTimer: !state.isEmulated)
    for (unit, parts) in zip(units, state.vcpus) { try unit.vcpu.restoreWhole(parts) }
    clockLead = try units[0].vcpu.clockLead(over: state.vcpus[0]) ?? 0
  }
}

extension SavedMachine {
  /// What keeps a recording from going on from it; nil where nothing does that shows before there is a machine.
  func problem(on kind: HostSupport.Kind) -> String? {
    guard isEmulated == (kind == .emulating) else {
      return isEmulated
        ? "taken on a host that emulates guests; this one has hardware for it" : "taken on a host with hardware for guests; this one emulates them"
    }
    for (number, parts) in vcpus.enumerated() {
      if let problem = VCPU.problem(with: parts) { return "vCPU \(number): \(problem)" }
    }
    return VirtualMachine.problem(withInterruptState: interrupts, withTimer: !isEmulated).map { "interrupt controllers: \($0)" }
  }
}

extension GuestImage {
  /// The guest that goes on from a machine's state (`PCOptions.start`).
  public init(_ state: SavedMachine) {
    // Where it starts is in the state.
    let boot = BootState(vcpu: 0, vcpuCount: 1, entry: 0, argument: 0, ramBytes: state.ramBytes)
    self.init(name: state.name, segments: state.memory.map { Segment(gpa: $0.gpa, bytes: $0.bytes) }, boot: boot, digest: state.digest)
  }
}
