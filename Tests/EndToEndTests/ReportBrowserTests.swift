import Foundation
import Testing

/// The page in a real browser: it loads, says what the trace says, and is usable by keys and by touch.
@Suite(.serialized, .enabled(if: Browser.path != nil, Browser.comment))
struct ReportBrowserTests {
  private let folder: Folder

  init() throws { folder = try Folder() }

  private func page(of trace: String) throws -> URL {
    let page = folder.file("page.html")
    let result = try Tool.run("report", trace, "-o", page.path, "--force")
    #expect([0, 1, 3].contains(result.status), "\(result.error)")
    return page
  }

  /// Of one that stayed behind, or that nobody waited for, other tests would hear.
  @Test func aBrowserIsGoneWithItsTest() throws {
    var browser: Browser? = try Browser()
    let group = try #require(browser?.group)
    #expect(kill(-group, 0) == 0)
    browser = nil
    // Those below it are not ours to wait for.
    for _ in 0..<100 where kill(-group, 0) == 0 { usleep(50_000) }
    #expect(kill(-group, 0) == -1 && errno == ESRCH)
  }

  @Test(arguments: ["fault-stop-enter-before-acks", "race-foretold", "clean-integrity-4", "damaged-flipped", "damaged-truncated", "format-1-clean-integrity-4"])
  func itLoadsAndTheCountsAreRight(name: String) throws {
    let trace = ReportPageTests.stored(name)
    let verdict = try VerdictReport(replaying: trace)
    let page = try page(of: trace)
    let browser = try Browser()
    try browser.open(page)
    #expect(browser.console.isEmpty, "\(browser.console)")
    #expect(browser.requests == [page.absoluteString])
    #expect(try browser.number("document.querySelectorAll('#findings-list tbody tr').length") == Double(verdict.findings.count))
    #expect(try browser.text("document.querySelector('#verdict .badge').innerText").contains(verdict.verdict))
    #expect(try browser.text("[...document.querySelectorAll('#key-facts div')].find((fact) => fact.innerText.startsWith('Events')).innerText")
      .replacing(",", with: "").hasSuffix("\(verdict.events)"))
    let info = try JSONSerialization.jsonObject(with: Data(try Tool.run("info", trace, "--format", "json").output.utf8)) as? [String: Any]
    #expect(try browser.number("document.querySelectorAll('#lane-table tbody tr').length") == (info?["vcpus"] as? NSNumber)?.doubleValue)
    #expect(try browser.isTrue("document.body.innerText.includes('missing')") || verdict.verdict != "incomplete" || name == "damaged-truncated")
    #expect(try browser.isTrue("document.body.innerText.includes('every rule held')") == (verdict.verdict == "clean"))
    // Something was drawn, in more than one colour.
    let colours = """
      (() => {
        const canvas = document.getElementById('lanes');
        const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
        return new Set(new Uint32Array(pixels.buffer)).size;
      })()
      """
    #expect(try browser.number(colours) > 8)
  }

  @Test func namesStandBesideAddresses() throws {
    let map = folder.file("integrity.map")
    try Data(try Tool.run("guests", "integrity", "--symbols").output.utf8).write(to: map)
    let page = folder.file("page.html")
    #expect(try Tool.run("report", ReportPageTests.stored("fault-tree-ignore-mappings"), "-o", page.path, "--symbols", map.path).status == 1)
    let browser = try Browser()
    try browser.open(page)
    #expect(browser.console.isEmpty, "\(browser.console)")
    _ = try browser.text("document.getElementById('open-0').click(), ''")
    let finding = try browser.text("document.getElementById('finding').innerText")
    #expect(finding.contains("guest address 0x400010 (static_deny+0x10)") && finding.contains("instruction 0x100388 (work_denied+0x8)"), "\(finding)")
    #expect(try browser.text("document.getElementById('heat').innerText").contains(/0x210000 \(scratch\)/))
    #expect(try browser.text("document.body.textContent").contains("0x310000 (node_base)"))
  }

  @Test func aFindingIsOpenedByKeyboard() throws {
    let trace = ReportPageTests.stored("fault-stop-enter-before-acks")
    let verdict = try VerdictReport(replaying: trace)
    let browser = try Browser()
    try browser.open(try page(of: trace))
    var steps = 0
    while try browser.text("document.activeElement.id") != "open-0", steps < 40 {
      try browser.press("Tab")
      steps += 1
    }
    #expect(try browser.text("document.activeElement.id") == "open-0", "Tab leads to the first finding")
    #expect(try browser.text("getComputedStyle(document.activeElement).outlineStyle") == "solid", "the focus can be seen")
    try browser.press("Enter")
    #expect(try browser.isTrue("!document.getElementById('finding').hidden"))
    #expect(try browser.text("document.getElementById('finding-title').innerText").contains(verdict.findings[0].rule))
    #expect(try browser.number("document.querySelectorAll('#finding .chain li').length") == Double(verdict.findings[0].because.count))
    let marked = try browser.value("pagetape.timeline.highlight.map((event) => event.seq).join()") as? String
    let expected = Set(verdict.findings[0].because.map(\.seq) + [verdict.findings[0].seq]).sorted()
    #expect(marked == expected.map(String.init).joined(separator: ","))
    let inView = "pagetape.timeline.highlight.map((event) => pagetape.timeline.x(pagetape.timeline.place(event))).every((x) => x > 0 && x < innerWidth)"
    #expect(try browser.isTrue(inView))
    #expect(try browser.text("document.getElementById('machine-when').innerText").contains("event \(verdict.findings[0].seq)"))
    try browser.press("ArrowDown")
    #expect(try browser.text("document.activeElement.id") == "open-1")
    try browser.press("Enter")
    #expect(try browser.text("document.getElementById('finding-title').innerText").contains(verdict.findings[1].rule))
    try browser.press("Tab")
    #expect(try browser.isTrue("document.getElementById('finding').contains(document.activeElement)"))
    try browser.press("Escape")
    #expect(try browser.isTrue("document.getElementById('finding').hidden"))
    #expect(try browser.text("document.activeElement.id") == "open-1", "the focus comes back")
    #expect(browser.console.isEmpty, "\(browser.console)")
  }

  @Test func theTimelineMovesByKeys() throws {
    let trace = ReportPageTests.stored("fault-stop-enter-before-acks")
    let browser = try Browser()
    try browser.open(try page(of: trace))
    let width = "pagetape.timeline.to - pagetape.timeline.from"
    let whole = try browser.number(width)
    try browser.value("document.getElementById('lanes').focus()")
    for _ in 0..<6 { try browser.press("+") }
    let near = try browser.number(width)
    #expect(near < whole / 10)
    let from = try browser.number("pagetape.timeline.from")
    try browser.press("ArrowRight")
    #expect(try browser.number("pagetape.timeline.from") > from)
    try browser.press("0")
    #expect(try browser.number(width) == whole)
    try browser.press("n")
    #expect(try browser.number("pagetape.findings.selected") == 0)
    try browser.press("p")
    #expect(try browser.number("pagetape.findings.selected") == Double(try VerdictReport(replaying: trace).findings.count - 1))
    try browser.press("Escape")
    #expect(try browser.isTrue("pagetape.findings.selected === null"))
    // Along the other axis everything is still there.
    try browser.value("document.querySelector('[data-axis=events]').click()")
    try browser.press("0")
    #expect(try browser.number("pagetape.timeline.length") == browser.number("pagetape.trace.length.seq"))
    #expect(browser.console.isEmpty, "\(browser.console)")
  }

  /// However near one looks, no two ticks of the ruler have the same label, and the status line tells where the view begins and ends.
  @Test(arguments: [1280, 360]) func theRulerTellsTimesApart(width: Int) throws {
    let browser = try Browser(width: width)
    try browser.open(try page(of: ReportPageTests.stored("tail-integrity")))
    try browser.value("""
      (() => {
        const draw = CanvasRenderingContext2D.prototype.fillText;
        CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
          if (/^[0-9.]+ (s|ms|µs|ns)$/.test(text)) ticks.push({ text, x, half: this.measureText(text).width / 2 });
          draw.apply(this, arguments);
        };
        window.ticks = [];
      })()
      """)
    for view in [1e9, 1e6, 1e5, 1e4, 1e3, 200, 50] {
      try browser.value("ticks = []; pagetape.timeline.show(300000000, 300000000 + \(view))")
      try browser.drawn()
      #expect(try browser.number("ticks.length") > 0, "\(view) ns")
      #expect(try browser.isTrue("new Set(ticks.map((tick) => tick.text)).size === new Set(ticks.map((tick) => tick.x)).size"), "\(view) ns")
      #expect(
        try browser.isTrue("ticks.every((tick, at) => at === 0 || tick.x <= ticks[at - 1].x || tick.x - tick.half > ticks[at - 1].x + ticks[at - 1].half)"),
        "\(view) ns")
      let range = try browser.text("pagetape.timeline.rangeText").split(separator: ",")[0].components(separatedBy: " to ")
      #expect(range.count == 2 && range[0] != range[1], "\(range)")
    }
  }

  @Test func aPhoneIsWideEnoughAndPinches() throws {
    let browser = try Browser(width: 360, height: 740, isPhone: true)
    try browser.open(try page(of: ReportPageTests.stored("fault-stop-enter-before-acks")))
    try browser.value("document.getElementById('open-0').click(); for (const fold of document.querySelectorAll('details')) fold.open = true")
    try browser.drawn()
    #expect(try browser.number("document.documentElement.scrollWidth") <= 360)
    try browser.value("pagetape.findings.open(null); pagetape.timeline.fit(); document.getElementById('lanes').scrollIntoView({ block: 'center' })")
    try browser.drawn()
    let y = try browser.number("document.getElementById('lanes').getBoundingClientRect().top + 120")
    let width = "pagetape.timeline.to - pagetape.timeline.from"
    let before = try browser.number(width)
    try browser.touch("touchStart", [(180, y), (220, y)])
    for step in 1...8 { try browser.touch("touchMove", [(180 - Double(step) * 8, y), (220 + Double(step) * 8, y)]) }
    try browser.touch("touchEnd", [])
    try browser.drawn()
    #expect(try browser.number(width) < before / 2)
  }

  @Test func whatATraceSaysIsNeverRun() throws {
    let trace = try ReportPageTests.hostileTrace(in: folder)
    let page = try page(of: trace.path)
    let browser = try Browser()
    try browser.open(page)
    try browser.value("for (const { index } of pagetape.trace.findings) pagetape.findings.open(index)")
    try browser.value("for (const fold of document.querySelectorAll('details')) fold.open = true")
    try browser.drawn()
    #expect(try browser.isTrue("window.hacked === undefined"))
    #expect(try browser.number("document.images.length + document.scripts.length") == 2)
    #expect(try browser.isTrue("document.getElementById('facts').innerText.includes('</script><script>window.hacked=1</script>')"), "it is shown as it is")
    #expect(try browser.isTrue("pagetape.trace.findings.length > 0"), "a spurious ack is found, and its neighbours are shown")
    #expect(browser.console.isEmpty, "\(browser.console)")
    #expect(browser.requests == [page.absoluteString])
    // The policy itself: what got in all the same could neither run nor reach the network.
    try browser.value("const late = document.createElement('script'); late.textContent = 'window.hacked=2'; document.body.append(late)")
    #expect(try browser.isTrue("window.hacked === undefined"))
    #expect(try browser.isTrue("fetch('http://127.0.0.1:9/').then(() => false, () => true)"))
    #expect(browser.console.contains { $0.contains("Content Security Policy") })
  }

  @Test func aLargeTraceAddsUpAtEveryZoom() throws {
    let tape = folder.file("large.tape").path
    #expect(try Tool.run("generate", "--events", "200000", "--vcpus", "8", "--seed", "5", "-o", tape).status == 0)
    let browser = try Browser()
    try browser.open(try page(of: tape))
    #expect(browser.console.isEmpty, "\(browser.console)")
    // The shares of any stretches side by side are those of the whole.
    let script = """
      pagetape.timeline.lanes.every((lane) => {
        const [whole, parts] = [new Float64Array(8), new Float64Array(8)];
        lane.measure(0, lane.length, whole);
        for (let at = 0; at < 997; at++) lane.measure(lane.length * at / 997, lane.length * (at + 1) / 997, parts);
        return whole.every((amount, mode) => Math.abs(amount - parts[mode]) < lane.length * 1e-9);
      })
      """
    #expect(try browser.isTrue(script))
  }

  @Test func nothingIsDrawnBeforeTheFirstEvent() throws {
    let browser = try Browser()
    try browser.open(try page(of: ReportPageTests.stored("clean-integrity-4")))
    // As in a trace so long that the region's first stretch is a joined one.
    try browser.value("pagetape.timeline.region.shares.set(0, [0, 0.9, 0, 0.1, 0, 0, 0, 0]); pagetape.timeline.fit()")
    try browser.drawn()
    let pixels = """
      (() => {
        const { timeline } = pagetape;
        const context = document.getElementById('lanes').getContext('2d');
        const at = (x, y) => context.getImageData(x, y, 1, 1).data.join();
        return at(timeline.gutter + 2, timeline.headHeight + 2) === at(2, timeline.headHeight + 2);
      })()
      """
    #expect(try browser.isTrue(pixels))
  }
}
