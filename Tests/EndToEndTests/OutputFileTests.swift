import Foundation
import OutputFiles
import Testing

/// A file is there when it is whole, and not before.
@Suite struct OutputFileTests {
  private let folder: Folder

  init() throws { folder = try Folder() }

  private func names() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: folder.url.path).sorted() }

  private func text(_ name: String) throws -> String { try String(contentsOf: folder.file(name), encoding: .utf8) }

  @Test func itTakesItsPlaceAtTheEnd() throws {
    var file = try OutputFile(folder.file("x").path, overwrites: false)
    try file.write("one")
    #expect(!(try names().contains("x")))
    try file.write(" and two")
    #expect(file.byteCount == 11)
    try file.finish()
    #expect(try names() == ["x"] && text("x") == "one and two")
  }

  @Test func whatIsNotFinishedLeavesNothing() throws {
    struct Stop: Error {}
    #expect(throws: Stop.self) {
      var file = try OutputFile(folder.file("x").path, overwrites: false)
      try file.write("half of it")
      #expect(try names().count == 1)
      throw Stop()
    }
    #expect(try names() == [])
  }

  @Test func whatIsThereStays() throws {
    try Data("mine".utf8).write(to: folder.file("x"))
    #expect(throws: OutputFileError.self) { _ = try OutputFile(folder.file("x").path, overwrites: false) }
    #expect(try names() == ["x"] && text("x") == "mine")
    // Half of another file does not show, either.
    do {
      var file = try OutputFile(folder.file("x").path, overwrites: true)
      try file.write("half of it")
      #expect(try text("x") == "mine")
    }
    #expect(try names() == ["x"] && text("x") == "mine")
  }

  /// Looked at again at the end: it may have come meanwhile.
  @Test func whatCameMeanwhileStays() throws {
    var file = try OutputFile(folder.file("x").path, overwrites: false)
    try file.write("late")
    try Data("first".utf8).write(to: folder.file("x"))
    do throws(OutputFileError) {
      try file.finish()
      Issue.record("it was overwritten")
    } catch { #expect(error.isThere) }
    #expect(try names() == ["x"] && text("x") == "first")
  }

  @Test func modesAndLinksStay() throws {
    try Data("old".utf8).write(to: folder.file("x"))
    try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: folder.file("x").path)
    try FileManager.default.createSymbolicLink(at: folder.file("link"), withDestinationURL: folder.file("x"))
    try OutputFile.write("new", to: folder.file("link").path, overwrites: true)
    #expect(try names() == ["link", "x"] && text("x") == "new")
    #expect(try FileManager.default.destinationOfSymbolicLink(atPath: folder.file("link").path) == folder.file("x").path)
    #expect(try FileManager.default.attributesOfItem(atPath: folder.file("x").path)[.posixPermissions] as? Int == 0o600)
  }

  @Test func placesThatAreNoFilesAreWrittenAsItGoes() throws {
    try OutputFile.write("gone", to: "/dev/null", overwrites: false)
    #expect(throws: OutputFileError.self) { try OutputFile.write("too much", to: "/dev/full", overwrites: true) }
    try FileManager.default.createSymbolicLink(atPath: folder.file("link").path, withDestinationPath: "nowhere")
    // Before anything is written.
    for path in [folder.url.path, folder.file("no/such/x").path, "", folder.file("link").path] {
      #expect(throws: OutputFileError.self) { _ = try OutputFile(path, overwrites: true) }
    }
    #expect(try names() == ["link"])
  }

  /// The name of the file that is written is no longer than it has to be: the longest that a folder can hold is one, too.
  @Test func aLongNameIsOne() throws {
    let name = String(repeating: "n", count: 255)
    try OutputFile.write("x", to: folder.file(name).path, overwrites: false)
    #expect(try names() == [name])
  }
}
