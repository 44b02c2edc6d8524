package datapath

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// maxMessage bounds a message, in bytes.
const maxMessage = 8 << 20

// maxFiles bounds the files of a message.
const maxFiles = maxInterfaces + 2

// Messages are JSON documents, a line each, with files, over a Unix socket. Each
// method is for one goroutine at a time.
type Messages struct {
	conn  *net.UnixConn
	buf   []byte
	files []*os.File
}

// NewMessages returns the messages of a connection. Early is what was read of it
// already.
func NewMessages(c *net.UnixConn, early []byte) *Messages { return &Messages{conn: c, buf: early} }

// Send sends a document with files, which stay the caller's.
func (m *Messages) Send(v any, files ...*os.File) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	b = append(b, '\n')
	var oob []byte
	if len(files) > 0 {
		fds := make([]int, len(files))
		for i, f := range files {
			fds[i] = int(f.Fd())
		}
		oob = unix.UnixRights(fds...)
	}
	for len(b) > 0 {
		n, _, err := m.conn.WriteMsgUnix(b, oob, nil)
		if err != nil {
			return err
		}
		b, oob = b[n:], nil
	}
	return nil
}

// Receive waits for a document and returns the files that came with it, which are
// the caller's. At the end of the connection it returns [io.EOF].
func (m *Messages) Receive(v any) ([]*os.File, error) {
	for {
		if i := bytes.IndexByte(m.buf, '\n'); i >= 0 {
			line := m.buf[:i]
			m.buf = m.buf[i+1:]
			files := m.files
			m.files = nil
			if err := json.Unmarshal(line, v); err != nil {
				closeAll(files)
				return nil, fmt.Errorf("a message is not what it should be: %w", err)
			}
			return files, nil
		}
		if len(m.buf) > maxMessage {
			return nil, fmt.Errorf("a message is longer than %d bytes", maxMessage)
		}
		if err := m.more(); err != nil {
			closeAll(m.files)
			m.files = nil
			return nil, err
		}
	}
}

func (m *Messages) more() error {
	b := make([]byte, 64<<10)
	oob := make([]byte, unix.CmsgSpace(4*maxFiles))
	n, oobn, flags, _, err := m.conn.ReadMsgUnix(b, oob)
	if err != nil {
		return err
	}
	if oobn > 0 {
		control, err := unix.ParseSocketControlMessage(oob[:oobn])
		if err != nil {
			return err
		}
		for i := range control {
			fds, err := unix.ParseUnixRights(&control[i])
			if err != nil {
				continue
			}
			for _, fd := range fds {
				unix.CloseOnExec(fd)
				m.files = append(m.files, os.NewFile(uintptr(fd), "received"))
			}
		}
	}
	if flags&unix.MSG_CTRUNC != 0 || len(m.files) > maxFiles {
		return errors.New("a message has too many files")
	}
	if n == 0 {
		return io.EOF
	}
	m.buf = append(m.buf, b[:n]...)
	return nil
}

// Close closes the connection and what was received and not asked for.
func (m *Messages) Close() error {
	return m.conn.Close()
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

// socketPair returns two connected ends; the second is a file for a child.
func socketPair() (*net.UnixConn, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	theirs := os.NewFile(uintptr(fds[1]), "child")
	c, err := unixConn(os.NewFile(uintptr(fds[0]), "parent"))
	if err != nil {
		theirs.Close()
		return nil, nil, err
	}
	return c, theirs, nil
}

// unixConn turns a file into a connection and closes the file.
func unixConn(f *os.File) (*net.UnixConn, error) {
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		return nil, err
	}
	u, ok := c.(*net.UnixConn)
	if !ok {
		c.Close()
		return nil, errors.New("not a Unix socket")
	}
	return u, nil
}
