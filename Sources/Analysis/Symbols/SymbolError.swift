public import ELFFormat

/// Why a file gives no symbols: where in it, and what was expected.
public struct SymbolError: Error, Hashable, Sendable, CustomStringConvertible {
  public enum Place: Hashable, Sendable {
    /// The number of a line of text, from 1.
    case line(Int)
    /// A byte offset.
    case offset(UInt64)
  }

  /// Nil where it is not a place in the file.
  public let place: Place?
  /// What was expected and what was seen, without a full stop.
  public let detail: String

  init(_ detail: String, at place: Place? = nil) {
    self.place = place
    self.detail = detail
  }

  public init(_ error: ELFError) { self.init(error.detail, at: error.offset.map(Place.offset)) }

  public var description: String {
    switch place {
    case .line(let number): "line \(number): \(detail)"
    case .offset(let offset): "offset 0x\(String(offset, radix: 16)): \(detail)"
    case nil: detail
    }
  }
}
