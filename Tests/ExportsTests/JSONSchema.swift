import Foundation

/// A JSON value, for schemas and what they are held against.
enum JSONValue: Decodable, Hashable {
  case null, bool(Bool), number(Double), string(String), array([JSONValue]), object([String: JSONValue])

  init(_ text: Data) throws { self = try JSONDecoder().decode(Self.self, from: text) }

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if container.decodeNil() {
      self = .null
    } else if let value = try? container.decode(Bool.self) {
      self = .bool(value)
    } else if let value = try? container.decode(Double.self) {
      self = .number(value)
    } else if let value = try? container.decode(String.self) {
      self = .string(value)
    } else if let value = try? container.decode([JSONValue].self) {
      self = .array(value)
    } else {
      self = .object(try container.decode([String: JSONValue].self))
    }
  }

  var members: [String: JSONValue]? { if case .object(let members) = self { members } else { nil } }
  var elements: [JSONValue]? { if case .array(let elements) = self { elements } else { nil } }
  var string: String? { if case .string(let string) = self { string } else { nil } }
  var number: Double? { if case .number(let number) = self { number } else { nil } }

  subscript(_ key: String) -> JSONValue? { members?[key] }
  subscript(_ index: Int) -> JSONValue? { elements.flatMap { $0.indices.contains(index) ? $0[index] : nil } }
}

/// JSON Schema, draft 4: every keyword that SARIF's schema uses. A keyword that is not known here is a violation: nothing is passed over.
struct JSONSchema {
  let root: JSONValue

  /// What is wrong, each with its place; empty where the value is valid.
  func violations(_ value: JSONValue) -> [String] { check(value, root, "") }

  private func check(_ value: JSONValue, _ schema: JSONValue, _ place: String) -> [String] {
    guard let keywords = schema.members else { return ["\(place): a schema that is no object"] }
    // Beside a reference nothing counts.
    if let reference = keywords["$ref"] { return check(value, resolved(reference) ?? .null, place) }
    return keywords.sorted { $0.key < $1.key }.flatMap { check(value, $0.key, $0.value, keywords, place) }
  }

  private func resolved(_ reference: JSONValue) -> JSONValue? {
    guard let path = reference.string, path.hasPrefix("#") else { return nil }
    return path.dropFirst().split(separator: "/").reduce(root as JSONValue?) { $0?[String($1)] }
  }

  private func check(_ value: JSONValue, _ keyword: String, _ argument: JSONValue, _ all: [String: JSONValue], _ place: String) -> [String] {
    func unless(_ holds: Bool, _ what: String) -> [String] { holds ? [] : ["\(place): \(what)"] }
    switch keyword {
    case "$schema", "id", "title", "description", "default", "definitions": return []
    case "type":
      let names = argument.elements?.compactMap(\.string) ?? [argument.string ?? ""]
      return unless(names.contains { isOf(value, $0) }, "is no \(names.joined(separator: " or "))")
    case "enum": return unless(argument.elements?.contains(value) == true, "is none of those listed")
    case "minimum": return unless(value.number.map { $0 >= argument.number ?? .infinity } ?? true, "is too small")
    case "maximum": return unless(value.number.map { $0 <= argument.number ?? -.infinity } ?? true, "is too large")
    case "pattern":
      guard let text = value.string else { return [] }
      return unless(text.range(of: argument.string ?? "(", options: .regularExpression) != nil, "does not match \(argument.string ?? "")")
    case "format": return unless(value.string.map { fits($0, argument.string ?? "") } ?? true, "is no \(argument.string ?? "")")
    case "minItems": return unless(value.elements.map { Double($0.count) >= argument.number ?? .infinity } ?? true, "has too few items")
    case "uniqueItems":
      return unless(argument != .bool(true) || value.elements.map { Set($0).count == $0.count } ?? true, "has the same item twice")
    case "items": return (value.elements ?? []).enumerated().flatMap { check($1, argument, "\(place)/\($0)") }
    case "required":
      return (argument.elements ?? []).compactMap(\.string).flatMap { name in unless(value.members.map { $0[name] != nil } ?? true, "has no \(name)") }
    case "properties":
      return (argument.members ?? [:]).sorted { $0.key < $1.key }.flatMap { name, schema in
        value[name].map { check($0, schema, "\(place)/\(name)") } ?? []
      }
    case "additionalProperties":
      let others = (value.members ?? [:]).filter { all["properties"]?[$0.key] == nil }.sorted { $0.key < $1.key }
      if case .bool(let areAllowed) = argument { return areAllowed ? [] : others.map { "\(place): has \($0.key), which nobody knows" } }
      return others.flatMap { check($0.value, argument, "\(place)/\($0.key)") }
    case "anyOf": return unless((argument.elements ?? []).contains { check(value, $0, place).isEmpty }, "fits nothing of what it may be")
    case "oneOf": return unless((argument.elements ?? []).count { check(value, $0, place).isEmpty } == 1, "does not fit one of what it may be")
    default: return ["\(place): the schema's keyword \(keyword) is not known"]
    }
  }

  private func isOf(_ value: JSONValue, _ type: String) -> Bool {
    switch (value, type) {
    case (.null, "null"), (.bool, "boolean"), (.number, "number"), (.string, "string"), (.array, "array"), (.object, "object"): true
    case (.number(let number), "integer"): number == number.rounded()
    default: false
    }
  }

  private func fits(_ text: String, _ format: String) -> Bool {
    switch format {
    case "uri": URL(string: text)?.scheme != nil
    case "uri-reference": text.range(of: #"^([A-Za-z0-9._~:/?#@!$'()*+,;=\[\]-]|&|%[0-9A-Fa-f]{2})*$"#, options: .regularExpression) != nil
    case "date-time": text.range(of: #"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$"#, options: .regularExpression) != nil
    default: false
    }
  }
}
