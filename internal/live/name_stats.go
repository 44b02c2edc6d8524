package live

import "sync/atomic"

// NameStats is what the platform's resolver did since the network started.
type NameStats struct {
	UDP, TCP uint64         // queries that were answered
	Silent   uint64         // messages that were no queries
	Answers  map[int]uint64 // by response code (RFC 1035 section 4.1.1)
}

// nameStats counts.
type nameStats struct {
	udp, tcp, silent atomic.Uint64
	answers          [16]atomic.Uint64
}

// note counts an answer, empty for silence.
func (s *nameStats) note(answer []byte, tcp bool) {
	const rcode = 3 // its byte in a message's header
	switch {
	case len(answer) <= rcode:
		s.silent.Add(1)
		return
	case tcp:
		s.tcp.Add(1)
	default:
		s.udp.Add(1)
	}
	s.answers[answer[rcode]&0xf].Add(1)
}

// NameStats returns what the platform's resolver did.
func (n *Network) NameStats() NameStats {
	s := &n.answers
	out := NameStats{UDP: s.udp.Load(), TCP: s.tcp.Load(), Silent: s.silent.Load(), Answers: map[int]uint64{}}
	for code := range s.answers {
		if count := s.answers[code].Load(); count > 0 {
			out.Answers[code] = count
		}
	}
	return out
}
