import Testing
import Timeline
