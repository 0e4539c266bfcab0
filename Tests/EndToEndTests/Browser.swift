import Foundation
import Testing

/// A headless browser, driven through the DevTools protocol over its standard input and output.
final class Browser {
  /// Whatever of these is installed. `PAGETAPE_BROWSER` names another one.
  static let path: String? = {
    let environment = ProcessInfo.processInfo.environment
    if let path = environment["PAGETAPE_BROWSER"] { return path }
    let folders = (environment["PATH"] ?? "").split(separator: ":").map(String.init)
    let names = ["chromium-headless-shell", "chromium", "google-chrome-stable", "google-chrome"]
    return names.flatMap { name in folders.map { "\($0)/\(name)" } }.first { FileManager.default.isExecutableFile(atPath: $0) }
  }()
  static let comment: Comment = "no browser is installed (tools/prepare --browser): the report page is not tried in one"

  struct Failure: Error { var what: String }

  private let process = Process()
  private let input = Pipe()
  private let output = Pipe()
  private let profile: Folder
  private var received = Data()
  private var session: String?
  private var number = 0
  /// Messages and errors that the page put in the console.
  private(set) var console: [String] = []
  /// What the page asked for, its own file included.
  private(set) var requests: [String] = []
  private var isLoaded = false

  init(width: Int = 1280, height: Int = 900, isPhone: Bool = false) throws {
    profile = try Folder()
    // The protocol speaks on descriptors 3 and 4. As root no sandbox can be had.
    let options = "--headless --no-first-run --disable-gpu --disable-dev-shm-usage --remote-debugging-pipe \(getuid() == 0 ? "--no-sandbox" : "")"
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = [
      "-c", "exec \"$0\" \(options) --user-data-dir=\"$1\" about:blank 3<&0 4>&1 </dev/null >/dev/null 2>/dev/null", Self.path ?? "", profile.url.path,
    ]
    process.standardInput = input
    process.standardOutput = output
    try process.run()
    // A browser that hangs ends the test, by the end of what can be read from it.
    let process = process
    DispatchQueue.global().asyncAfter(deadline: .now() + 240) { Self.end(process) }
    guard let target = try call("Target.createTarget", ["url": "about:blank"])["targetId"] else { throw Failure(what: "no page") }
    session = try call("Target.attachToTarget", ["targetId": target, "flatten": true])["sessionId"] as? String
    for domain in ["Page", "Runtime", "Network", "Log"] { try call("\(domain).enable") }
    try call("Emulation.setDeviceMetricsOverride", ["width": width, "height": height, "deviceScaleFactor": isPhone ? 2 : 1, "mobile": isPhone])
    if isPhone { try call("Emulation.setTouchEmulationEnabled", ["enabled": true]) }
  }

  deinit {
    Self.end(process)
    process.waitUntilExit()
  }

  /// The process group that it is: its own, as Foundation starts processes.
  var group: pid_t { process.processIdentifier }

  /// Ends all of it. What is installed as the browser may be a script that starts it: without its script it would run on, and as long as it does, the script
  /// stays a zombie, behind which Swift Testing does not see the processes of exit tests end.
  private static func end(_ process: Process) {
    if process.isRunning { kill(-process.processIdentifier, SIGKILL) }
  }

  /// Opens a page and waits until it was drawn.
  func open(_ file: URL) throws {
    (console, requests, isLoaded) = ([], [], false)
    try call("Page.navigate", ["url": file.absoluteString])
    while !isLoaded { note(try receive()) }
    try drawn()
  }

  /// Waits for the next frames.
  func drawn() throws { _ = try value("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))") }

  /// What a script comes to, as JSON would hold it.
  @discardableResult
  func value(_ script: String) throws -> Any? {
    let answer = try call("Runtime.evaluate", ["expression": script, "awaitPromise": true, "returnByValue": true])
    if let details = answer["exceptionDetails"] as? [String: Any] { throw Failure(what: "\(script): \(details)") }
    return (answer["result"] as? [String: Any])?["value"]
  }

  func number(_ script: String) throws -> Double { (try value(script) as? NSNumber)?.doubleValue ?? .nan }
  func text(_ script: String) throws -> String { try value(script) as? String ?? "" }
  func isTrue(_ script: String) throws -> Bool { (try value(script) as? NSNumber)?.boolValue ?? false }

  /// Presses a key, as a person would: with `DOM` names as in "Tab", "Enter", "n".
  func press(_ key: String) throws {
    let codes = ["Tab": 9, "Enter": 13, "Escape": 27, "ArrowUp": 38, "ArrowDown": 40, "ArrowLeft": 37, "ArrowRight": 39]
    var event: [String: Any] = ["type": "keyDown", "key": key, "windowsVirtualKeyCode": codes[key] ?? Int(key.uppercased().utf8.first ?? 0)]
    if key == "Enter" { event["text"] = "\r" } else if key.count == 1 { event["text"] = key }
    try call("Input.dispatchKeyEvent", event)
    event["type"] = "keyUp"
    event["text"] = nil
    try call("Input.dispatchKeyEvent", event)
    try drawn()
  }

  func touch(_ type: String, _ points: [(Double, Double)]) throws {
    try call("Input.dispatchTouchEvent", ["type": type, "touchPoints": points.enumerated().map { ["x": $1.0, "y": $1.1, "id": $0] }])
  }

  // MARK: The protocol

  @discardableResult
  func call(_ method: String, _ parameters: [String: Any] = [:]) throws -> [String: Any] {
    number += 1
    var message: [String: Any] = ["id": number, "method": method, "params": parameters]
    if let session { message["sessionId"] = session }
    try input.fileHandleForWriting.write(contentsOf: try JSONSerialization.data(withJSONObject: message) + [0])
    while true {
      let answer = try receive()
      guard (answer["id"] as? NSNumber)?.intValue == number else {
        note(answer)
        continue
      }
      if let error = answer["error"] { throw Failure(what: "\(method): \(error)") }
      return answer["result"] as? [String: Any] ?? [:]
    }
  }

  private func receive() throws -> [String: Any] {
    while true {
      if let end = received.firstIndex(of: 0) {
        let message = received[received.startIndex..<end]
        received = Data(received[received.index(after: end)...])
        return try JSONSerialization.jsonObject(with: message) as? [String: Any] ?? [:]
      }
      let more = output.fileHandleForReading.availableData
      guard !more.isEmpty else { throw Failure(what: "the browser ended") }
      received += more
    }
  }

  private func note(_ message: [String: Any]) {
    let parameters = message["params"] as? [String: Any] ?? [:]
    switch message["method"] as? String {
    case "Page.loadEventFired": isLoaded = true
    case "Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded": console.append("\(parameters)")
    case "Network.requestWillBeSent": requests.append((parameters["request"] as? [String: Any])?["url"] as? String ?? "")
    default: break
    }
  }
}
