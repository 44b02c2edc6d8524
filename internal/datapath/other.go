//go:build !linux

package datapath

import (
	"errors"
	"net"
	"os"

	"github.com/ceruleannet/cerulean/internal/engine"
)

// Device is a virtual network interface of real programs; this system has none.
type Device struct{ nic Interface }

// NewDevice returns [ErrUnsupported].
func NewDevice(f *os.File, nic Interface) (*Device, error) {
	return nil, errors.Join(ErrUnsupported, f.Close())
}

// Interface returns how the device looks from behind.
func (d *Device) Interface() Interface { return d.nic }

// Lost returns 0.
func (d *Device) Lost() uint64 { return 0 }

// Read returns [ErrUnsupported].
func (d *Device) Read([]engine.Frame) (int, error) { return 0, ErrUnsupported }

// Write returns [ErrUnsupported].
func (d *Device) Write([]engine.Frame) error { return ErrUnsupported }

// Close does nothing.
func (d *Device) Close() error { return nil }

// Process is a command in namespaces of its own; this system has none.
type Process struct {
	Namespace *Namespace
	Devices   []*os.File
	Note      string
}

// Start returns [ErrUnsupported].
func Start(Command) (*Process, error) { return nil, ErrUnsupported }

// Run returns [ErrUnsupported].
func (p *Process) Run() error { return ErrUnsupported }

// Signal returns [ErrUnsupported].
func (p *Process) Signal(os.Signal) error { return ErrUnsupported }

// Wait returns [ErrUnsupported].
func (p *Process) Wait() (int, error) { return 0, ErrUnsupported }

// Terminate returns [ErrUnsupported].
func (p *Process) Terminate() error { return ErrUnsupported }

// Take returns nothing.
func (p *Process) Take() (*Namespace, []*os.File) { return nil, nil }

// Forget does nothing.
func (p *Process) Forget() error { return nil }

// Close does nothing.
func (p *Process) Close() {}

// Child returns false: no process of this system is started for namespaces.
func Child([]string) (code int, is bool) { return 0, false }

// Messages are JSON documents with files over a Unix socket; this system cannot
// send files.
type Messages struct{}

// NewMessages returns messages that fail.
func NewMessages(*net.UnixConn, []byte) *Messages { return &Messages{} }

// Send returns [ErrUnsupported].
func (m *Messages) Send(any, ...*os.File) error { return ErrUnsupported }

// Receive returns [ErrUnsupported].
func (m *Messages) Receive(any) ([]*os.File, error) { return nil, ErrUnsupported }

// Close does nothing.
func (m *Messages) Close() error { return nil }
