/// Between this module and the kernel: where a test can watch every call, and make the one that it chooses fail.
public struct KVMSeam: Sendable {
  /// The kernel, unwatched.
  public static let direct = KVMSeam(probe: nil)

  public let probe: KVMProbe?

  public init(probe: KVMProbe?) { self.probe = probe }

  /// Makes a call and returns its result, 0 or more, or -errno.
  @inline(__always) func perform(_ call: KVMCall, _ body: () -> Int32) -> Int32 {
    guard let probe else { return body() }
    if let forced = probe.willCall(call) { return -forced }
    let result = body()
    probe.didCall(call, result)
    return result
  }

  @discardableResult @inline(__always)
  func call(_ call: KVMCall, _ detail: @autoclosure () -> String = "", _ body: () -> Int32) throws(KVMError) -> Int32 {
    let result = perform(call, body)
    guard result >= 0 else { throw KVMError(call, errno: -result, detail: detail()) }
    return result
  }
}
