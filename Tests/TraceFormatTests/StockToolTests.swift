import Glibc
import Testing
import TestSeeds
import TraceEvents
import TraceFile
import TraceFormat

private let zstd: String? = ["/usr/bin/zstd", "/usr/local/bin/zstd"].first { unsafe access($0, X_OK) == 0 }

/// Runs a command without a shell's help and returns its exit status.
private func run(_ arguments: [String], output: String) -> Int32 {
  var actions = unsafe posix_spawn_file_actions_t()
  var child: pid_t = 0
  var status: Int32 = -1
  // SAFETY: the C strings live until after the call, the list ends with nil.
  unsafe posix_spawn_file_actions_init(&actions)
  unsafe posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
  unsafe posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
  var list = unsafe arguments.map { unsafe strdup($0) } + [nil]
  defer { for unsafe text in unsafe list { unsafe free(text) } }
  guard unsafe posix_spawn(&child, arguments[0], &actions, nil, &list, nil) == 0 else { return -1 }
  unsafe waitpid(child, &status, 0)
  unsafe posix_spawn_file_actions_destroy(&actions)
  return status
}

struct StockToolTests {
  private func trace(_ file: TemporaryFile) throws -> TraceReader {
    var random = Seed(of: Seed.base(1), salt: 51)
    let header = TraceHeader(vcpuCount: 3)
    try write(randomEvents(2000, header, &random), header, to: file.path, blockSize: 150)
    return try TraceReader(path: file.path)
  }

  @Test(.enabled(if: zstd != nil, "needs the zstd command")) func stockZstdTestsAndUnpacksEveryFile() throws {
    let file = TemporaryFile()
    let output = TemporaryFile("out")
    let reader = try trace(file)
    let bytes = file.bytes
    for end in reader.blocks.map({ Int($0.end) }) + [bytes.count] {
      file.bytes = Array(bytes[..<end])
      #expect(run([zstd!, "-q", "-t", file.path], output: "/dev/null") == 0, "cut at \(end)")
      #expect(run([zstd!, "-q", "-dc", file.path], output: output.path) == 0)
      let raw = reader.blocks.filter { $0.end <= UInt64(end) }.reduce(0) { $0 + Int($1.prologue.rawSize) }
      #expect(output.bytes.count == raw)
    }
    file.bytes = Array(bytes.dropLast(1000))
    #expect(run([zstd!, "-q", "-t", file.path], output: "/dev/null") != 0)
  }

  @Test func theSeekTableIsThatOfTheSeekableFormat() throws {
    let file = TemporaryFile()
    let reader = try trace(file)
    let bytes = file.bytes
    func u32(_ at: Int) -> Int { (0..<4).reduce(0) { $0 | Int(bytes[at + $1]) << ($1 * 8) } }
    #expect(u32(bytes.count - 4) == 0x8F92_EAB1)
    #expect(bytes[bytes.count - 5] == 0)
    let frames = u32(bytes.count - 9)
    let start = bytes.count - 9 - frames * 8 - 8
    #expect(u32(start) == 0x184D_2A5E)
    #expect(u32(start + 4) == frames * 8 + 9)
    var at = 0
    for frame in 0..<frames {
      let (compressed, content) = (u32(start + 8 + frame * 8), u32(start + 12 + frame * 8))
      #expect(u32(at) == (frame % 2 == 0 ? 0x184D_2A57 : 0xFD2F_B528))
      #expect((content == 0) == (frame % 2 == 0))
      at += compressed
    }
    #expect(at == start)
    #expect(frames == reader.blocks.count * 2)
  }

  @Test func aPipeIsReadLikeAFile() throws {
    let file = TemporaryFile()
    let whole = readAll(try trace(file))
    let fifo = TemporaryFile("pipe")
    #expect(unsafe mkfifo(fifo.path, 0o600) == 0)
    var child: pid_t = 0
    var actions = unsafe posix_spawn_file_actions_t()
    unsafe posix_spawn_file_actions_init(&actions)
    var list = unsafe [strdup("/bin/cp"), strdup(file.path), strdup(fifo.path), nil]
    defer { for unsafe text in unsafe list { unsafe free(text) } }
    #expect(unsafe posix_spawn(&child, "/bin/cp", &actions, nil, &list, nil) == 0)
    #expect(readAll(try TraceReader(path: fifo.path)) == whole)
    waitpid(child, nil, 0)
    unsafe posix_spawn_file_actions_destroy(&actions)
  }
}
