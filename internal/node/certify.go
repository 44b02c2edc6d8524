package node

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/ceruleannet/cerulean/internal/proof"
	"github.com/ceruleannet/cerulean/internal/proof/certificate"
)

// Certify writes the proofs of the network's deny expectations to a file and
// says which expectations it leaves out. The file is written whole or not at
// all.
func (d *Design) Certify(path string) ([]proof.Uncertified, error) {
	c, left := d.Prover.Certify(d.Network().Name, d.Network().Expectations)
	f, err := os.CreateTemp(filepath.Dir(path), ".certificate-*")
	if err != nil {
		return nil, fmt.Errorf("writing the certificate: %w", err)
	}
	defer os.Remove(f.Name()) // gone already if all went well
	err = c.Write(f)
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Chmod(f.Name(), 0o644)
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return nil, fmt.Errorf("writing the certificate: %w", err)
	}
	return left, nil
}

// VerifyCertificate checks a certificate against the network, and says on w
// what it proves. The checker shares no code with the prover but the compiled
// image.
func (d *Design) VerifyCertificate(path string, w io.Writer) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	c, err := certificate.Read(f)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := certificate.Verify(d.Image, c); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	// The certificate's claims must be those of the network as it is declared.
	fresh, _ := d.Prover.Questions(d.Network().Expectations)
	if err := certificate.SameClaims(fresh, c.Claims); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	boxes := 0
	for i := range c.Claims {
		boxes += len(c.Claims[i].Leaves)
		fmt.Fprintf(w, "proved  %s: %s, %s at %s\n", c.Claims[i].Name, count(len(c.Claims[i].From), "sender"),
			"nothing arrives", count(len(c.Claims[i].To), "port"))
	}
	_, err = fmt.Fprintf(w, "\n%s: %s, %s checked\n", d.Network().Name, count(len(c.Claims), "claim"), plural(boxes, "box", "boxes"))
	return err
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
