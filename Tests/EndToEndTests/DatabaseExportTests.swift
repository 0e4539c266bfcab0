import Foundation
import SQLite
import Testing

/// `export --format sqlite` as a user runs it.
struct DatabaseExportTests {
  private static func trace(_ name: String) -> String { Repository.root.appendingPathComponent("traces/\(name).tape").path }

  @Test func aDatabaseIsThereWhenItIsWhole() throws {
    let folder = try Folder()
    let path = folder.file("x.sqlite").path
    let written = try Tool.run("export", "--format", "sqlite", Self.trace("clean-brief-2"), "-o", path)
    #expect(written.status == 0 && written.output.hasPrefix("\(path): 177 events, ") && written.error.isEmpty, "\(written)")
    #expect(try DatabaseReader(path).lines("SELECT file, verdict, events FROM trace") == ["\(Self.trace("clean-brief-2"))|clean|177"])
    // What is there is kept, unless it may go.
    let before = try Data(contentsOf: folder.file("x.sqlite"))
    let kept = try Tool.run("export", "--format", "sqlite", Self.trace("fault-stop-skip-peer"), "-o", path)
    #expect(kept.status == 2 && kept.error.contains("not overwritten; --force overwrites it"))
    #expect(try Data(contentsOf: folder.file("x.sqlite")) == before)
    let forced = try Tool.run("export", "--format", "sqlite", Self.trace("fault-stop-skip-peer"), "-o", path, "--force")
    #expect(forced.status == 0, "\(forced.error)")
    #expect(try DatabaseReader(path).lines("SELECT verdict FROM trace") == ["violated"])
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path) == ["x.sqlite"])
  }

  @Test func aDamagedTraceMakesADatabaseOfWhatIsLeft() throws {
    let folder = try Folder()
    let path = folder.file("x.sqlite").path
    let written = try Tool.run("export", "--format", "sqlite", Self.trace("damaged-flipped"), "-o", path)
    #expect(written.status == 3 && written.error.contains("the frame's checksum"), "\(written)")
    #expect(try DatabaseReader(path).number("SELECT count(*) FROM damage") == 1)
  }

  @Test func whereItCannotBeWrittenItSaysSo() throws {
    let folder = try Folder()
    let trace = Self.trace("clean-brief-2")
    for arguments in [["export", "--format", "sqlite", trace], ["export", "--format", "sqlite", trace, "-o", "-"]] {
      let piped = try Tool.run(arguments)
      #expect(piped.status == 2 && piped.output.isEmpty && piped.error.contains("needs -o FILE"), "\(piped)")
    }
    let missing = try Tool.run("export", "--format", "sqlite", trace, "-o", folder.file("none/x.sqlite").path)
    #expect(missing.status == 2 && missing.error.contains("none/x.sqlite: cannot create: No such file or directory"), "\(missing)")
    let device = try Tool.run("export", "--format", "sqlite", trace, "-o", "/dev/full")
    #expect(device.status == 2 && device.error.contains("/dev/full: cannot write a database: not a regular file"), "\(device)")
    let itself = try Tool.run("export", "--format", "sqlite", trace, "-o", trace, "--force")
    #expect(itself.status == 2, "\(itself)")
  }

  /// Whether a file system of our own can be mounted, in a name space of its own.
  static let mounts = (try? Tool.run(["-rm", "sh", "-c", "mount -t tmpfs -o size=64k none /mnt"], path: "/usr/bin/unshare").status) == 0

  @Test(.enabled(if: mounts, "no small file system can be mounted here (unshare -rm): a full disk is not tried")) func aFullDiskLeavesNothing() throws {
    // The first one finds no room for the tables, the second one none for the events.
    for size in ["16k", "256k"] {
      let script = "mount -t tmpfs -o size=\(size) none /mnt && \"$0\" export --format sqlite \"$1\" -o /mnt/x.sqlite; echo $?; ls -A /mnt"
      let full = try Tool.run(["-rm", "sh", "-c", script, Tool.path, Self.trace("damaged-no-index")], path: "/usr/bin/unshare")
      #expect(full.output == "2\n", "\(full)")
      #expect(full.error == "pagetape: /mnt/x.sqlite: cannot write: database or disk is full\n", "\(full)")
    }
  }

  @Test func sqliteSaysWhatIsWrongAndWhere() throws {
    let folder = try Folder()
    let file = folder.file("x.sqlite")
    let missing = #expect(throws: DatabaseError.self) { try Database(path: file.path) }
    #expect(missing.map { "\($0)" } == "\(file.path): unable to open database file")
    #expect(FileManager.default.createFile(atPath: file.path, contents: nil))
    let database = try Database(path: file.path)
    let wrong = #expect(throws: DatabaseError.self) { try Statement(database, "SELEC 1") }
    #expect(wrong.map { "\($0)" } == "\(file.path): near \"SELEC\": syntax error")
    try database.run("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT NOT NULL, c BLOB)")
    let insert = try Statement(database, "INSERT INTO t VALUES (?, ?, ?)")
    try insert.run(.integer(1), .text(""), .blob([]))
    try insert.run(.integer(.max), .text("a\u{0}b\u{fffd}"), .blob([0, 255]))
    let twice = #expect(throws: DatabaseError.self) { try insert.run(.integer(1), .text("x"), .null) }
    #expect(twice.map { "\($0)" } == "\(file.path): UNIQUE constraint failed: t.a" && twice?.code == 1555)
    // It goes on after an error.
    try insert.bind(1, 2 as Int64)
    let lent: [UInt8] = [7, 8, 9]
    // SAFETY: bytes of bytes.
    try unsafe insert.run(lending: lent.span.bytes, to: 3)
    let none = #expect(throws: DatabaseError.self) { try insert.run(.integer(3), .text(nil), .null) }
    #expect(none?.message == "NOT NULL constraint failed: t.b")
    #expect(try DatabaseReader(file.path).rows("SELECT * FROM t ORDER BY a") == [
      [.integer(-1), .text("a\u{0}b\u{fffd}"), .blob([0, 255])], [.integer(1), .text(""), .blob([])],
      [.integer(2), .text("x"), .blob([7, 8, 9])],
    ])
  }

  /// The queries that the documents show are queries, and find something to show.
  @Test(arguments: ["README.md", "Sources/CommandLine/pagetape/pagetape.docc/TraceDatabase.md"]) func queriesInTheDocumentsWork(document: String) throws {
    let folder = try Folder()
    let path = folder.file("x.sqlite").path
    let map = folder.file("brief.map")
    try Data(Tool.run("guests", "brief", "--symbols").output.utf8).write(to: map)
    #expect(try Tool.run("export", "--format", "sqlite", Self.trace("fault-stop-skip-peer"), "-o", path, "--symbols", map.path).status == 0)
    let database = try DatabaseReader(path)
    let text = try String(contentsOf: Repository.root.appendingPathComponent(document), encoding: .utf8)
    let queries = text.components(separatedBy: "```sql\n").dropFirst().map { $0.components(separatedBy: "```") }
    #expect(queries.count >= 3)
    for query in queries {
      let lines = try database.lines(query[0])
      #expect(!lines.isEmpty, "\(query)")
      // What stands right behind a query is its output: two lines of head, then the rows.
      guard query.count > 2, query[1] == "\n\n" else { continue }
      let shown = query[2].split(separator: "\n").dropFirst(2).map { $0.split(separator: " ").joined(separator: "|") }
      #expect(shown == lines, "\(query[0])")
    }
  }
}
