import TraceEvents

extension Schema {
  /// Views cost nothing until they are asked: what is as large as the events themselves is not stored twice.
  static let views = """
    CREATE VIEW event_log AS
      SELECT e.seq, e.ns / 1e6 AS ms, e.vcpu, k.name AS kind, \(hexadecimal("e.gpa")) AS gpa, \(hexadecimal("e.rip")) AS rip, e.cause, e.a, e.b, e.c, e.d,
        hex(e.data) AS data, \(name("gpa", "e.gpa")) AS gpa_symbol, \(name("rip", "e.rip")) AS rip_symbol
      FROM events e JOIN kinds k USING (kind);
    CREATE VIEW writes AS
      SELECT w.seq, w.ns, w.vcpu, w.page, w.gpa, CASE w.kind WHEN \(EventKind.pageWrite.rawValue) THEN max(w.a, 1) ELSE 1 END AS writes,
        w.kind = \(EventKind.writeResult.rawValue) AS trapped,
        w.kind <> \(EventKind.writeResult.rawValue) OR w.a = \(WriteOutcome.applied.rawValue) AS applied, coalesce(w.rip, trap.rip) AS rip,
        (SELECT i.mode FROM intervals i WHERE i.vcpu = w.vcpu AND i.from_seq <= w.seq ORDER BY i.from_seq DESC LIMIT 1) AS mode, w.data,
        \(name("gpa", "w.gpa")) AS gpa_symbol, \(name("rip", "coalesce(w.rip, trap.rip)")) AS rip_symbol
      FROM events w LEFT JOIN events trap ON trap.seq = w.cause
      WHERE w.kind IN (\(EventKind.writeResult.rawValue), \(EventKind.pageWrite.rawValue), \(EventKind.guestWrite.rawValue));
    CREATE VIEW page_writes AS
      SELECT page, vcpu, sum(writes * applied) AS writes, sum(trapped) AS trapped, sum(NOT applied) AS dropped, min(seq) AS first_seq,
        max(seq) AS last_seq, \(name("gpa", "page")) AS page_symbol
      FROM writes GROUP BY page, vcpu;
    """

  private static func name(_ address: String, _ column: String) -> String {
    "(SELECT name FROM \(address)_symbols WHERE \(address)_symbols.\(address) = \(column))"
  }

  /// `printf` takes NULL for 0.
  private static func hexadecimal(_ column: String) -> String { "CASE WHEN \(column) IS NOT NULL THEN printf('0x%x', \(column)) END" }
}
