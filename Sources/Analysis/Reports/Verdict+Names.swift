public import Analyzer
public import Symbols

extension Verdict {
  /// The same verdict with names behind the addresses in its sentences.
  public func naming(_ symbols: GuestSymbols?) -> Verdict {
    guard symbols != nil else { return self }
    var named = self
    named.findings = findings.map { $0.naming(symbols) }
    named.undecided = undecided.map { symbols.naming($0, gpas: [], rips: []) }
    return named
  }
}

extension Finding {
  package func naming(_ symbols: GuestSymbols?) -> Finding {
    guard symbols != nil else { return self }
    var (gpas, rips) = (gpa.map { [$0] } ?? [], rip.map { [$0] } ?? [])
    if case .race(let first, let second, _) = evidence {
      gpas += [first.gpa, second.gpa]
      rips += [first.rip, second.rip].compactMap { $0 }
    }
    func naming(_ reasons: [Reason]) -> [Reason] {
      reasons.map { Reason(seq: $0.seq, what: symbols.naming($0.what, gpas: gpas, rips: rips)) }
    }
    var named = self
    named.expected = symbols.naming(expected, gpas: gpas, rips: rips)
    named.observed = symbols.naming(observed, gpas: gpas, rips: rips)
    named.because = naming(because)
    if case .reordering(var witness) = evidence {
      (witness.steps, witness.later) = (naming(witness.steps), naming(witness.later))
      named.evidence = .reordering(witness)
    }
    return named
  }
}
