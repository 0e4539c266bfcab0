/// A machine as it was at one moment: memory, vCPUs, interrupt controllers, devices. What a recording can go on from.
///
/// The parts of vCPUs and controllers are bytes as KVM gives them: they are for a host of the same kind.
public struct SavedMachine: Hashable, Sendable {
  /// Memory that is not zero.
  public struct Memory: Hashable, Sendable {
    public var gpa: UInt64
    public var bytes: [UInt8]

    public init(gpa: UInt64, bytes: [UInt8]) {
      self.gpa = gpa
      self.bytes = bytes
    }
  }

  /// The guest's name and digest, as in the header of a trace of it.
  public var name: String
  public var digest: String
  /// It was taken on a host that emulates guests.
  public var isEmulated: Bool
  /// Guest memory in bytes.
  public var ramBytes: UInt64
  /// Whole pages, by ascending address, inside guest memory, without overlaps.
  public var memory: [Memory]
  /// A list of parts for each vCPU.
  public var vcpus: [[[UInt8]]]
  public var interrupts: [[UInt8]]
  public var devices: [UInt8]

  public init(
    name: String, digest: String, isEmulated: Bool, ramBytes: UInt64, memory: [Memory], vcpus: [[[UInt8]]], interrupts: [[UInt8]], devices: [UInt8]
  ) {
    self.name = name
    self.digest = digest
    self.isEmulated = isEmulated
    self.ramBytes = ramBytes
    self.memory = memory
    self.vcpus = vcpus
    self.interrupts = interrupts
    self.devices = devices
  }
}

/// Why bytes are not a machine's state.
public enum SavedMachineError: Error, Hashable, Sendable, CustomStringConvertible {
  /// Another file.
  case notAMachine
  /// A state of another version.
  case version(UInt8)
  /// It ends too early, was changed, or says what cannot be.
  case damaged(String)

  public var description: String {
    switch self {
    case .notAMachine: "expected a saved machine, as 'record --snapshot' writes it"
    case .version(let version): "a saved machine of version \(version); expected version \(SavedMachine.version)"
    case .damaged(let what): "the saved machine is damaged: \(what)"
    }
  }
}
