package gateway

import (
	"crypto/tls"
	"errors"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// lot is where connections wait for their next request without a goroutine and
// without buffers: a set of epoll(7), which Go's own poller waits for.
type lot struct {
	most time.Duration // that a connection may wait
	wake func(visitor)
	poll *os.File
	raw  syscall.RawConn
	fd   int
	done chan struct{}

	mu      sync.Mutex
	waiting map[int32]parked // by file descriptor
	shut    bool
}

type parked struct {
	visitor
	since time.Time
}

// newLot returns a lot that wakes a connection when there is something to read, and
// closes it when it has waited too long; nil if the system has none to give.
func newLot(most time.Duration, wake func(visitor)) *lot {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil
	}
	if err := syscall.SetNonblock(fd, true); err != nil {
		syscall.Close(fd)
		return nil
	}
	l := &lot{most: most, wake: wake, fd: fd, done: make(chan struct{}), waiting: map[int32]parked{}}
	l.poll = os.NewFile(uintptr(fd), "idle connections")
	l.raw, err = l.poll.SyscallConn()
	if err != nil || l.poll.SetReadDeadline(time.Now().Add(most/8)) != nil {
		l.poll.Close()
		return nil
	}
	go l.run()
	return l
}

// descriptor gives the file descriptor of a connection's socket to a function.
func descriptor(c net.Conn, use func(fd int)) bool {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	s, ok := c.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := s.SyscallConn()
	return err == nil && raw.Control(func(fd uintptr) { use(int(fd)) }) == nil
}

// park lets a connection wait. It reports false if it cannot wait here.
func (l *lot) park(v visitor) bool {
	if l == nil {
		return false
	}
	ok := false
	there := descriptor(v.conn, func(fd int) {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.shut {
			return
		}
		e := syscall.EpollEvent{Events: syscall.EPOLLIN | syscall.EPOLLRDHUP | syscall.EPOLLONESHOT, Fd: int32(fd)}
		if syscall.EpollCtl(l.fd, syscall.EPOLL_CTL_ADD, fd, &e) != nil {
			return
		}
		l.waiting[int32(fd)] = parked{v, time.Now()}
		ok = true
	})
	return there && ok
}

func (l *lot) run() {
	defer close(l.done)
	events := make([]syscall.EpollEvent, 128)
	for {
		n := 0
		err := l.raw.Read(func(fd uintptr) bool {
			n, _ = syscall.EpollWait(int(fd), events, 0)
			return n > 0
		})
		for _, e := range events[:max(n, 0)] {
			if v, ok := l.leave(e.Fd); ok {
				l.wake(v)
			}
		}
		if err == nil {
			continue
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return
		}
		l.sweep()
		if l.poll.SetReadDeadline(time.Now().Add(l.most/8)) != nil {
			return
		}
	}
}

// leave takes a connection out.
func (l *lot) leave(fd int32) (visitor, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p, ok := l.waiting[fd]
	if ok {
		delete(l.waiting, fd)
		_ = syscall.EpollCtl(l.fd, syscall.EPOLL_CTL_DEL, int(fd), nil)
	}
	return p.visitor, ok
}

// sweep closes what has waited too long.
func (l *lot) sweep() {
	now := time.Now()
	l.clear(func(p parked) bool { return now.Sub(p.since) >= l.most })
}

// clear closes the connections of which which says so.
func (l *lot) clear(which func(parked) bool) {
	var out []parked
	l.mu.Lock()
	for fd, p := range l.waiting {
		if which(p) {
			delete(l.waiting, fd)
			out = append(out, p)
		}
	}
	l.mu.Unlock()
	for _, p := range out {
		p.conn.Close()
	}
}

// close closes every connection that waits, and the lot. Nothing is woken after it.
func (l *lot) close() {
	if l == nil {
		return
	}
	l.mu.Lock()
	again := l.shut
	l.shut = true
	l.mu.Unlock()
	l.clear(func(parked) bool { return true })
	if !again {
		l.poll.Close()
	}
	<-l.done
}
