public import GuestImages
public import KVM
public import TraceEvents
public import TraceFile

/// What to record, and how.
public struct RecordingOptions: Sendable {
  /// What becomes of what is seen.
  public enum Mode: Sendable {
    /// A trace file.
    case record
    /// The same guest with the same traps, and nothing written: the base line that the cost of recording is measured against.
    case discard
  }

  public static let vcpuLimit = 64
  public static let defaultMemorySize: UInt64 = 16 << 20

  public var image: GuestImage
  /// Gives the guest a PC's devices and interrupt controllers; nil for a guest of `pagetape_abi.h`, which has none.
  public var pc: PCOptions?
  /// 1 to 64.
  public var vcpuCount: Int
  /// Guest RAM in bytes, whole pages, below the special region.
  public var memorySize: UInt64
  /// Names of the hypervisor's rules to break on purpose.
  public var faults: [String]
  /// The trace file; not used with `Mode.discard`.
  public var output: String
  public var mode: Mode
  /// Which vCPUs may act at a time.
  public var schedule: Schedule
  /// Which writes of the guest trap.
  public var writes: WriteMode
  /// Overwrites a file that is there.
  public var force: Bool
  /// Bytes that the file may grow to; nil for no limit.
  public var maximumSize: UInt64?
  /// What becomes of events that come faster than they can be written: the vCPUs wait for them, or they are counted as lost.
  public var whenSlow: TraceWriter.SlowDisk
  /// How much of the recording's end is kept; nil for all of it.
  public var last: TraceWriter.Tail?
  /// For the trace's header.
  public var commandLine: [String]
  public var recorderVersion: String
  /// Whether SIGINT, SIGTERM and SIGHUP (unless it is ignored) end the recording in order, from before the file is created until it is finished.
  public var stopsOnInterrupt: Bool
  /// Entries of each vCPU's dirty ring: a power of two, up to 65,536.
  public var dirtyRingEntries: Int
  public var devicePath: String
  /// How long the vCPUs' threads may take to end once the session is over. One that takes longer is left alone, and the trace's end names it.
  package var joinLimitSeconds = 30
  /// How long a vCPU may take to leave guest code after a kick before the session is given up.
  package var kickLimitSeconds = 20
  /// How long a vCPU may keep its turn without leaving guest code while others could act, in a serial schedule.
  package var turnLimitSeconds = 60
  /// Events in a full block; nil for the writer's own choice.
  package var eventsPerBlock: Int?
  /// For tests.
  public var seam: KVMSeam
  /// Likewise, for the trace file.
  package var outputSeam = OutputSeam()

  public init(image: GuestImage, vcpuCount: Int, output: String) {
    self.image = image
    pc = nil
    self.vcpuCount = vcpuCount
    self.output = output
    memorySize = max(Self.defaultMemorySize, 0)
    faults = []
    mode = .record
    schedule = .parallel
    writes = .protected
    force = false
    maximumSize = nil
    whenSlow = .wait
    last = nil
    commandLine = []
    recorderVersion = "0"
    stopsOnInterrupt = false
    dirtyRingEntries = 65_536
    devicePath = "/dev/kvm"
    seam = .direct
  }
}
