package http1

import "errors"

// ErrChunk is a chunked body that is not as it should be.
var ErrChunk = errors.New("a chunked body that is broken")

// Chunks finds the end of a chunked body (RFC 9112, 7.1) whose bytes pass by in
// pieces. The zero value is at the beginning.
type Chunks struct {
	state chunkState
	left  int64 // of the chunk's data
	size  int   // letters of a line, so far
	idle  int64 // bytes that are neither data nor their due, so far
	Done  bool
}

type chunkState uint8

const (
	chunkSize  chunkState = iota
	chunkSpace            // after the size
	chunkExtension
	chunkSizeEnd // after CR
	chunkData
	chunkDataEnd
	chunkDataEnd2
	chunkTrailer
	chunkTrailerLine
	chunkTrailerEnd
	chunkLast
)

// Limits of what is not data.
const (
	maxDigits  = 16
	maxLine    = 4<<10 - 3
	maxIdle    = 16 << 10 // of what chunks have beyond 16 bytes each and two of a byte of data
	maxTrailer = 16 << 10
	maxChunk   = 1 << 50
)

// Advance looks at the next bytes, and returns how many of them are of the body:
// all, or less if it has ended.
func (c *Chunks) Advance(b []byte) (n int, err error) {
	for i := 0; i < len(b); i++ {
		x := b[i]
		switch c.state {
		case chunkSize:
			switch {
			case isHex(x):
				if c.size++; c.size > maxDigits || c.left >= maxChunk>>4 {
					return i, ErrChunk
				}
				c.left = c.left<<4 | int64(hexValue(x))
			case c.size == 0:
				return i, ErrChunk
			case x == ';':
				c.state = chunkExtension
			case x == ' ' || x == '\t':
				c.state = chunkSpace
			case x == '\r':
				c.state = chunkSizeEnd
			default:
				return i, ErrChunk
			}
		case chunkSpace: // before an extension net/http takes none either
			c.size++
			switch {
			case x == '\r':
				c.state = chunkSizeEnd
			case c.size > maxLine || x != ' ' && x != '\t':
				return i, ErrChunk
			}
		case chunkExtension:
			if c.size++; c.size > maxLine || x == '\n' {
				return i, ErrChunk
			}
			if x == '\r' {
				c.state = chunkSizeEnd
			}
		case chunkSizeEnd:
			if x != '\n' {
				return i, ErrChunk
			}
			// Chunks of hardly any data are a way to keep others busy.
			if c.idle = max(0, c.idle+int64(c.size)+4-16-2*c.left); c.idle > maxIdle {
				return i, ErrChunk
			}
			c.size, c.state = 0, chunkData
			if c.left == 0 {
				c.state = chunkTrailer
			}
		case chunkData:
			skip := min(c.left, int64(len(b)-i))
			c.left -= skip
			i += int(skip) - 1
			if c.left == 0 {
				c.state = chunkDataEnd
			}
		case chunkDataEnd:
			if x != '\r' {
				return i, ErrChunk
			}
			c.state = chunkDataEnd2
		case chunkDataEnd2:
			if x != '\n' {
				return i, ErrChunk
			}
			c.state = chunkSize
		case chunkTrailer: // at the beginning of a line
			c.state = chunkTrailerLine
			if x == '\r' {
				c.state = chunkLast
			}
			if x == '\n' {
				return i, ErrChunk
			}
		case chunkTrailerLine:
			if c.size++; c.size > maxTrailer || x == '\n' {
				return i, ErrChunk
			}
			if x == '\r' {
				c.state = chunkTrailerEnd
			}
		case chunkTrailerEnd:
			if x != '\n' {
				return i, ErrChunk
			}
			c.state = chunkTrailer
		case chunkLast:
			if x != '\n' {
				return i, ErrChunk
			}
			c.Done = true
			return i + 1, nil
		}
	}
	return len(b), nil
}

func hexValue(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}
