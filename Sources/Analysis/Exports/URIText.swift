/// Paths as URIs (RFC 3986).
enum URIText {
  /// A relative path stays one; an absolute one becomes a file URI.
  static func reference(toFile path: String) -> String {
    if path.hasPrefix("/") { return "file://" + escaped(path, keeping: "/") }
    return escaped(path.hasPrefix("./") ? String(path.dropFirst(2)) : path, keeping: "/")
  }

  /// All but unreserved characters, and those in `kept`, as percent signs and digits.
  static func escaped(_ text: String, keeping kept: String) -> String {
    var out = ""
    for byte in text.utf8 {
      let character = Unicode.Scalar(byte)
      let isUnreserved =
        switch character {
        case "a"..."z", "A"..."Z", "0"..."9", "-", ".", "_", "~": true
        default: kept.unicodeScalars.contains(character)
        }
      if isUnreserved {
        out.unicodeScalars.append(character)
      } else {
        let digits = String(byte, radix: 16, uppercase: true)
        out += (byte < 16 ? "%0" : "%") + digits
      }
    }
    return out
  }
}
