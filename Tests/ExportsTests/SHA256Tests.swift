import Digests
import Testing

@Suite struct SHA256Tests {
  /// The examples of FIPS 180-4, and the digest of nothing.
  @Test(arguments: [
    ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"), ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    ("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"),
  ])
  func knownDigests(text: String, digest: String) {
    #expect(SHA256.hexadecimal(Array(text.utf8)) == digest)
  }

  /// Whatever the pieces, the digest is that of the whole.
  @Test(arguments: [1, 3, 55, 63, 64, 65, 127, 128, 200]) func pieces(size: Int) {
    let bytes = (0..<1000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    var hash = SHA256()
    for start in stride(from: 0, to: bytes.count, by: size) { hash.update(Array(bytes[start..<min(start + size, bytes.count)])) }
    #expect(hash.hexadecimal() == SHA256.hexadecimal(bytes))
    // Asking changes nothing.
    #expect(hash.hexadecimal() == SHA256.hexadecimal(bytes))
  }
}
