// docs: happens-before
import HappensBefore

/// Two threads add to a counter; one of them forgets the lock. Threads, locks and variables are numbers from 0.
func findRaces() -> [Bool] {
  var detector = RaceDetector(.shb)
  detector.fork(1, by: 0)

  detector.acquire(0, by: 0)
  let first = detector.write(0, by: 0)
  detector.release(0, by: 0)

  detector.acquire(0, by: 1)
  let second = detector.write(0, by: 1)
  detector.release(0, by: 1)

  // No lock: nothing orders it after the write by thread 1.
  let third = detector.write(0, by: 0)
  return [first, second, third]  // [false, false, true]
}
// docs: end
