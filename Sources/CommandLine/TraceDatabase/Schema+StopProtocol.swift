import TraceEvents

extension Schema {
  private static func number(_ kind: EventKind) -> String { "\(kind.rawValue)" }

  /// What follows from the events alone is left to SQL: signals by what they caused, rendezvous by their number.
  static let stopProtocol = """
    CREATE TABLE signals (
      sent_seq INTEGER PRIMARY KEY, signal TEXT NOT NULL, rendezvous INTEGER, sender INTEGER, target INTEGER, sent_ns INTEGER NOT NULL,
      taken_seq INTEGER, taken_ns INTEGER);
    INSERT INTO signals
      SELECT s.seq, CASE s.kind WHEN \(number(.stopSend)) THEN 'stop' ELSE 'resume' END, s.b, s.vcpu, s.a, s.ns, t.seq, t.ns
      FROM events s LEFT JOIN events t ON t.seq = (
        SELECT min(taker.seq) FROM events taker WHERE taker.cause = s.seq AND taker.vcpu = s.a AND taker.kind IN (
          CASE s.kind WHEN \(number(.stopSend)) THEN \(number(.stopAck)) ELSE \(number(.resumeTake)) END,
          CASE s.kind WHEN \(number(.stopSend)) THEN \(number(.vcpuOffline)) END))
      WHERE s.kind IN (\(number(.stopSend)), \(number(.resumeSend)))
      ORDER BY s.seq;
    CREATE INDEX signals_by_rendezvous ON signals (rendezvous);
    CREATE TABLE rendezvous (
      rendezvous INTEGER PRIMARY KEY, claimer INTEGER, claim_seq INTEGER, claim_ns INTEGER, stops INTEGER NOT NULL, acks INTEGER NOT NULL,
      last_ack_ns INTEGER, map_seq INTEGER, map_ns INTEGER, entries INTEGER NOT NULL, unmap_seq INTEGER, unmap_ns INTEGER, end_seq INTEGER,
      end_ns INTEGER);
    INSERT INTO rendezvous
      SELECT summed.rendezvous, claim.vcpu, claim_seq, claim_ns, stops, acks, last_ack_ns, map_seq, map_ns, entries, unmap_seq, unmap_ns, end_seq, end_ns
      FROM (
        SELECT b AS rendezvous, \(first(.rendezvousClaim, "seq")) AS claim_seq, \(first(.rendezvousClaim, "ns")) AS claim_ns,
          \(count(.stopSend)) AS stops, \(count(.stopAck)) AS acks, \(last(.stopAck, "ns")) AS last_ack_ns, \(first(.regionMap, "seq")) AS map_seq,
          \(first(.regionMap, "ns")) AS map_ns, \(count(.modeEnter)) AS entries, \(last(.regionUnmap, "seq")) AS unmap_seq,
          \(last(.regionUnmap, "ns")) AS unmap_ns, \(last(.rendezvousEnd, "seq")) AS end_seq, \(last(.rendezvousEnd, "ns")) AS end_ns
        FROM events WHERE kind IN (\(EventKind.ofRendezvous.map(number).joined(separator: ", "))) AND b <> 0 GROUP BY b) summed
      LEFT JOIN events claim ON claim.seq = summed.claim_seq;
    """

  private static func first(_ kind: EventKind, _ column: String) -> String { "min(CASE kind WHEN \(number(kind)) THEN \(column) END)" }
  private static func last(_ kind: EventKind, _ column: String) -> String { "max(CASE kind WHEN \(number(kind)) THEN \(column) END)" }
  private static func count(_ kind: EventKind) -> String { "count(CASE kind WHEN \(number(kind)) THEN 1 END)" }
}

extension EventKind {
  /// Kinds whose `b` is the number of a rendezvous.
  static let ofRendezvous: [EventKind] = [
    .rendezvousClaim, .stopSend, .stopAck, .regionMap, .modeEnter, .modeExit, .regionUnmap, .resumeSend, .resumeTake, .rendezvousEnd, .modeReturn,
  ]
}
