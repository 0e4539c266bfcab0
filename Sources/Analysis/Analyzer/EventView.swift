internal import TraceEvents

/// The event in hand, as the judges see it: operands by value, data by reference for the time of the call.
@safe struct EventView: ~Copyable {
  var seq: UInt64
  var kind: EventKind
  var vcpu: UInt16
  var gpa: UInt64
  var rip: UInt64
  var cause: UInt64
  var a: UInt64
  var b: UInt64
  var c: UInt64
  var d: UInt64
  // SAFETY: points into the batch that is being consumed; no judge keeps a view past its call.
  var bytes: UnsafeRawBufferPointer

  init(_ event: Event, bytes: UnsafeRawBufferPointer) {
    seq = event.seq
    kind = event.kind
    vcpu = event.vcpu
    gpa = event.gpa
    rip = event.rip
    cause = event.cause
    a = event.a
    b = event.b
    c = event.c
    d = event.d
    unsafe self.bytes = bytes
  }

  var dataCount: Int { unsafe bytes.count }
  /// A copy, for what is kept.
  var data: [UInt8] { unsafe Array(bytes) }
  func byte(_ index: Int) -> UInt8 { unsafe bytes[index] }
  /// Little-endian word `index` of data that is a list of 8-byte words.
  func word(_ index: Int) -> UInt64 { word(at: index * 8) }
  /// Little-endian word at any place in the data.
  func word(at offset: Int) -> UInt64 { unsafe UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)) }
}
