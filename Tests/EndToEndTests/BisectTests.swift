import Foundation
import Testing

/// `replay --bisect`, and `git bisect run` with it.
struct BisectTests {
  private static func trace(_ name: String) -> String { CorpusTests.folder.appendingPathComponent(name + ".tape").path }

  static let judgements: [(arguments: [String], status: Int32)] = [
    (["clean-brief-3"], 0), (["fault-stop-map-early"], 0), (["clean-brief-3", "--rule", "stop/*"], 0), (["fault-stop-map-early", "--rule", "stop/*"], 1),
    (["fault-stop-map-early", "--rule", "tree/*"], 0), (["damaged-flipped", "--rule", "stop/*"], 125), (["damaged-text", "--rule", "stop/*"], 125),
    (["damaged-flipped"], 0), (["fault-tree-keep-trace", "--rule", "tree/over-trace"], 1), (["fault-stop-map-early", "--rule", "stop/not-a-rule"], 125),
    (["clean-brief-3", "--at", "3"], 125),
  ]

  @Test(arguments: judgements)
  func itSaysGoodBadOrNothing(arguments: [String], status: Int32) throws {
    let result = try Tool.run(["replay", "--bisect", Self.trace(arguments[0])] + arguments.dropFirst())
    #expect(result.status == status, "\(result.output)\(result.error)")
  }

  @Test func whatCannotBeJudgedIsNeitherGoodNorBad() throws {
    let folder = try Folder()
    #expect(try Tool.run("replay", "--bisect", folder.file("nowhere.tape").path).status == 125)
    let alone = folder.file("x.tape")
    try FileManager.default.copyItem(at: URL(fileURLWithPath: Self.trace("clean-brief-3")), to: alone)
    let unexpected = try Tool.run("replay", "--bisect", alone.path)
    #expect(unexpected.status == 125 && unexpected.error.contains("--bisect needs --rule or an expectation"), "\(unexpected.error)")
    let other = try Tool.run("replay", "--bisect", alone.path, "--expect", CorpusTests.folder.appendingPathComponent("clean-brief-2.expected").path)
    #expect(other.status == 1 && other.output.contains("- events"), "\(other.output)")
    try Data(contentsOf: alone).dropLast(100).write(to: alone)
    #expect(try Tool.run("replay", "--bisect", alone.path, "--expect", CorpusTests.folder.appendingPathComponent("clean-brief-3.expected").path).status == 125)
  }

  /// Bad use is no bad commit, wherever the verb stands.
  @Test(arguments: [["replay", "--bisect"], ["--bisect", "replay", "x.tape"], ["replay", "x.tape", "--bisect", "--rule", "none/*"]])
  func badUseIsSkipped(arguments: [String]) throws {
    #expect(try Tool.run(arguments).status == 125)
  }

  /// Eight versions of a project whose recording goes wrong at the sixth; at the fourth it cannot be read.
  @Test func gitFindsTheCommit() throws {
    let folder = try Folder()
    let script = """
      set -eu
      cd "$1"
      git init -q -b main .
      git config user.name Nobody
      git config user.email nobody@example.invalid
      for n in 1 2 3 4 5 6 7 8; do
        case $n in
          4) head -c 3000 "$3/clean-brief-3.tape" > x.tape ;;
          6|7|8) cp "$3/fault-stop-map-early.tape" x.tape ;;
          *) cp "$3/clean-brief-3.tape" x.tape ;;
        esac
        echo "$n" > n
        git add -A
        git commit -q -m "version $n"
      done
      git bisect start HEAD HEAD~7
      git bisect run "$2" replay --bisect x.tape --rule 'stop/*'
      git log -1 --format='found: %s' refs/bisect/bad
      """
    let result = try Tool.run(["-c", script, "sh", folder.url.path, Tool.path, CorpusTests.folder.path], path: "/bin/sh")
    #expect(result.status == 0 && result.output.contains("found: version 6\n"), "\(result.output)\(result.error)")
  }
}
