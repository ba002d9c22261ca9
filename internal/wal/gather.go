package wal

import "time"

// A sync costs about as much for one record as for many, and those whom the
// last one served are likely to be back soon. The next one waits for as many
// and for those who came while the last one ran, so that a group grows to all
// who write at the same time, whatever it began with. It does not wait beyond
// half a buffer, so that others have room while it runs, and not for long. Who
// was alone the last time waits for nobody.
const gatherTime = 10 * time.Millisecond

// join counts a caller of Sync, and ends the wait for company where that is
// complete. Log.mu is held.
func (s *segment) join(p Position, buffer int) {
	if p.Segment != s.number || p.End <= s.durable {
		return
	}
	s.joined++
	if s.together(buffer) {
		s.hurry()
	}
}

// expect sets, after a sync, how many the next one waits for. Log.mu is held.
func (s *segment) expect() {
	if s.company > 1 {
		s.company += s.joined
	}
}

func (s *segment) together(buffer int) bool {
	return s.joined >= s.company || len(s.buf) >= buffer/2
}

// hurry ends the wait for company. Log.mu is held.
func (s *segment) hurry() {
	if s.gathering != nil {
		close(s.gathering)
		s.gathering = nil
	}
}

// gather waits for company. mu is held and s is not busy; mu is given up
// meanwhile.
func (l *Log) gather(s *segment) {
	if s.together(l.buffer) {
		return
	}
	complete := make(chan struct{})
	s.busy, s.gathering = true, complete
	l.mu.Unlock()
	timer := time.NewTimer(gatherTime)
	select {
	case <-complete:
	case <-timer.C:
	}
	timer.Stop()
	l.mu.Lock()
	s.busy, s.gathering = false, nil // and no waiter woken: flush does that
}
