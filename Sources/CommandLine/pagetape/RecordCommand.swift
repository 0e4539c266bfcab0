import ArgumentParser
import GuestImages
import Hypervisor
import Reports
import Runner
import TraceEvents
import TraceFile

struct RecordCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "record", abstract: "Run a guest under KVM and record what it does.",
    discussion: Help.text(
      """
      A guest is a built-in one ('pagetape guests'), a flat binary or a static ELF64; or a Linux kernel, whose console is this \
      terminal. Ctrl-C ends the recording cleanly, and so do a terminal that is closed and \
      --max-size: what the trace holds has no holes, and it ends with its index and an end of 'size cap'. Exit status: 0 recorded, also up to the cap, \
      2 bad use or an I/O error, 3 the recording ended early and holds what came before, lost events to a slow disk, or never came to the moment of \
      --protect-from or --snapshot-at, 4 this host cannot run guests.
      """,
      Help.Example("record a built-in guest on four vCPUs", "pagetape record --guest integrity --vcpus 4 -o integrity.tape"),
      Help.Example("plant a fault", "pagetape record --guest brief --vcpus 3 --fault stop/map-early -o map.tape"),
      Help.Example(
        "in a schedule that can be repeated; --seed gives others", "pagetape record --guest brief --vcpus 3 --schedule serial -o serial.tape"),
      Help.Example("record a kernel's boot", "pagetape record --kernel /boot/vmlinuz --initrd initrd.cpio -o linux.tape"),
      Help.Example(
        "and who writes to its code ('guests FILE --symbols' makes the map)",
        "pagetape record --kernel bz --protect kernel-text --symbols map -o k.tape"),
      Help.Example("keep the last half minute of a long run", "pagetape record --guest kernel.elf --last 30s -o tail.tape")))

  @Option(help: ArgumentHelp("A built-in guest, or a file.", valueName: "name|file"), completion: .list(BuiltinGuest.all.map(\.name))) var guest: String?
  @OptionGroup(title: "A Linux kernel as the guest") var linux: KernelOptions
  @Option(help: "How many vCPUs, 1 to 64; 1 if not given.") var vcpus: Int?
  @Option(help: ArgumentHelp("Guest memory, as in 64M; up to 1792M. 16M if not given, and 256M for a kernel.", valueName: "size")) var memory: ByteSize?
  @Option(
    help: ArgumentHelp("Break this rule of the hypervisor ('pagetape faults'); may be given several times.", valueName: "name"),
    completion: .list(Fault.table.map(\.name)))
  var fault: [String] = []
  @Option(name: .shortAndLong, help: ArgumentHelp("Where the trace goes.", valueName: "file.tape")) var output: String?
  @Option(help: ArgumentHelp("End the recording before the file grows past this, as in 64M.", valueName: "size")) var maxSize: ByteSize?
  @Option(
    help: ArgumentHelp(
      "Keep the end of the recording only: a file of this size, as in 64M, or this much time, as in 30s, 5min or 1h.", valueName: "size|time"),
    transform: TailLength.init(_:))
  var last: TailLength?
  @Option(
    help: ArgumentHelp(
      "wait: the vCPUs wait for a disk that cannot keep up. drop: events are dropped, counted, and told in the trace.", valueName: "wait|drop"))
  var onSlowDisk: SlowDiskChoice = .wait
  @Option(
    help: ArgumentHelp(
      "parallel: all vCPUs at once. serial: one at a time, switching where the seed says; one seed gives one stream of events.",
      valueName: "parallel|serial"))
  var schedule: ScheduleName = .parallel
  @Option(
    help: ArgumentHelp(
      "exact: every write traps, and its bytes are recorded. pages: none does, and only the pages written are known. protected: exact on traced "
        + "pages, pages elsewhere. protected if not given, but pages for a kernel without --protect. A kernel does not take exact.",
      valueName: "exact|pages|protected"))
  var writes: WriteModeName?
  @Option(help: ArgumentHelp("The seed of a serial schedule; 1 if not given.", valueName: "n")) var seed: UInt64?
  @Flag(help: "Overwrite the output.") var force = false
  @Flag(help: "Run the guest with the same traps and record nothing: what recording's cost is measured against.") var discard = false

  func validate() throws {
    for (path, option) in [(guest, "--guest"), (output, "-o")] { try FileArgument.check(path, option) }
    if let vcpus, !(1...RecordingOptions.vcpuLimit).contains(vcpus) {
      throw ValidationError("--vcpus takes 1 to \(RecordingOptions.vcpuLimit), not \(vcpus)")
    }
    guard linux.isGiven != (guest != nil) else { throw ValidationError("give one of --guest, --kernel and --from") }
    try linux.validate()
    guard !linux.isGiven || fault.isEmpty && schedule == .parallel && writes != .exact else {
      throw ValidationError("a kernel asks nothing of the hypervisor: it is recorded without --fault, --schedule and --writes exact")
    }
    guard !linux.protection.isGiven || writes != .pages else { throw ValidationError("--protect needs writes that trap: leave --writes away") }
    guard memory == nil || linux.from == nil else { throw ValidationError("--memory is in the snapshot that --from names") }
    guard (output == nil) == discard else { throw ValidationError("give either -o FILE or --discard") }
    if output == "-" { throw ValidationError("a recording goes into a file, not to standard output: where the disk fills, its end is written over") }
    guard maxSize == nil || !discard else { throw ValidationError("--max-size is for a file, and --discard writes none") }
    guard last == nil || (!discard && maxSize == nil) else { throw ValidationError("--last is for a file, and for one without --max-size") }
    guard seed == nil || schedule == .serial else { throw ValidationError("--seed is for --schedule serial") }
    guard onSlowDisk == .wait || !discard && schedule == .parallel else {
      throw ValidationError("--on-slow-disk drop is for a file and for --schedule parallel: what a seed gives must not depend on the disk")
    }
    for name in fault where Fault(name: name) == nil {
      throw ValidationError(
        "no fault is called '\(name)'\(Suggestion.text(for: name, among: Fault.table.map(\.name))); 'pagetape faults' lists them")
    }
  }

  func run() throws {
    try checkFiles()
    let snapshot = try linux.snapshot.map { try SnapshotFile($0, overwrites: force) }
    defer { snapshot?.discard() }
    let terminal = linux.isGiven ? GuestTerminal() : nil
    defer { terminal?.leave() }
    var options = try baseOptions(terminal, snapshot)
    if let terminal { terminal.join() }
    options.faults = fault
    options.mode = discard ? .discard : .record
    options.force = force
    options.maximumSize = maxSize?.bytes
    options.last = last?.tail
    options.whenSlow = onSlowDisk == .drop ? .drop : .wait
    options.schedule = schedule == .serial ? .serial(seed: seed ?? 1) : .parallel
    options.writes = writes?.mode ?? (linux.isGiven && !linux.protection.isGiven ? .pages : .protected)
    options.commandLine = Arguments.all
    options.recorderVersion = Version.producer
    options.stopsOnInterrupt = true
    try tell(try record(options))
  }

  /// What is written may be none of the files that are read, and not one file twice.
  private func checkFiles() throws {
    var options: [FileIdentity: String] = [:]
    for (option, path) in [("--guest", guest)] + linux.inputs {
      if let path, FileBytes.exists(path), let file = FileIdentity(path) { options[file] = option }
    }
    for (option, path) in [("-o", output), ("--snapshot", linux.snapshot)] {
      guard let path, let file = FileIdentity(path) else { continue }
      if let other = options.updateValue(option, forKey: file) { throw Failure("\(path): cannot be both \(other) and \(option)") }
    }
  }

  /// What is recorded, before how.
  private func baseOptions(_ terminal: GuestTerminal?, _ snapshot: SnapshotFile?) throws -> RecordingOptions {
    if let terminal { return try linux.recording(vcpus: vcpus, memory: memory?.bytes, output: output ?? "", snapshot: snapshot, terminal.console) }
    let image: GuestImage
    do { image = try GuestImage(nameOrPath: guest ?? "") } catch { throw Failure("\(error)") }
    var options = RecordingOptions(image: image, vcpuCount: vcpus ?? 1, output: output ?? "")
    if let memory { options.memorySize = memory.bytes }
    return options
  }

  /// Records, and takes the progress line away before anything else is said.
  private func record(_ options: RecordingOptions) throws -> RecordingSummary {
    // A guest's console is not drawn over.
    let shows = Terminal.showsProgress && options.pc == nil
    defer { if shows { Terminal.endProgress() } }
    do {
      return try Recording.run(options, progress: shows ? { Self.show($0) } : nil)
    } catch { throw failure(error) }
  }

  private static func show(_ progress: RecordingProgress) {
    let seconds = Double(progress.elapsed) / 1e9
    let rate = seconds > 0 ? UInt64(Double(progress.events) / seconds) : 0
    Terminal.progress("\(Count.text(progress.events, "event")), \(Count.bytes(progress.bytes)), \(Count.grouped(rate)) events/s")
  }

  private func tell(_ summary: RecordingSummary) throws {
    let seconds = Count.decimal(Double(summary.duration) / 1e9)
    let reason = summary.detail.isEmpty ? summary.endReason.words : "\(summary.endReason.words), \(summary.detail)"
    let tail = summary.dropped == 0 ? "" : "the end of the recording (\(Count.text(summary.dropped, "event")) before it not kept): "
    let what = summary.path.map { "\($0): \(tail)\(Count.text(summary.events, "event")), \(Count.bytes(summary.bytes)), " } ?? "nothing recorded, "
    let lost = summary.lost == 0 ? "" : "; \(Count.text(summary.lost, "event")) lost: the disk was too slow"
    let cut = summary.tailCut.map { "; less of the end kept than asked for: \($0)" } ?? ""
    try Terminal.output("\(what)\(seconds) s, ended: \(reason)\(lost)\(cut)\n")
    if summary.missed.contains(.protection) { Terminal.error("pagetape: the moment of --protect-from never came: nothing was protected") }
    if summary.missed.contains(.snapshot) { Terminal.error("pagetape: the moment of --snapshot-at never came: there is no snapshot") }
    if let lead = summary.clockLeadText { Terminal.error("pagetape: the guest went on with its clock \(lead): this KVM does not set a time stamp counter") }
    if let failure = summary.snapshotFailure { Terminal.error("pagetape: there is no snapshot: \(failure)") }
    if case .bytes(let bytes)? = last?.tail, summary.startSize > bytes / 2 {
      Terminal.error("pagetape: --last: the protected pages as they were before take \(Count.bytes(summary.startSize)); a larger size keeps more events")
    }
    if summary.tailCut != nil || summary.snapshotFailure != nil { try ExitStatus.badUse.end() }
    switch summary.endReason {
    case .guestFinished, .interrupted, .allVCPUsHalted, .suspendedByAlert, .terminatedByAlert, .sizeCap:
      if summary.lost > 0 || !summary.missed.isEmpty { try ExitStatus.incomplete.end() }
    case .diskFull: try ExitStatus.badUse.end()
    case .tripleFault, .emulationFailure, .internalError: try ExitStatus.incomplete.end()
    }
  }

  private func failure(_ error: RecordingError) -> Failure {
    switch error {
    case .host: Failure("\(error)", .unsupported)
    case .snapshot: Failure("\(linux.from ?? ""): \(error)")
    case .file(let file) where file.code == .exists: Failure("\(error); --force overwrites it")
    case .file(let file) where file.code == .sizeCap: Failure("\(last == nil ? "--max-size" : "--last"): \(file.detail)")
    default: Failure("\(error)")
    }
  }
}

/// What `--writes` takes.
enum WriteModeName: String, ExpressibleByArgument, CaseIterable {
  case exact, pages, protected

  var mode: WriteMode {
    switch self {
    case .exact: .exact
    case .pages: .pages
    case .protected: .protected
    }
  }
}

/// What `--on-slow-disk` takes.
enum SlowDiskChoice: String, ExpressibleByArgument, CaseIterable {
  case wait, drop
}

/// What `--schedule` takes.
enum ScheduleName: String, ExpressibleByArgument, CaseIterable {
  case parallel, serial
}

/// What `--last` takes: bytes, or time with its unit.
struct TailLength {
  var tail: TraceWriter.Tail

  init(_ argument: String) throws {
    if argument.hasSuffix("m") {
      let number = argument.dropLast()
      throw ValidationError("'\(argument)' may be minutes or MiB: write \(number)min or \(number)M")
    }
    guard let tail = Self.tail(argument) else {
      throw ValidationError("'\(argument)' is neither a size, as in 64M, nor a time, as in 30s, 5min or 1h")
    }
    self.tail = tail
  }

  private static func tail(_ argument: String) -> TraceWriter.Tail? {
    let units: [(name: String, nanoseconds: UInt64)] = [("min", 60_000_000_000), ("h", 3_600_000_000_000), ("s", 1_000_000_000)]
    for unit in units where argument.hasSuffix(unit.name) {
      guard let number = UInt64(argument.dropLast(unit.name.count)), number > 0 else { return nil }
      let (time, overflow) = number.multipliedReportingOverflow(by: unit.nanoseconds)
      return overflow ? nil : .time(time)
    }
    return ByteSize(argument: argument).map { .bytes($0.bytes) }
  }
}

/// A number of bytes as people write it: `4096`, `64K`, `64M`, `1G`.
struct ByteSize: ExpressibleByArgument {
  var bytes: UInt64

  init?(argument: String) {
    let units: [Character: UInt64] = ["K": 1 << 10, "M": 1 << 20, "G": 1 << 30]
    var digits = argument.uppercased()
    var scale: UInt64 = 1
    if let last = digits.last, let unit = units[last] {
      scale = unit
      digits.removeLast()
    }
    guard let number = UInt64(digits), !number.multipliedReportingOverflow(by: scale).overflow else { return nil }
    bytes = number * scale
  }
}
