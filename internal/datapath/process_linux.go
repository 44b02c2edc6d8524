package datapath

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// childArg is the one argument of this program as the first process of new
// namespaces; hopArg is that of one on its way there.
const (
	childArg = "cerulean-namespace-child"
	hopArg   = "cerulean-namespace-hop"
)

// childSocket is the file descriptor of a child's socket.
const childSocket = 3

// order tells the child what to do.
type order struct {
	Layout   *Layout // nil: it is in the namespace to join already
	Hostname string
	Files    []File
	Args     []string
	Env      []string
	Dir      string
	Rootless bool
	TAP      bool // even where veth pairs work
}

// reply is what the child says: once that it is ready, with the files of the
// namespaces and interfaces, or what failed.
type reply struct {
	Error string
	User  bool // the second file is a user namespace
	// Note is what the user should know.
	Note string
}

// instruction is what the child hears afterwards.
type instruction struct {
	Run    bool
	Signal int
	All    bool // the signal is for every process
}

// Process is a command in namespaces of its own.
type Process struct {
	// Namespace is where it runs; the files are the process's until taken.
	Namespace *Namespace
	// Devices are the files of its interfaces, for [NewDevice]; empty if it
	// joined another's. They are the process's until taken.
	Devices []*os.File
	// Note is what the user should know about how it runs, if anything.
	Note string

	cmd    *exec.Cmd
	conn   *net.UnixConn
	sendMu sync.Mutex
	m      *Messages
	once   sync.Once
}

// Start makes the namespaces and interfaces of a command. It runs when
// [Process.Run] is called. Whatever ends the caller ends everything.
func Start(c Command) (_ *Process, err error) {
	if len(c.Args) == 0 {
		return nil, errors.New("no command")
	}
	if c.Join == nil {
		if c.Layout == nil {
			return nil, errors.New("no network for the command")
		}
		if err := c.Layout.check(); err != nil {
			return nil, err
		}
	}
	conn, theirs, err := socketPair()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	p := &Process{conn: conn, m: NewMessages(conn, nil)}
	defer func() {
		if err != nil {
			p.Close()
		}
	}()
	rootless := os.Geteuid() != 0
	if c.Join != nil {
		rootless = c.Join.User != nil
	}
	if err := p.spawn(&c, theirs, rootless); err != nil {
		return nil, explain(err)
	}
	theirs.Close()
	o := order{
		Hostname: c.Hostname, Files: c.Files, Args: c.Args, Env: c.Env, Dir: c.Dir, Rootless: rootless,
		TAP: c.preferTAP,
	}
	if c.Join == nil {
		o.Layout = c.Layout
	}
	if err := p.m.Send(o); err != nil {
		return nil, fmt.Errorf("starting namespaces: %w", err)
	}
	var r reply
	files, err := p.m.Receive(&r)
	switch {
	case errors.Is(err, io.EOF) || errors.Is(err, unix.ECONNRESET):
		return nil, explain(errors.New("the first process of the namespaces ended at once"))
	case err != nil:
		return nil, fmt.Errorf("starting namespaces: %w", err)
	case r.Error != "":
		closeAll(files)
		return nil, explain(errors.New(r.Error))
	}
	p.Note = r.Note
	p.Namespace = &Namespace{Net: files[0]}
	files = files[1:]
	if r.User {
		p.Namespace.User, files = files[0], files[1:]
	}
	p.Devices = files
	return p, nil
}

// spawn starts the child.
func (p *Process) spawn(c *Command, socket *os.File, rootless bool) error {
	files := []*os.File{socket}
	args := []string{"/proc/self/exe", childArg}
	attr := childAttr(rootless)
	switch {
	case c.Join != nil && rootless:
		// Only a process with one thread can enter a user namespace, and a Go
		// program has many.
		tool, err := exec.LookPath("nsenter")
		if err != nil {
			return fmt.Errorf("a second process on a host needs nsenter (Debian: util-linux): %w", err)
		}
		exe, err := os.Executable()
		if err != nil {
			return err
		}
		files = append(files, c.Join.User, c.Join.Net)
		args = []string{
			tool, fmt.Sprintf("--user=/proc/self/fd/%d", childSocket+1), fmt.Sprintf("--net=/proc/self/fd/%d", childSocket+2),
			"--preserve-credentials", "--", exe, hopArg,
		}
		attr = nil
	case c.Join != nil:
		attr.Cloneflags &^= syscall.CLONE_NEWNET
	}
	p.cmd = &exec.Cmd{
		Path: args[0], Args: args, Dir: c.Dir, ExtraFiles: files, SysProcAttr: attr,
	}
	if c.Stdin != nil {
		p.cmd.Stdin = c.Stdin
	}
	if c.Stdout != nil {
		p.cmd.Stdout = c.Stdout
	}
	if c.Stderr != nil {
		p.cmd.Stderr = c.Stderr
	}
	// The child hears of the end of this process by its socket. It cannot ask the
	// kernel to be killed then (prctl(2), PR_SET_PDEATHSIG): that counts from the
	// end of the thread that started it, and this one ends below.
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		if c.Join != nil && !rootless {
			if err := unix.Setns(int(c.Join.Net.Fd()), unix.CLONE_NEWNET); err != nil {
				started <- fmt.Errorf("joining the host's network namespace: %w", err)
				return // the thread ends with the goroutine: it may be anywhere
			}
		}
		started <- p.cmd.Start()
	}()
	err := <-started
	if err != nil {
		p.cmd = nil
	}
	return err
}

// childAttr are the namespaces of a child.
func childAttr(rootless bool) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWUTS,
	}
	if rootless {
		attr.Cloneflags |= syscall.CLONE_NEWUSER
		// The command runs as the caller, not as a root that many programs refuse
		// to be; what the namespaces need is kept beside.
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: os.Geteuid(), HostID: os.Geteuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getegid(), HostID: os.Getegid(), Size: 1}}
		attr.AmbientCaps = []uintptr{unix.CAP_SYS_ADMIN, unix.CAP_NET_ADMIN, unix.CAP_NET_RAW, unix.CAP_NET_BIND_SERVICE}
	}
	return attr
}

// Run lets the command begin.
func (p *Process) Run() error { return p.instruct(instruction{Run: true}) }

// Signal sends a signal to the command.
func (p *Process) Signal(s os.Signal) error {
	n, ok := s.(syscall.Signal)
	if !ok {
		return fmt.Errorf("%v is no signal of this system", s)
	}
	return p.instruct(instruction{Signal: int(n)})
}

func (p *Process) instruct(i instruction) error {
	p.sendMu.Lock()
	defer p.sendMu.Unlock()
	return p.m.Send(i)
}

// Wait waits for the command and returns its exit code.
func (p *Process) Wait() (int, error) {
	err := p.cmd.Wait()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0, nil
	case errors.As(err, &exit):
		if s, ok := exit.Sys().(syscall.WaitStatus); ok && s.Signaled() {
			return ExitSignal + int(s.Signal()), nil
		}
		return exit.ExitCode(), nil
	}
	return 0, err
}

// Terminate asks the command and every process it started to end (SIGTERM).
func (p *Process) Terminate() error {
	return p.instruct(instruction{Signal: int(unix.SIGTERM), All: true})
}

// Take returns the namespace and the files of the interfaces, which are the
// caller's from then on.
func (p *Process) Take() (*Namespace, []*os.File) {
	n, d := p.Namespace, p.Devices
	p.Namespace, p.Devices = nil, nil
	return n, d
}

// Forget closes the files of the namespace and the interfaces, once others have
// them.
func (p *Process) Forget() error {
	err := p.Namespace.Close()
	closeAll(p.Devices)
	p.Namespace, p.Devices = nil, nil
	return err
}

// Close ends the command, if it still runs, and releases the files that were not
// taken. It may be called twice; it does not wait for the command.
func (p *Process) Close() {
	p.once.Do(func() {
		p.conn.Close()
		if p.cmd != nil {
			_ = p.cmd.Process.Kill()
		}
		_ = p.Namespace.Close()
		closeAll(p.Devices)
	})
}

// explain adds what to do to an error of a system that does not give us
// namespaces.
func explain(err error) error {
	advice := "run it as root, or on a system that allows user namespaces; `cerulean forward` needs neither"
	for file, restricted := range map[string]string{
		"kernel/apparmor_restrict_unprivileged_userns": "1",
		"kernel/unprivileged_userns_clone":             "0",
		"user/max_user_namespaces":                     "0",
	} {
		b, e := os.ReadFile(filepath.Join("/proc/sys", file))
		if e != nil || strings.TrimSpace(string(b)) != restricted || os.Geteuid() == 0 {
			continue
		}
		name := strings.ReplaceAll(file, "/", ".")
		switch name {
		case "kernel.apparmor_restrict_unprivileged_userns":
			advice = "AppArmor keeps user namespaces from programs without a profile, as Ubuntu sets it up; run `sudo sysctl -w " + name + "=0`, or the command with sudo; `cerulean forward` needs neither"
		case "kernel.unprivileged_userns_clone":
			advice = "user namespaces are switched off; run `sudo sysctl -w " + name + "=1`, or the command with sudo; `cerulean forward` needs neither"
		default:
			advice = "user namespaces are switched off; run `sudo sysctl -w " + name + "=10000`, or the command with sudo; `cerulean forward` needs neither"
		}
	}
	switch {
	case errors.Is(err, fs.ErrPermission), strings.Contains(err.Error(), "not permitted"), strings.Contains(err.Error(), "denied"),
		errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EINVAL), strings.Contains(err.Error(), "ended at once"):
		return fmt.Errorf("making a network namespace: %w; %s", err, advice)
	}
	return fmt.Errorf("making a network namespace: %w", err)
}
