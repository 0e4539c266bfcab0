public import TraceEvents

/// What a trace says of itself: who recorded what, and how to read it. The first block of every file.
public struct TraceHeader: Hashable, Sendable {
  /// The version that this module writes.
  public static let currentMajor: UInt16 = 2
  public static let currentMinor: UInt16 = 0
  /// The oldest version that this module reads. Version 1 differs in its events blocks alone.
  public static let oldestMajor: UInt16 = 1

  /// A kind of event as recorded: what lets a reader skip kinds that it does not know.
  public struct Kind: Hashable, Sendable {
    public var number: UInt8
    public var name: String
    public var columns: Columns

    public init(number: UInt8, name: String, columns: Columns) {
      self.number = number
      self.name = name
      self.columns = columns
    }
  }

  /// A fact in words. Names are lower case with hyphens; see `Property.Name` for those in use.
  public struct Property: Hashable, Sendable {
    public var name: String
    public var value: String

    public init(_ name: String, _ value: String) {
      self.name = name
      self.value = value
    }
  }

  public var major: UInt16 = Self.currentMajor
  public var minor: UInt16 = Self.currentMinor
  /// Features without which the file cannot be understood. A reader refuses bits that it does not know.
  public var requiredFeatures: UInt64 = 0
  /// Features that a reader may ignore.
  public var optionalFeatures: UInt64 = 0
  /// 1 to 1,024.
  public var vcpuCount: Int
  /// Guest RAM, ascending.
  public var memory: [GuestRange]
  /// The special memory region; of length 0 where there is none.
  public var region: GuestRange
  public var attribution: WriteAttribution
  /// Wall-clock time of the session start, in nanoseconds since 1970-01-01 UTC; 0 where unknown.
  public var startTime: UInt64
  /// Ticks of the events' clock a second.
  public var clockFrequency: UInt64 = 1_000_000_000
  public var kinds: [Kind]
  /// In the recorder's order; names may repeat.
  public var properties: [Property]

  public init(
    vcpuCount: Int, memory: [GuestRange] = [], region: GuestRange = GuestRange(start: 0, length: 0),
    attribution: WriteAttribution = .everyWrite, startTime: UInt64 = 0, properties: [Property] = []
  ) {
    self.vcpuCount = vcpuCount
    self.memory = memory
    self.region = region
    self.attribution = attribution
    self.startTime = startTime
    self.kinds = EventKind.table.map { Kind(number: $0.kind.rawValue, name: $0.name, columns: $0.columns) }
    self.properties = properties
  }

  /// The first property of this name.
  public func property(_ name: String) -> String? { properties.first { $0.name == name }?.value }

  /// Which writes trapped. Of a mode that this version does not know nothing is concluded from writes: it counts as `pages`.
  public var writes: WriteMode {
    guard let name = property(Property.Name.writes) else { return .protected }
    return WriteMode(rawValue: name) ?? .pages
  }
}

extension TraceHeader.Property {
  /// Names of properties that this project's recorder writes. None is required.
  public enum Name {
    public static let recorderVersion = "recorder-version"
    public static let hostKernel = "host-kernel"
    /// `hardware` or `emulating`, and the module's name.
    public static let kvmKind = "kvm-kind"
    public static let kvmCapabilities = "kvm-capabilities"
    public static let guestName = "guest-name"
    public static let guestDigest = "guest-digest"
    public static let commandLine = "command-line"
    /// One property for each fault injected.
    public static let fault = "fault"
    public static let seed = "seed"
    public static let schedule = "schedule"
    /// A `WriteMode`; `protected` where it is not said.
    public static let writes = "writes"
    /// That the guest went on from a snapshot, and how far its clock was off then; not there where it started.
    public static let start = "start"
    /// Of a trace that was made smaller: the digest of the events of the recording, and the rule whose finding it shows.
    public static let minimizedFrom = "minimized-from"
    public static let minimizedFinding = "minimized-finding"
  }
}
