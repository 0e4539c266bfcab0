import Foundation
import SavedMachines
import Testing

/// Snapshots of kernels, as the verb takes them and goes on from them.
@Suite(.serialized) struct SnapshotTests {
  private let folder: Folder

  init() throws {
    folder = try Folder()
    try Data(TinyKernel.saysR).write(to: folder.file("kernel"))
  }

  private func path(_ name: String) -> String { folder.file(name).path }
  private func names() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: folder.url.path).sorted() }

  /// Records the kernel, with a snapshot once it has said `text`.
  private func record(snapshot: String, at text: String = "r", _ others: String...) throws -> Tool.Result {
    try Tool.run(
      ["record", "--kernel", path("kernel"), "--memory", "16M", "--snapshot", snapshot, "--snapshot-at", text] + (others.isEmpty ? ["--discard"] : others))
  }

  @Test(.enabled(if: KVMAccess.isThere, KVMAccess.comment)) func itIsWhereItShouldBeAndGoneOnFrom() throws {
    let taken = try record(snapshot: path("s"))
    #expect(taken.status == 0, "\(taken.error)")
    #expect(taken.error.contains("\(path("s")): a snapshot, "))
    #expect(try names() == ["kernel", "s"])
    let again = try Tool.run("record", "--from", path("s"), "-o", path("x.tape"))
    #expect(again.status == 0, "\(again.error)")
    #expect(again.output.contains("the guest halted for good"))
    let info = try Tool.run("info", path("x.tape")).output
    #expect(info.contains("snapshot\n") && !info.contains("guest-name /"), "\(info)")
  }

  @Test(.enabled(if: KVMAccess.isThere, KVMAccess.comment)) func oneThatIsNotOfThisHostIsRefusedByName() throws {
    #expect(try record(snapshot: path("s")).status == 0)
    let state = try SavedMachine(fileBytes: Array(Data(contentsOf: folder.file("s"))))
    #expect(state.name == "kernel")
    let vcpus = try Tool.run("record", "--from", path("s"), "--vcpus", "2", "--discard")
    #expect(vcpus.status == 2)
    #expect(vcpus.error == "pagetape: --vcpus 2: the snapshot \(path("s")) has 1\n")
    let changes: [(inout SavedMachine) -> Void] = [
      { $0.isEmulated.toggle() }, { $0.vcpus[0][1] = [UInt8](repeating: 0xff, count: 312) }, { $0.vcpus = Array(repeating: [], count: 65) },
    ]
    for change in changes {
      var other = state
      change(&other)
      try Data(other.fileBytes()).write(to: folder.file("s"))
      let result = try Tool.run("record", "--from", path("s"), "-o", path("x.tape"))
      #expect(result.status == 2, "\(result.error)")
      #expect(result.error.hasPrefix("pagetape: \(path("s")): "), "\(result.error)")
      #expect(try names() == ["kernel", "s"])
    }
  }

  /// Before the boot, and before there is a trace.
  @Test(.enabled(if: KVMAccess.isThere, KVMAccess.comment)) func whatCannotBeWrittenIsFoundOutAtOnce() throws {
    try FileManager.default.createSymbolicLink(atPath: path("link"), withDestinationPath: path("nowhere"))
    try Data("mine".utf8).write(to: folder.file("mine"))
    let before = try names()
    for place in [path("no/such"), folder.url.path, path("kernel/s"), path("link"), path("mine")] {
      let result = try record(snapshot: place, "-o", path("x.tape"))
      #expect(result.status == 2, "\(place): \(result.error)")
      #expect(result.error.hasPrefix("pagetape: \(place): "), "\(place): \(result.error)")
      #expect(result.output.isEmpty, "\(place): the kernel ran")
      #expect(try names() == before, "\(place)")
    }
  }

  @Test(.enabled(if: KVMAccess.isThere, KVMAccess.comment)) func aDiskThatIsFullWhenItIsTakenIsTold() throws {
    let result = try record(snapshot: "/dev/full", "-o", path("x.tape"))
    #expect(result.status == 2, "\(result.output)")
    #expect(result.error.contains("no snapshot: /dev/full: cannot write"))
    // The recording is none the worse.
    #expect(try Tool.run("replay", path("x.tape")).status == 0)
  }

  @Test(.enabled(if: KVMAccess.isThere, KVMAccess.comment)) func aMomentThatNeverComesLeavesNothing() throws {
    let result = try record(snapshot: path("s"), at: "never")
    #expect(result.status == 3, "\(result.output)")
    #expect(result.error.contains("the moment of --snapshot-at never came: there is no snapshot"))
    #expect(try names() == ["kernel"])
  }

  /// By one name, by another, by a link that leads there, and where it is not there yet.
  @Test func noFileIsWrittenThatIsReadOrWrittenOtherwise() throws {
    try Data("old".utf8).write(to: folder.file("old"))
    try FileManager.default.linkItem(atPath: path("kernel"), toPath: path("hard"))
    try FileManager.default.createSymbolicLink(atPath: path("soft"), withDestinationPath: path("kernel"))
    try FileManager.default.createSymbolicLink(atPath: path("ahead"), withDestinationPath: "new")
    try FileManager.default.createSymbolicLink(atPath: path("here"), withDestinationPath: folder.url.path)
    let kernel = ["--kernel", path("kernel")], taken = ["--snapshot-at", "r", "--force"]
    let wrong: [([String], (String, String))] = [
      (kernel + ["-o", path("kernel"), "--force"], ("--kernel", "-o")),
      (kernel + ["-o", path("x"), "--snapshot", path("hard")] + taken, ("--kernel", "--snapshot")),
      (kernel + ["-o", path("x"), "--snapshot", path("soft")] + taken, ("--kernel", "--snapshot")),
      (kernel + ["--initrd", path("old"), "-o", path("here/old"), "--force"], ("--initrd", "-o")),
      (kernel + ["--protect", "kernel-text", "--symbols", path("old"), "-o", path("old"), "--force"], ("--symbols", "-o")),
      (kernel + ["-o", path("new"), "--snapshot", path("new")] + taken, ("-o", "--snapshot")),
      (kernel + ["-o", path("new"), "--snapshot", path("here/new")] + taken, ("-o", "--snapshot")),
      (kernel + ["-o", path("ahead"), "--snapshot", path("new")] + taken, ("-o", "--snapshot")),
      (["--from", path("old"), "--snapshot", path("old"), "-o", path("x")] + taken, ("--from", "--snapshot")),
      (["--guest", path("kernel"), "-o", path("kernel"), "--force"], ("--guest", "-o")),
    ]
    let before = try names()
    for (arguments, (one, other)) in wrong {
      let result = try Tool.run(["record"] + arguments)
      #expect(result.status == 2, "\(arguments)")
      #expect(result.error.contains(": cannot be both \(one) and \(other)"), "\(arguments): \(result.error)")
    }
    #expect(try names() == before)
    #expect(try Data(contentsOf: folder.file("kernel")) == Data(TinyKernel.saysR))
  }
}
