import ArgumentParser
import GuestImages
import LinuxBoot
import Reports
import Runner
import SavedMachines

/// A Linux kernel as what `record` records, and snapshots of it.
struct KernelOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp("A bzImage or a vmlinux, started as it is. A host that emulates unpacks a bzImage itself: of LZ4 and zstd.", valueName: "file"),
    completion: .file())
  var kernel: String?
  @Option(help: ArgumentHelp("The initial RAM disk.", valueName: "file"), completion: .file()) var initrd: String?
  @Option(help: ArgumentHelp("What to add to the kernel's command line.", valueName: "words")) var append: String?
  @Option(
    help: ArgumentHelp("Write the machine's state there at the moment of --snapshot-at.", valueName: "file"), completion: .file())
  var snapshot: String?
  @Option(help: ArgumentHelp("When a snapshot is taken: \(MomentArgument.explanation).", valueName: "moment"), transform: MomentArgument.init(_:))
  var snapshotAt: MomentArgument?
  @Option(help: ArgumentHelp("Go on from a snapshot instead of starting a kernel.", valueName: "file"), completion: .file()) var from: String?
  @OptionGroup var protection: ProtectOptions
  @OptionGroup var names: SymbolOptions

  private static let defaultMemory: UInt64 = 256 << 20

  var isGiven: Bool { kernel != nil || from != nil }

  func validate() throws {
    for (path, option) in [(kernel, "--kernel"), (initrd, "--initrd"), (snapshot, "--snapshot"), (from, "--from")] { try FileArgument.check(path, option) }
    guard kernel == nil || from == nil else { throw ValidationError("give one of --guest, --kernel and --from") }
    guard kernel != nil || initrd == nil && append == nil else { throw ValidationError("--initrd and --append are for --kernel") }
    guard append?.utf8.allSatisfy({ (0x20...0x7e).contains($0) }) != false else {
      throw ValidationError("--append takes what can stand on a kernel's command line: printable ASCII characters")
    }
    guard (snapshot == nil) == (snapshotAt == nil) else { throw ValidationError("--snapshot and --snapshot-at go together") }
    guard isGiven || snapshot == nil else { throw ValidationError("--snapshot is for --kernel and --from") }
    if case .boot = snapshotAt { throw ValidationError("--snapshot-at boot: there is nothing to keep yet") }
    guard isGiven || !protection.isGiven else {
      throw ValidationError("--protect is for --kernel and --from: other guests protect their memory themselves")
    }
    let needsSymbols = protection.needsSymbols || snapshotAt?.needsSymbols == true
    guard needsSymbols || names.symbols == nil else {
      throw ValidationError("--symbols is for the names that --protect, --protect-from and --snapshot-at take")
    }
    guard !needsSymbols || names.symbols != nil else { throw ValidationError("names of the kernel's symbols need --symbols, a System.map or the vmlinux") }
    if snapshot == "-" { throw ValidationError("a snapshot goes into a file: standard output is the guest's console") }
  }

  /// The files that are read, by option.
  var inputs: [(option: String, path: String?)] {
    [("--kernel", kernel), ("--initrd", initrd), ("--from", from), ("--symbols", names.symbols)]
  }

  /// Everything of the options that depends on the guest. With a memory size where one was given.
  func recording(vcpus: Int?, memory: UInt64?, output: String, snapshot: SnapshotFile?, _ console: Console) throws -> RecordingOptions {
    var pc = PCOptions(console: console)
    let symbols = try names.load().map { NamedSymbols(symbols: $0, file: names.symbols ?? "") }
    let ramBytes: UInt64
    let image: GuestImage
    if let from {
      let saved = try savedMachine(from)
      if let vcpus, vcpus != saved.vcpus.count { throw Failure("--vcpus \(vcpus): the snapshot \(from) has \(saved.vcpus.count)") }
      pc.start = saved
      (image, ramBytes) = (GuestImage(saved), saved.ramBytes)
    } else {
      ramBytes = memory ?? Self.defaultMemory
      image = try kernelImage(vcpus: vcpus ?? 1, ramBytes: ramBytes)
    }
    if let snapshot, let snapshotAt {
      pc.snapshot = SnapshotRequest(at: try snapshotAt.moment(symbols), take: snapshot.write)
    }
    pc.protection = try protection.request(symbols, ramBytes: ramBytes)
    for moment in [pc.snapshot?.moment, pc.protection?.moment] { try moment?.lowAddress.map(Self.warn) }
    var options = RecordingOptions(image: image, vcpuCount: pc.start?.vcpus.count ?? vcpus ?? 1, output: output)
    options.memorySize = ramBytes
    options.pc = pc
    return options
  }

  /// Where instructions are executed by the host one by one, those of user mode are not: they run on its processor, without the guest's debug registers.
  private static func warn(ofLow address: UInt64) throws {
    guard try isEmulating else { return }
    Terminal.error("pagetape: @\(Hex.text(address)): user mode does not stop at an address on this host, which emulates; a kernel's first instructions do")
  }

  private static var isEmulating: Bool {
    get throws {
      do { return try HostSupport.check().kind == .emulating } catch { throw Failure("\(error)", .unsupported) }
    }
  }

  private func kernelImage(vcpus: Int, ramBytes: UInt64) throws -> GuestImage {
    let isEmulated = try Self.isEmulating
    let tsc: UInt64
    do {
      tsc = isEmulated ? try HostSupport.tscKilohertz() : 0
    } catch { throw Failure("\(error)", .unsupported) }
    guard vcpus == 1 || !isEmulated else { throw Failure("this host emulates guests, and emulates Linux on one vCPU only: leave --vcpus at 1") }
    let path = kernel ?? ""
    let file = try KernelFile.read(path)
    let disk = try initrd.map { try KernelFile.read($0) }
    let line =
      isEmulated
      ? KernelCommandLine.emulating(tscKilohertz: tsc, appending: append ?? "") : KernelCommandLine.hardware(appending: append ?? "")
    do throws(LinuxBootError) {
      let guest = try LinuxGuest(name: path, file: file, unpacked: isEmulated, initrd: disk, commandLine: line, vcpuCount: vcpus)
      return try guest.image(ramBytes: ramBytes)
    } catch {
      throw Failure("\(path): \(error)")
    }
  }

  private func savedMachine(_ path: String) throws -> SavedMachine {
    let bytes = try KernelFile.read(path)
    do throws(SavedMachineError) { return try SavedMachine(fileBytes: bytes) } catch { throw Failure("\(path): \(error)") }
  }
}

/// The name of a file on the command line.
enum FileArgument {
  /// An empty one, as scripts make them of a variable that is not set, is told as such.
  static func check(_ path: String?, _ what: String) throws {
    if path?.isEmpty == true { throw ValidationError("\(what): the name of the file is empty") }
  }
}

/// A kernel, an initial RAM disk, a snapshot: files that are read whole.
enum KernelFile {
  private static let limit: UInt64 = 1 << 30

  static func read(_ path: String) throws -> [UInt8] {
    do throws(GuestImageError) { return try FileBytes.read(path, limit: limit) } catch {
      throw Failure("\(error)\(Suggestion.text(forFile: path))")
    }
  }
}
