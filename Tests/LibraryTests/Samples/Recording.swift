// docs: record
import GuestImages
import Runner

/// Records the built-in guest `stop-storm` on three vCPUs, one at a time: the same seed gives the same events.
func recordStorm(to path: String) throws -> RecordingSummary {
  var options = RecordingOptions(image: try GuestImage(nameOrPath: "stop-storm"), vcpuCount: 3, output: path)
  options.schedule = .serial(seed: 7)
  return try Recording.run(options)
}
// docs: end

// docs: own-guest
/// A flat binary, loaded at 1 MiB and entered at its first byte. It writes one word and asks to end; see the guest ABI.
let oneWrite: [UInt8] = [
  0x48, 0xc7, 0x04, 0x25, 0x00, 0x00, 0x20, 0x00, 0x2a, 0x00, 0x00, 0x00,  // mov qword [0x200000], 42
  0x31, 0xff,  // xor edi, edi: exit code 0
  0xb8, 0x0f, 0x00, 0x00, 0x00,  // mov eax, 15: FINISH
  0x66, 0xba, 0x54, 0x50,  // mov dx, 0x5054
  0xef,  // out dx, eax
]

func recordOneWrite(to path: String) throws -> RecordingSummary {
  let image = try GuestImage(name: "one-write", fileBytes: oneWrite)
  return try Recording.run(RecordingOptions(image: image, vcpuCount: 1, output: path))
}
// docs: end
