package datapath

import "os"

// Command is a program to run behind virtual network interfaces.
type Command struct {
	// Args are the program, found in the PATH of Env, and its arguments.
	Args []string
	// Env is its whole environment, "NAME=value".
	Env []string
	// Dir is its working directory; empty means the caller's.
	Dir string
	// Files cover files by others for the program alone.
	Files []File
	// Hostname is the name of its machine, at most 64 bytes; empty keeps the
	// system's.
	Hostname string
	// Stdin, Stdout and Stderr are the program's; nil means the null device.
	Stdin, Stdout, Stderr *os.File

	// Layout is the network to make. If Join is given the program shares that
	// network namespace instead.
	Layout *Layout
	Join   *Namespace

	preferTAP bool // for tests: TAP interfaces also where veth pairs work
}

// File replaces or extends the content of a file. A file that does not exist
// cannot be covered and is left out.
type File struct {
	Path string
	// Content replaces the file's; if Append is set it follows it.
	Content string
	Append  bool
}

// Namespace is a network namespace that exists as long as a process is in it or
// these files are open.
type Namespace struct {
	Net *os.File
	// User is the user namespace that owns it; nil if that is the system's own.
	User *os.File
}

// Close releases the files.
func (n *Namespace) Close() error {
	if n == nil {
		return nil
	}
	err := n.Net.Close()
	if n.User != nil {
		if e := n.User.Close(); err == nil {
			err = e
		}
	}
	return err
}

// Exit codes of a command that could not run, as shells have them (POSIX.1-2024,
// Shell Command Language, 2.8.2).
const (
	ExitNotExecutable = 126
	ExitNotFound      = 127
	// ExitSignal plus the signal's number is that of a command that a signal
	// ended.
	ExitSignal = 128
)
