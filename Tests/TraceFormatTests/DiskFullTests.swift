import Glibc
import Synchronization
import Testing
import TestSeeds
import TraceEvents
import TraceFile
import TraceFormat

/// A file that there is no more room for ends in order, and tells how much came too late.
struct DiskFullTests {
  /// Writes random events, which hardly compress, and the session's end, to a disk that is full at `bytes`.
  private func fill(_ path: String, _ seam: OutputSeam = OutputSeam(), events: Int = 20_000) throws -> TraceWriter {
    var options = TraceWriter.Options()
    options.eventsPerBlock = 100
    options.flushInterval = 0
    options.keyframeInterval = 300
    options.seam = seam
    let writer = try TraceWriter(path: path, header: TraceHeader(vcpuCount: 1), options: options)
    var random = Seed(of: Seed.base(1), salt: 43)
    for _ in 0..<events { writer.append(Event(.guestEnter, vcpu: 0, rip: random.next())) }
    writer.append(Event(.sessionEnd, vcpu: Event.host))
    let error = #expect(throws: TraceFileError.self) { try writer.finish() }
    #expect(error?.isDiskFull == true)
    return writer
  }

  /// The file is whole, and the events in it and those that it says came too late are all that there were.
  private func expectOrderlyEnd(_ path: String, _ writer: TraceWriter, events count: Int = 20_000, _ comment: Comment) throws {
    let reader = try TraceReader(path: path)
    let events = readAll(reader)
    #expect(reader.isComplete && reader.damage.isEmpty, comment)
    #expect(events.map(\.seq) == Array(1...UInt64(events.count)), comment)
    #expect(writer.eventCount == UInt64(events.count) && writer.size == reader.size, comment)
    let end = try #require(events.last)
    #expect(end.kind == .sessionEnd && end.a == EndReason.diskFull.rawValue, comment)
    #expect(events.dropLast().allSatisfy { $0.kind == .guestEnter }, comment)
    let late = count - (events.count - 1)
    #expect(late > 0 && String(decoding: end.data, as: UTF8.self).hasSuffix("later events not recorded: \(late)"), comment)
    // The end that was appended is among those that found no room.
    #expect(writer.failure?.dropped == UInt64(late) + 1, comment)
  }

  /// Full at any byte: in a block, in what is set aside, in the end itself. Where nothing can be set aside the last events make room for the end.
  @Test(arguments: [true, false]) func aFullDiskEndsTheFileInOrder(reserves: Bool) throws {
    for size in stride(from: 6000, to: 60_000, by: 1777) as StrideTo<UInt64> {
      let file = TemporaryFile()
      var seam = OutputSeam()
      seam.reserves = reserves
      seam.willTake = { offset, count in offset + UInt64(count) > size ? ENOSPC : 0 }
      let writer = try fill(file.path, seam)
      #expect(UInt64(file.bytes.count) <= size)
      try expectOrderlyEnd(file.path, writer, "full at \(size)")
    }
  }

  /// All events are written, and then the index finds no room.
  @Test func aDiskThatIsFullAtTheEndIsAnEndToo() throws {
    let file = TemporaryFile()
    let whole = TemporaryFile()
    let events = (1...500 as ClosedRange<UInt64>).map { Event(.guestEnter, vcpu: 0, seq: $0, rip: $0 &* 0x9E37_79B9_7F4A_7C15) }
    try write(events, TraceHeader(vcpuCount: 1), to: whole.path)
    let size = UInt64(whole.bytes.count) - 50
    var options = TraceWriter.Options()
    options.eventsPerBlock = 64
    options.flushInterval = 0
    options.seam.reserves = false
    options.seam.willTake = { offset, count in offset + UInt64(count) > size ? EDQUOT : 0 }
    let writer = try TraceWriter(path: file.path, header: TraceHeader(vcpuCount: 1), options: options)
    for event in events { writer.append(timed: event) }
    #expect(throws: TraceFileError.self) { try writer.finish() }
    let reader = try TraceReader(path: file.path)
    let read = readAll(reader)
    #expect(reader.isComplete && reader.size <= size)
    #expect(read.count > 300 && read.dropLast() == events.prefix(read.count - 1))
    #expect(read.last?.a == EndReason.diskFull.rawValue)
    #expect(writer.failure?.dropped == UInt64(500 - (read.count - 1)))
  }

  /// Somebody else fills the disk: what was set aside for the end is still there.
  @Test func whatIsSetAsideIsThereWhenTheDiskFills() throws {
    let file = TemporaryFile()
    let reserved = Mutex<UInt64>(0)
    var seam = OutputSeam()
    seam.willTake = { offset, count in
      reserved.withLock { reserved in
        let end = offset + UInt64(count)
        // From here on the disk gives nothing more, but what was taken before.
        if end > reserved, reserved > 20_000 { return ENOSPC }
        reserved = max(reserved, end)
        return 0
      }
    }
    let writer = try fill(file.path, seam)
    try expectOrderlyEnd(file.path, writer, "filled by somebody else")
    #expect(reserved.withLock { $0 } < 30_000)
  }

  @Test(.enabled(if: geteuid() == 0, "only root can mount a small file system"))
  func aSmallFileSystemFills() throws {
    let place = TemporaryFile("disk")
    // SAFETY: constant strings and paths of the test's own.
    guard unsafe mkdir(place.path, 0o700) == 0, unsafe mount("tmpfs", place.path, "tmpfs", 0, "size=128k") == 0 else {
      // A container's root may not mount.
      unsafe rmdir(place.path)
      try Test.cancel("this root cannot mount a tmpfs: error \(errno)")
    }
    defer {
      unsafe umount(place.path)
      unsafe rmdir(place.path)
    }
    let path = place.path + "/x.tape"
    let writer = try fill(path)
    try expectOrderlyEnd(path, writer, "a tmpfs of 128 KiB")
    #expect(try TraceReader(path: path).size > 90_000)
    // What was set aside is given back.
    var status = stat()
    unsafe stat(path, &status)
    #expect(status.st_blocks * 512 < status.st_size + 8192)
  }
}
