import TraceEvents

/// What is to be done about a trapped write, in this order (the first that applies decides):
///
/// 1. A driver page. From its registration on it is denied to every vCPU outside integrity mode. Code is denied in integrity mode too: that
///    needs the lock, after which driver code never changes. A driver thus sets itself up before it registers its pages.
/// 2. A vCPU in integrity mode writes everything else.
/// 3. A page that stores a reachable node: the node's action.
/// 4. Leaf mappings that cover bytes of the write: the most severe of their actions (terminate, suspend, deny, notify).
/// 5. Nothing: the write goes through and nobody is alerted.
///
/// A vCPU in the privileged mode counts as outside integrity mode, also where it was interrupted in it: the handler is no part of the driver.
struct AlertPolicy {
  enum Verdict: Hashable, Sendable {
    /// Let through in silence.
    case silent
    case alert(AlertAction, AlertOrigin)
  }

  /// The kind of driver page that is written, nil for none.
  var driverPage: DriverPageKind?
  var isInIntegrityMode: Bool
  var faults: FaultSet

  /// `naming` is only asked where the tree decides.
  func verdict(naming: () -> WriteNaming) -> Verdict {
    switch driverPage {
    case .code?: return .alert(.deny, .driverPage)
    case .data? where !isInIntegrityMode && !faults.contains(.openDriverData): return .alert(.deny, .driverPage)
    default: break
    }
    if isInIntegrityMode { return .silent }
    switch naming() {
    case .none: return .silent
    case .node(let action): return faults.contains(.ignoreNodes) ? .silent : .alert(action, .node)
    case .mapping(let action): return faults.contains(.ignoreMappings) ? .silent : .alert(action, .mapping)
    }
  }
}

/// What the tree says of a write.
enum WriteNaming: Hashable, Sendable {
  case none
  /// The page stores a reachable node, with this action.
  case node(AlertAction)
  /// Leaf mappings cover the bytes asked about. The action is the most severe of theirs.
  case mapping(AlertAction)
}
