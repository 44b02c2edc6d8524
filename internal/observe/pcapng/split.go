package pcapng

import (
	"bufio"
	"fmt"
	"io"
)

// Split copies a capture into files that open gives, one after another, and
// begins the next before a file would be longer than limit bytes; 0 is no
// limit. Each file begins with what the stream said of its section, interfaces
// and names, so that it can be read alone. It returns when the stream ends.
//
// What stands in the last file is whole whatever happens: blocks are written
// with one call each.
func Split(r io.Reader, limit int64, open func(n int) (io.WriteCloser, error)) (err error) {
	var (
		in       = blocks{r: bufio.NewReader(r)}
		out      io.WriteCloser
		files    int
		size     int64
		preamble []byte // what a file begins with
		packets  bool   // the file has some
	)
	shut := func() error {
		if out == nil {
			return nil
		}
		err := out.Close()
		out = nil
		return err
	}
	defer func() {
		if e := shut(); err == nil {
			err = e
		}
	}()
	for {
		b, err := in.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		switch b.kind {
		case blockSection:
			preamble = append(preamble[:0], b.raw...)
		case blockInterface, blockNames:
			if len(preamble)+len(b.raw) > maxBlock {
				return fmt.Errorf("pcapng: more than %d bytes of interfaces and names", maxBlock)
			}
			preamble = append(preamble, b.raw...)
		}
		full := limit > 0 && packets && b.kind == blockPacket && size+int64(len(b.raw)) > limit
		if full {
			if err := shut(); err != nil {
				return err
			}
		}
		what := b.raw
		if out == nil {
			if out, err = open(files); err != nil {
				out = nil
				return err
			}
			files++
			size, packets = 0, false
			if full {
				what = append(append([]byte(nil), preamble...), b.raw...)
			}
		}
		if _, err := out.Write(what); err != nil {
			return err
		}
		size += int64(len(what))
		packets = packets || b.kind == blockPacket
	}
}
