import GuestImages
import Glibc
import KVM
import TraceEvents
import TraceFile
import TraceFormat

extension RecordingOptions {
  /// What the trace says of itself.
  func header(_ support: HostSupport, clockLead: Int64) -> TraceHeader {
    typealias Name = TraceHeader.Property.Name
    var properties = [
      TraceHeader.Property(Name.recorderVersion, recorderVersion),
      TraceHeader.Property(Name.hostKernel, support.kernel),
      TraceHeader.Property(Name.kvmKind, support.module.isEmpty ? support.kind.rawValue : "\(support.kind.rawValue) \(support.module)"),
      TraceHeader.Property(Name.kvmCapabilities, support.capabilities.map { "\($0.capability.name)=\($0.value)" }.joined(separator: " ")),
      TraceHeader.Property(Name.guestName, image.fileName),
      TraceHeader.Property(Name.guestDigest, image.digest),
      TraceHeader.Property("clock", "CLOCK_MONOTONIC"),
      TraceHeader.Property("dirty-ring-entries", String(dirtyRingEntries)),
    ]
    if !commandLine.isEmpty { properties.append(TraceHeader.Property(Name.commandLine, commandLine.joined(separator: " "))) }
    properties.append(TraceHeader.Property(Name.writes, writes.rawValue))
    properties.append(TraceHeader.Property(Name.schedule, schedule.name))
    if pc?.start != nil { properties.append(TraceHeader.Property(Name.start, RecordingSummary.startText(clockLead: clockLead))) }
    if let seed = schedule.seed { properties.append(TraceHeader.Property(Name.seed, String(seed))) }
    for fault in faults { properties.append(TraceHeader.Property(Name.fault, fault)) }
    return TraceHeader(
      vcpuCount: vcpuCount, memory: [GuestRange(start: 0, length: memorySize)],
      region: GuestRange(start: GuestInterface.regionBase, length: GuestInterface.regionSize), attribution: support.attribution,
      startTime: Self.wallClock(), properties: properties)
  }

  var writerOptions: TraceWriter.Options {
    var options = TraceWriter.Options()
    options.force = force
    options.maxSize = maximumSize
    options.last = last
    options.whenSlow = whenSlow
    if let eventsPerBlock { options.eventsPerBlock = eventsPerBlock }
    options.seam = outputSeam
    return options
  }

  private static func wallClock() -> UInt64 {
    var now = timespec()
    // SAFETY: the structure is ours.
    unsafe clock_gettime(CLOCK_REALTIME, &now)
    return UInt64(now.tv_sec) * 1_000_000_000 + UInt64(now.tv_nsec)
  }
}
