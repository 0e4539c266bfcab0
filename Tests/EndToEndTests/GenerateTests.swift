import Foundation
import Testing

/// Synthetic traces keep every rule, races among them.
@Suite struct GenerateTests {
  private let folder: Folder

  init() throws { folder = try Folder() }

  @Test(arguments: [1, 2, 57, 64, 512, 1024])
  func aSyntheticTraceIsClean(vcpus: Int) throws {
    let tape = folder.file("x.tape").path
    #expect(try Tool.run("generate", "--events", "60000", "--vcpus", "\(vcpus)", "--seed", "3", "-o", tape).status == 0)
    let result = try Tool.run("replay", tape)
    #expect(result.status == 0, "\(result.output)")
  }
}
