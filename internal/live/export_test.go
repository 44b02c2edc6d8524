package live

import "time"

// Age makes everything that the engine has seen so much older.
func (n *Network) Age(d time.Duration) {
	n.wire.mu.Lock()
	n.wire.start = n.wire.start.Add(-d)
	n.wire.mu.Unlock()
	n.wire.nudge()
}
