import Foundation
import Testing

/// A stock kernel as the guest, as `tools/linux-guest` fetches it.
@Suite(.serialized) struct KernelTests {
  /// Where it is: the variable PAGETAPE_LINUX_GUEST names another folder.
  static let folder = ProcessInfo.processInfo.environment["PAGETAPE_LINUX_GUEST"].map { URL(fileURLWithPath: $0) }
    ?? Repository.root.appendingPathComponent(".build/linux-guest")

  static func has(_ name: String) -> Bool { FileManager.default.fileExists(atPath: folder.appendingPathComponent(name).path) }
  static var canRecord: Bool { FileManager.default.isWritableFile(atPath: "/dev/kvm") }

  /// Types a line each time the console shows its text, interrupts once it shows the last one, and gives what the tool said.
  private static func session(
    _ arguments: [String], _ lines: [(after: String, type: String)] = [], interruptAfter last: String? = nil, seconds: Double
  ) throws -> Tool.Result {
    let folder = try Folder()
    let output = folder.file("out"), error = folder.file("err")
    let process = Process()
    process.executableURL = URL(fileURLWithPath: Tool.path)
    process.arguments = arguments
    for file in [output, error] { _ = FileManager.default.createFile(atPath: file.path, contents: nil) }
    process.standardOutput = try FileHandle(forWritingTo: output)
    process.standardError = try FileHandle(forWritingTo: error)
    let input = Pipe()
    process.standardInput = input
    try process.run()
    let limit = Date().addingTimeInterval(seconds)
    func wait(for text: String) throws {
      while process.isRunning, Date() < limit, !(String(decoding: try Data(contentsOf: output), as: UTF8.self).contains(text)) { usleep(50_000) }
    }
    for line in lines {
      try wait(for: line.after)
      if process.isRunning { try input.fileHandleForWriting.write(contentsOf: Data(line.type.utf8)) }
    }
    if let last {
      try wait(for: last)
      process.interrupt()
    }
    while process.isRunning, Date() < limit { usleep(50_000) }
    if process.isRunning { process.terminate() }
    process.waitUntilExit()
    return Tool.Result(
      status: process.terminationStatus, output: String(decoding: try Data(contentsOf: output), as: UTF8.self),
      error: String(decoding: try Data(contentsOf: error), as: UTF8.self))
  }

  @Test(.enabled(if: canRecord && has("init.snapshot"), "needs /dev/kvm, and a snapshot: tools/linux-guest --snapshot makes it"))
  func aShellAnswersFromASnapshot() throws {
    let folder = try Folder()
    let trace = folder.file("linux.tape").path
    let recorded = try Self.session(
      ["record", "--from", Self.folder.appendingPathComponent("init.snapshot").path, "-o", trace],
      [(after: "/ # ", type: "echo answer-$((6*7))\n"), (after: "answer-42", type: "/bin/busybox poweroff -f\n")], seconds: 300)
    #expect(recorded.status == 0, "\(recorded.output) \(recorded.error)")
    #expect(recorded.output.contains("answer-42"))
    // Without ACPI, as by default where KVM emulates, a kernel that is told to power off halts.
    let ends = ["the guest halted for good", "the guest powered off"]
    #expect(ends.contains { recorded.output.contains("ended: guest finished, \($0)") })
    let replayed = try Tool.run("replay", trace)
    #expect(replayed.status == 0, "\(replayed.output)")
  }

  /// It patches its own functions early: those are found, with their names, and an allow-list takes them.
  @Test(.enabled(if: canRecord && has("vmlinuz"), "needs /dev/kvm, and a kernel: tools/linux-guest fetches it"))
  func aKernelStartsAndItsTextIsWatched() throws {
    let folder = try Folder()
    let (kernel, trace) = (Self.folder.appendingPathComponent("vmlinuz").path, folder.file("linux.tape").path)
    let (map, allowed) = (folder.file("System.map"), folder.file("text.allow").path)
    let names = try Tool.run("guests", kernel, "--symbols").output
    #expect(names.contains(" T start_kernel\n") && names.contains(" T _etext\n"))
    try Data(names.utf8).write(to: map)
    // The first line comes within seconds even where KVM emulates, and this one a little later; then it is told to stop.
    let recorded = try Self.session(
      [
        "record", "--kernel", kernel, "--memory", "128M", "--append", "acpi=force pagetape.test", "--protect", "do_one_initcall", "--protect",
        "sys_call_table", "--protect-from", "@start_kernel", "--symbols", map.path, "-o", trace,
      ], interruptAfter: "ftrace: allocated", seconds: 300)
    let text = recorded.output
    #expect(text.contains("Linux version"))
    #expect(text.contains("pagetape.test"))
    for table in ["RSDP", "XSDT", "FACP", "DSDT", "FACS", "APIC"] { #expect(text.contains("ACPI: \(table) 0x"), "the kernel finds \(table)") }
    for complaint in ["ACPI Error", "ACPI BIOS", "ACPI Warning"] { #expect(!text.contains(complaint), "\(text)") }
    #expect(recorded.status == 0, "\(recorded.error)")
    let info = try Tool.run("info", trace)
    #expect(info.output.contains("complete, ended: interrupted"))
    let replayed = try Tool.run("replay", trace, "--symbols", map.path, "--write-allow", allowed)
    #expect(replayed.status == 1, "\(replayed.output)")
    #expect(replayed.output.contains("tree/protected-write") && replayed.output.contains("(do_one_initcall+0x"), "\(replayed.output)")
    #expect(!replayed.output.contains("sys_call_table"))
    let again = try Tool.run("replay", trace, "--symbols", map.path, "--allow", allowed)
    #expect(again.output.hasPrefix("clean") || again.output.hasPrefix("incomplete"), "\(again.output)")
  }

  /// The stack that it starts on: nothing is executed with it protected.
  @Test(.enabled(if: canRecord && has("vmlinuz"), "needs /dev/kvm, and a kernel: tools/linux-guest fetches it"))
  func aKernelsStackIsNotProtected() throws {
    let folder = try Folder()
    let (kernel, trace, map) = (Self.folder.appendingPathComponent("vmlinuz").path, folder.file("linux.tape").path, folder.file("System.map"))
    try Data(try Tool.run("guests", kernel, "--symbols").output.utf8).write(to: map)
    let recorded = try Self.session(
      [
        "record", "--kernel", kernel, "--memory", "128M", "--protect", "init_stack", "--protect-from", "@start_kernel", "--symbols", map.path, "-o", trace,
      ], seconds: 300)
    #expect(recorded.status == 3, "\(recorded.output) \(recorded.error)")
    #expect(recorded.output.contains("ended: emulation failure, memory cannot be protected: vCPU 0's stack is at 0xffffffff"), "\(recorded.output)")
    #expect(!recorded.output.contains("panic"))
    #expect(try Tool.run("info", trace).output.contains("complete, ended: emulation failure"))
    #expect(try Tool.run("replay", trace).status == 0)
  }

  @Test(.enabled(if: canRecord, "needs /dev/kvm")) func aMomentThatNeverComesIsToldAndNothingIsTakenForProtected() throws {
    let folder = try Folder()
    let kernel = folder.file("kernel")
    // An ELF file of two instructions: cli, hlt.
    try Data(TinyKernel.bytes([0xfa, 0xf4])).write(to: kernel)
    let trace = folder.file("x.tape").path
    let result = try Tool.run("record", "--kernel", kernel.path, "--protect", "0x200000+4096", "--protect-from", "never", "-o", trace)
    #expect(result.status == 3, "\(result.output) \(result.error)")
    #expect(result.error.contains("the moment of --protect-from never came: nothing was protected"))
    #expect(try Tool.run("replay", trace).status == 0)
  }

  @Test func whatGoesTogetherIsSaid() throws {
    let wrong: [([String], String)] = [
      (["record", "-o", "x.tape"], "--guest, --kernel and --from"),
      (["record", "--kernel", "k", "--guest", "brief", "-o", "x.tape"], "--guest, --kernel and --from"),
      (["record", "--kernel", "k", "--from", "s", "-o", "x.tape"], "--guest, --kernel and --from"),
      (["record", "--guest", "brief", "--initrd", "i", "-o", "x.tape"], "--initrd and --append are for --kernel"),
      (["record", "--guest", "brief", "--snapshot", "s", "--snapshot-at", "t", "-o", "x.tape"], "--snapshot is for"),
      (["record", "--kernel", "k", "--snapshot", "s", "-o", "x.tape"], "go together"),
      (["record", "--kernel", "k", "--append", "quiet\nsplash", "-o", "x.tape"], "printable ASCII"),
      (["record", "--kernel", "k", "--snapshot", "s", "--snapshot-at", "boot", "-o", "x.tape"], "nothing to keep yet"),
      (["record", "--kernel", "k", "--snapshot", "s", "--snapshot-at", "@start_kernel", "-o", "x.tape"], "need --symbols"),
      (["record", "--guest", "brief", "--protect", "0x1000+8", "-o", "x.tape"], "--protect is for --kernel and --from"),
      (["record", "--kernel", "k", "--protect-from", "boot", "-o", "x.tape"], "are for --protect"),
      (["record", "--kernel", "k", "--protect", "0x1000+8", "--protect-from", "", "-o", "x.tape"], "--protect-from"),
      (["record", "--kernel", "k", "--protect", "kernel-text", "-o", "x.tape"], "need --symbols"),
      (["record", "--kernel", "k", "--protect", "0x1000+8", "--protect-from", "@x", "-o", "x.tape"], "need --symbols"),
      (["record", "--kernel", "k", "--protect", "0x1000+8", "--symbols", "s", "-o", "x.tape"], "--symbols is for the names"),
      (["record", "--kernel", "k", "--protect", "0x1000+8", "--writes", "pages", "-o", "x.tape"], "--protect needs writes that trap"),
      (["record", "--kernel", "k", "--writes", "exact", "-o", "x.tape"], "--writes"),
      (["record", "--from", "s", "--memory", "64M", "-o", "x.tape"], "--memory"),
      (["record", "--kernel", "", "-o", "x.tape"], "--kernel: the name of the file is empty"),
      (["record", "--kernel", "k", "--initrd", "", "-o", "x.tape"], "--initrd: the name of the file is empty"),
      (["record", "--kernel", "k", "-o", ""], "-o: the name of the file is empty"),
      (["record", "--guest", "", "-o", "x.tape"], "--guest: the name of the file is empty"),
      (["replay", "x.tape", "--symbols", ""], "--symbols: the name of the file is empty"),
      (["replay", ""], "the name of the trace is empty"),
      (["export", "--format", "csv", CorpusTests.folder.appendingPathComponent("clean-hello.tape").path, "-o", ""], "the name of the file is empty"),
      (["guests", CorpusTests.folder.appendingPathComponent("clean-hello.tape").path], "is no built-in guest; of a kernel's file --symbols"),
    ]
    for (arguments, message) in wrong {
      let result = try Tool.run(arguments)
      #expect(result.status == 2, "\(arguments)")
      #expect(result.error.contains(message), "\(arguments): \(result.error)")
    }
  }

  /// What is wrong with a number is said, and not that a symbol of that name is missing.
  @Test(arguments: [
    ("0xzz+4096", "'0xzz' in '0xzz+4096' is no number"), ("0x1000+0xq", "'0xq' in '0x1000+0xq' is no number"), ("0x1000+", "'' in '0x1000+' is no number"),
    ("0x1000", "expected an address and a length"), ("0x1000+1+2", "expected an address and a length"), ("0x1000+0", "has no bytes"),
    ("0x10000000000000000+1", "no number below 2^64"), ("", "expected an address and a length"),
  ]) func aBadNumberIsTold(what: String, message: String) throws {
    let result = try Tool.run("record", "--kernel", "k", "--protect", what, "-o", "x.tape")
    #expect(result.status == 2 && result.error.contains(message) && !result.error.contains("--symbols, a"), "\(result.error)")
  }

  @Test(arguments: [
    ("@-1", "'-1' in '@-1' is no number"), ("@0x", "'0x' in '@0x' is no number"), ("@", "'@' is no moment"), ("", "'' is no moment"),
    ("console:", "'console:' is no moment"), ("@0x800000000000", "no instruction is at 0x800000000000"),
    ("@0x8000000000000000", "no instruction is at 0x8000000000000000"), ("@0xffff7fffffffffff", "no instruction is at 0xffff7fffffffffff"),
  ]) func aBadMomentIsTold(moment: String, message: String) throws {
    for option in ["--protect-from", "--snapshot-at"] {
      let result = try Tool.run("record", "--kernel", "k", "--protect", "0x1000+8", "--snapshot", "s", option, moment, "-o", "x.tape")
      #expect(result.status == 2 && result.error.contains(message), "\(result.error)")
    }
  }

  /// A text that would be taken for another moment: the kernel never shows it, which is told where it is one.
  @Test(.enabled(if: canRecord, "needs /dev/kvm"), arguments: ["console:boot", "console:@x", "console:console:"])
  func anyTextIsAMoment(moment: String) throws {
    let folder = try Folder()
    let kernel = folder.file("kernel")
    try Data(TinyKernel.bytes([0xfa, 0xf4])).write(to: kernel)
    let result = try Tool.run(
      "record", "--kernel", kernel.path, "--protect", "0x200000+4096", "--protect-from", moment, "-o", folder.file("x.tape").path)
    #expect(result.status == 3 && result.error.contains("the moment of --protect-from never came"), "\(result.error)")
  }

  /// User mode of an emulating host runs on its processor: that an address there is not reached is said before, not found out afterwards.
  @Test(.enabled(if: canRecord, "needs /dev/kvm")) func anAddressOfUserModeIsWarnedOf() throws {
    let folder = try Folder()
    let kernel = folder.file("kernel")
    try Data(TinyKernel.bytes([0xfa, 0xf4])).write(to: kernel)
    for (number, address) in ["@0x401000", "@0xffffffff81000000"].enumerated() {
      let result = try Tool.run(
        "record", "--kernel", kernel.path, "--protect", "0x200000+4096", "--protect-from", address, "-o", folder.file("\(number).tape").path)
      #expect(result.status == 3, "\(result.error)")
      let isEmulating = try Tool.run("info", folder.file("\(number).tape").path).output.contains("emulating")
      if isEmulating { #expect(result.error.contains("user mode does not stop") == (number == 0), "\(result.error)") }
    }
  }

  @Test(.enabled(if: canRecord, "needs /dev/kvm")) func otherFilesAreRefused() throws {
    let folder = try Folder()
    let file = folder.file("file")
    try Data("no kernel".utf8).write(to: file)
    for option in ["--kernel", "--from"] {
      let result = try Tool.run("record", option, file.path, "-o", folder.file("x.tape").path)
      #expect(result.status == 2, "\(option): \(result.error)")
      #expect(result.error.contains(file.path))
      if option == "--kernel" { #expect(result.error.contains("expected a bzImage or an ELF file"), "\(result.error)") }
    }
    #expect(!FileManager.default.fileExists(atPath: folder.file("x.tape").path))
  }

  /// Nobody writes to it: to open it as a file is opened would be to wait for ever.
  @Test(.enabled(if: canRecord, "needs /dev/kvm")) func aPipeIsNoFile() throws {
    let folder = try Folder()
    let (pipe, kernel) = (folder.file("pipe").path, folder.file("kernel").path)
    // SAFETY: no memory is involved.
    #expect(unsafe mkfifo(pipe, 0o600) == 0)
    try Data(TinyKernel.saysR).write(to: URL(fileURLWithPath: kernel))
    let verbs = [
      ["guests", pipe, "--symbols"], ["record", "--kernel", pipe, "--discard"], ["record", "--from", pipe, "--discard"],
      ["record", "--guest", pipe, "--discard"], ["record", "--kernel", kernel, "--initrd", pipe, "--discard"],
    ]
    for verb in verbs {
      let result = try Tool.run(verb)
      #expect(result.status == 2 && result.error.contains("\(pipe): expected a regular file"), "\(verb): \(result.error)")
    }
  }
}
