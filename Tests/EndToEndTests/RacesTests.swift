import Foundation
import Testing

/// `pagetape races`, as a user runs it.
struct RacesTests {
  private let folder: Folder

  init() throws { folder = try Folder() }

  private func text(_ text: String) throws -> String {
    let url = folder.file("x.std")
    try Data(text.utf8).write(to: url)
    return url.path
  }

  private static let flag = "T1|w(data)|1\nT1|w(flag)|2\nT2|r(flag)|3\nT2|r(data)|4\n"
  private static let locked = "T1|acq(L)|1\nT1|w(x)|2\nT1|rel(L)|3\nT2|acq(L)|4\nT2|r(x)|5\nT2|rel(L)|6\n"

  @Test func racesAreListedAndTheStatusIsOne() throws {
    let path = try text(Self.flag)
    let result = try Tool.run("races", path)
    #expect(result.status == 1)
    #expect(result.output == "racy  \(path): 4 events, 1 race on 1 variable (shb)\n\nevent 3  T2 reads flag at 3\n")
    #expect(result.error.isEmpty)
    let hb = try Tool.run("races", path, "--semantics", "hb")
    #expect(hb.status == 1)
    #expect(hb.output.hasPrefix("racy  \(path): 4 events, 2 races on 2 variables (hb)\n"))
  }

  @Test func jsonIsOneObject() throws {
    let result = try Tool.run("races", try text(Self.flag), "--semantics", "hb", "--format", "json")
    #expect(result.status == 1)
    let object = try #require(try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
    #expect(object["semantics"] as? String == "hb")
    #expect(object["events"] as? Int == 4)
    let races = try #require(object["races"] as? [[String: Any]])
    #expect(races.map { $0["event"] as? Int } == [3, 4])
    #expect(races.map { $0["thread"] as? String } == ["T2", "T2"])
    #expect(races.map { $0["location"] as? String } == ["3", "4"])
    #expect(races.map { $0["variable"] as? String } == ["flag", "data"])
  }

  @Test func noRaceIsStatusZero() throws {
    let path = try text(Self.locked)
    let result = try Tool.run("races", path)
    #expect(result.status == 0)
    #expect(result.output == "clean  \(path): 6 events, no race (shb)\n")
    let json = try Tool.run("races", path, "--format", "json")
    #expect(json.status == 0)
    #expect(json.output == "{\"semantics\": \"shb\", \"events\": 6, \"races\": []}\n")
  }

  @Test func aMalformedLineIsStatusTwo() throws {
    let path = try text(Self.flag + "T2|poke(data)|5\n")
    for format in ["text", "json"] {
      let result = try Tool.run("races", path, "--format", format)
      #expect(result.status == 2)
      #expect(result.output.isEmpty)
      #expect(result.error.hasPrefix("pagetape: \(path): line 5: expected one of r(…), w(…)"))
    }
  }

  @Test func badUseIsStatusTwo() throws {
    #expect(try Tool.run("races").status == 2)
    #expect(try Tool.run("races", try text(Self.flag), "--semantics", "wcp").status == 2)
    let missing = try Tool.run("races", folder.file("none.std").path)
    #expect(missing.status == 2)
    #expect(missing.error.contains("cannot open: No such file"))
    let directory = try Tool.run("races", folder.url.path)
    #expect(directory.status == 2)
    #expect(directory.error.contains("cannot read: Is a directory"))
  }

  @Test func standardInputIsReadToo() throws {
    // A shell, for its pipe: what comes through one cannot be read twice.
    let path = try text(Self.flag)
    let result = try Tool.run(["-c", "cat '\(path)' | '\(Tool.path)' races -"], path: "/bin/sh")
    #expect(result.status == 1)
    #expect(result.output == "racy  -: 4 events, 1 race on 1 variable (shb)\n\nevent 3  T2 reads flag at 3\n")
    let empty = try Tool.run("races", "-")
    #expect(empty.status == 0)
    #expect(empty.output == "clean  -: 0 events, no race (shb)\n")
  }

  @Test func aNativeTraceIsToldApartFromText() throws {
    let tape = folder.file("x.tape").path
    #expect(try Tool.run("generate", "--events", "1000", "--vcpus", "2", "--seed", "1", "-o", tape).status == 0)
    let direct = try Tool.run("races", tape, "--format", "json")
    // A shell, for its pipe: what comes through one cannot be read twice.
    let piped = try Tool.run(["-c", "cat '\(tape)' | '\(Tool.path)' races - --format json"], path: "/bin/sh")
    #expect(direct.status == piped.status && direct.output == piped.output && !direct.output.isEmpty)
  }

  private struct List: Decodable {
    struct Race: Decodable {
      var event: UInt64
      var thread: String
      var location: String
      var variable: String
    }

    var semantics: String
    var events: UInt64
    var races: [Race]
  }

  private func list(_ arguments: String...) throws -> List {
    try JSONDecoder().decode(List.self, from: Data(try Tool.run(["races"] + arguments + ["--format", "json"]).output.utf8))
  }

  /// The location of a line is the number of the event that it comes from.
  @Test(arguments: ["clean-integrity-4", "clean-stop-storm-4", "race-stop-window", "format-1-fault-map-early"], ["hb", "shb"])
  func anExportRacesWhereItsTraceDoes(name: String, semantics: String) throws {
    let tape = Repository.root.appendingPathComponent("traces/\(name).tape").path
    let export = try Tool.run("export", tape, "--format", "std")
    #expect(export.status == 0)
    let native = try list(tape, "--semantics", semantics)
    let text = try list(try self.text(export.output), "--semantics", semantics)
    #expect(native.semantics == semantics)
    #expect(Set(native.races.map(\.event)) == Set(text.races.compactMap { UInt64($0.location) }))
    #expect(name.hasPrefix("clean") || !native.races.isEmpty)
    for race in native.races {
      #expect(race.thread.hasPrefix("vcpu") && race.variable.hasPrefix("0x") && (race.location == "unknown" || race.location.hasPrefix("0x")))
    }
  }

  @Test func aDamagedTraceIsToldWithItsRaces() throws {
    let tape = Repository.root.appendingPathComponent("traces/format-1-damaged-flipped.tape").path
    for verb in ["races", "export"] {
      let result = try Tool.run(verb, tape)
      #expect(result.status == 3)
      #expect(result.error.contains("events 10781 to 13414 are missing"))
    }
  }

  /// Every other verb reads such a file; it is no text.
  @Test(arguments: ["damaged-beheaded", "damaged-headless"])
  func aTraceThatLostItsFirstBytesIsATrace(name: String) throws {
    let result = try Tool.run("races", Repository.root.appendingPathComponent("traces/\(name).tape").path)
    #expect(result.status == 3)
    #expect(result.error.contains("frame 2: expected a prologue; events 1 to 1296 are missing"), "\(result.error)")
  }

  @Test func manyRacesAreAllThere() throws {
    var lines = "M|w(x)|0\n"
    for number in 1...50_000 { lines += "T\(number % 3)|w(x)|\(number)\n" }
    let result = try Tool.run("races", try text(lines), "--format", "json")
    #expect(result.status == 1)
    let object = try #require(try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
    #expect((object["races"] as? [Any])?.count == 50_000)
  }
}
