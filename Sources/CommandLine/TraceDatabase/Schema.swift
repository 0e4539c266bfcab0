import TraceEvents

/// The tables of a database, indexes and views; the page "A trace as a database" says what each column holds.
enum Schema {
  /// Goes up with any change after which a query that worked may not work any more. `user_version` of the file, too.
  static let version: Int64 = 1
  /// "ptap": what `file` and the like know such a database by.
  static let applicationID: Int64 = 0x7074_6170

  /// Nobody reads it before it is whole, and what fails is thrown away: no journal is kept, and nothing waits for the disk.
  static let settings = """
    PRAGMA application_id = \(applicationID);
    PRAGMA user_version = \(version);
    PRAGMA journal_mode = OFF;
    PRAGMA synchronous = OFF;
    PRAGMA locking_mode = EXCLUSIVE;
    PRAGMA cache_size = -16384;
    """

  static let tables = """
    CREATE TABLE trace (
      schema_version INTEGER NOT NULL, producer TEXT NOT NULL, file TEXT NOT NULL, size INTEGER NOT NULL, format TEXT NOT NULL,
      verdict TEXT NOT NULL, complete INTEGER NOT NULL, events INTEGER NOT NULL, lost INTEGER NOT NULL, first_seq INTEGER, last_seq INTEGER,
      duration_ns INTEGER NOT NULL, start_unix_ns INTEGER, vcpus INTEGER NOT NULL, attribution TEXT NOT NULL, writes TEXT NOT NULL);
    CREATE TABLE properties (position INTEGER PRIMARY KEY, name TEXT NOT NULL, value TEXT NOT NULL);
    CREATE TABLE memory (start INTEGER NOT NULL, length INTEGER NOT NULL, what TEXT NOT NULL);
    CREATE TABLE damage (
      position INTEGER PRIMARY KEY, what TEXT NOT NULL, offset INTEGER NOT NULL, length INTEGER NOT NULL, frame INTEGER, expected TEXT NOT NULL,
      first_missing INTEGER, last_missing INTEGER);
    CREATE TABLE kinds (kind INTEGER PRIMARY KEY, name TEXT NOT NULL, operands TEXT NOT NULL);
    CREATE TABLE operand_values (kind INTEGER NOT NULL REFERENCES kinds, operand TEXT NOT NULL, value INTEGER NOT NULL, name TEXT NOT NULL,
      PRIMARY KEY (kind, operand, value)) WITHOUT ROWID;
    CREATE TABLE events (
      seq INTEGER PRIMARY KEY, ns INTEGER NOT NULL, kind INTEGER NOT NULL REFERENCES kinds, vcpu INTEGER, gpa INTEGER, rip INTEGER, cause INTEGER,
      a INTEGER, b INTEGER, c INTEGER, d INTEGER, data BLOB, page INTEGER GENERATED ALWAYS AS (gpa & -4096) VIRTUAL);
    CREATE TABLE intervals (
      vcpu INTEGER NOT NULL, mode TEXT NOT NULL, from_seq INTEGER NOT NULL, to_seq INTEGER NOT NULL, from_ns INTEGER NOT NULL, to_ns INTEGER NOT NULL);
    CREATE TABLE rules (rule TEXT PRIMARY KEY, severity TEXT NOT NULL, statement TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE findings (
      finding INTEGER PRIMARY KEY, rule TEXT NOT NULL REFERENCES rules, severity TEXT NOT NULL, count INTEGER NOT NULL, seq INTEGER NOT NULL,
      vcpu INTEGER, gpa INTEGER, rip INTEGER, expected TEXT NOT NULL, observed TEXT NOT NULL, missing_edge TEXT, witness_rule TEXT REFERENCES rules,
      witness_prefix INTEGER);
    CREATE TABLE reasons (
      finding INTEGER NOT NULL REFERENCES findings, part TEXT NOT NULL, position INTEGER NOT NULL, seq INTEGER NOT NULL, what TEXT NOT NULL,
      PRIMARY KEY (finding, part, position)) WITHOUT ROWID;
    CREATE TABLE accesses (
      finding INTEGER NOT NULL REFERENCES findings, position INTEGER NOT NULL, what TEXT NOT NULL, seq INTEGER NOT NULL, vcpu INTEGER NOT NULL,
      gpa INTEGER NOT NULL, length INTEGER NOT NULL, before BLOB, after BLOB, rip INTEGER, since_seq INTEGER,
      PRIMARY KEY (finding, position)) WITHOUT ROWID;
    CREATE TABLE also_broken (finding INTEGER NOT NULL REFERENCES findings, rule TEXT NOT NULL REFERENCES rules,
      PRIMARY KEY (finding, rule)) WITHOUT ROWID;
    CREATE TABLE breaks (rule TEXT NOT NULL REFERENCES rules, seq INTEGER NOT NULL, PRIMARY KEY (rule, seq)) WITHOUT ROWID;
    CREATE TABLE undecided (position INTEGER PRIMARY KEY, what TEXT NOT NULL);
    \(symbols("gpa"))
    \(symbols("rip"))
    """

  /// Names of addresses, written as everywhere: see `SymbolTable.Place.text`.
  private static func symbols(_ address: String) -> String {
    """
    CREATE TABLE \(address)_symbols (
      \(address) INTEGER PRIMARY KEY, symbol TEXT NOT NULL, module TEXT, offset INTEGER NOT NULL, name TEXT GENERATED ALWAYS AS (
        symbol || CASE offset WHEN 0 THEN '' ELSE printf('+0x%x', offset) END || coalesce(' [' || module || ']', '')) VIRTUAL);
    """
  }

  /// Made when the tables are full: sorting once is cheaper than keeping in order.
  static let indexes = """
    CREATE INDEX events_by_kind ON events (kind);
    CREATE INDEX events_by_cause ON events (cause) WHERE cause IS NOT NULL;
    CREATE INDEX events_by_page ON events (page) WHERE page IS NOT NULL;
    CREATE INDEX intervals_by_vcpu ON intervals (vcpu, from_seq);
    CREATE INDEX intervals_by_mode ON intervals (mode, from_seq);
    """

  /// How many rows have which values, from a sample: without it SQLite takes the wrong one of two tables first where an event is looked for in intervals.
  static let statistics = """
    PRAGMA analysis_limit = 1000;
    ANALYZE;
    """
}
