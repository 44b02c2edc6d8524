package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
)

// progress is one line on a terminal that is rewritten as work goes on. Off a
// terminal it prints nothing: the summary says it all.
type progress struct {
	mu    sync.Mutex
	w     io.Writer
	on    bool
	title string
	last  int // runes on the line
}

func newProgress(w io.Writer, title string) *progress {
	return &progress{w: w, on: isTerminal(w), title: title}
}

// update shows how far the work is.
func (p *progress) update(done, total int, what string) {
	if !p.on {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	const width = 24
	filled := 0
	if total > 0 {
		filled = done * width / total
	}
	line := fmt.Sprintf("%-8s [%s%s] %d/%d %s", p.title,
		strings.Repeat("=", filled), strings.Repeat(" ", width-filled), done, total, what)
	text := []rune(line)
	if room := lineWidth(p.w) - 1; len(text) > room {
		text = append(text[:max(room-1, 0)], '…')
	}
	fmt.Fprintf(p.w, "\r%-*s", p.last, string(text))
	p.last = len(text)
}

// clear removes the line.
func (p *progress) clear() {
	if !p.on {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.last == 0 {
		return
	}
	fmt.Fprintf(p.w, "\r%s\r", strings.Repeat(" ", p.last))
	p.last = 0
}
