package datapath

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Child runs this process's part in namespaces if that is what its arguments say
// it was started for, and returns its exit code. A program that uses [Start]
// calls it first thing in main.
func Child(args []string) (code int, is bool) {
	if len(args) != 2 {
		return 0, false
	}
	switch args[1] {
	case childArg:
		return runChild(), true
	case hopArg:
		return runHop(), true
	}
	return 0, false
}

// runHop starts the child from inside a network namespace that another made.
func runHop() int {
	attr := childAttr(true)
	attr.Cloneflags &^= syscall.CLONE_NEWNET
	attr.AmbientCaps = []uintptr{unix.CAP_SYS_ADMIN}
	attr.Pdeathsig = syscall.SIGKILL
	runtime.LockOSThread() // the thread whose death kills the child
	ignoreTerminal()
	socket := os.NewFile(childSocket, "socket")
	cmd := &exec.Cmd{
		Path: "/proc/self/exe", Args: []string{"/proc/self/exe", childArg},
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, ExtraFiles: []*os.File{socket}, SysProcAttr: attr,
	}
	if err := cmd.Start(); err != nil {
		c, e := unixConn(socket)
		if e == nil {
			_ = NewMessages(c, nil).Send(reply{Error: err.Error()})
		}
		return ExitNotExecutable
	}
	socket.Close()
	_ = cmd.Wait()
	s, _ := cmd.ProcessState.Sys().(syscall.WaitStatus)
	return exitCode(s)
}

// ignoreTerminal leaves the keys of the terminal to the command, which shares
// this process's group.
func ignoreTerminal() {
	signal.Ignore(syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTSTP, syscall.SIGTTIN, syscall.SIGTTOU, syscall.SIGHUP, syscall.SIGTERM)
}

// runChild is the first process of the namespaces.
func runChild() int {
	// Namespaces and capabilities are the thread's; the command must come from
	// the thread that has them.
	runtime.LockOSThread()
	conn, err := unixConn(os.NewFile(childSocket, "socket"))
	if err != nil {
		return ExitNotExecutable
	}
	m := NewMessages(conn, nil)
	var o order
	if _, err := m.Receive(&o); err != nil {
		return ExitNotExecutable
	}
	files, r, err := settle(&o)
	if err != nil {
		_ = m.Send(reply{Error: err.Error()})
		return ExitNotExecutable
	}
	err = m.Send(r, files...)
	closeAll(files)
	if err != nil {
		return ExitNotExecutable
	}
	var i instruction
	if _, err := m.Receive(&i); err != nil || !i.Run {
		return ExitNotExecutable
	}
	pid, code, err := launch(&o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "cerulean:", err)
		return code
	}
	go func() {
		for {
			var i instruction
			if _, err := m.Receive(&i); err != nil {
				// Whoever started this is gone: so is all of it.
				os.Exit(ExitSignal + int(unix.SIGKILL))
			}
			to := pid
			if i.All {
				to = -1 // all but this one
			}
			if i.Signal > 0 {
				_ = unix.Kill(to, unix.Signal(i.Signal))
			}
		}
	}()
	return reap(pid)
}

// settle makes everything the command needs around it.
func settle(o *order) (files []*os.File, r reply, err error) {
	var devices []*os.File
	defer func() {
		if err != nil {
			closeAll(append(files, devices...))
		}
	}()
	if o.Layout != nil {
		if err := o.Layout.check(); err != nil {
			return nil, r, err
		}
		if devices, r.Note, err = build(o.Layout, o.TAP); err != nil {
			return nil, r, err
		}
	}
	spaces := []string{"net"}
	if o.Rootless {
		spaces = append(spaces, "user")
		r.User = true
	}
	for _, s := range spaces {
		f, err := os.Open("/proc/thread-self/ns/" + s)
		if err != nil {
			return nil, r, err
		}
		files = append(files, f)
	}
	if o.Hostname != "" {
		if err := unix.Sethostname([]byte(o.Hostname)); err != nil {
			return nil, r, fmt.Errorf("the host's name: %w", err)
		}
	}
	if err := cover(o.Files); err != nil {
		return nil, r, err
	}
	if err := showProcesses(); err != nil {
		return nil, r, err
	}
	return append(files, devices...), r, nil
}

// launch starts the command; if it cannot, it returns the exit code that says so.
func launch(o *order) (pid, code int, err error) {
	path, err := lookPath(o.Args[0], o.Env)
	if err != nil {
		code = ExitNotFound
		if errors.Is(err, os.ErrPermission) {
			code = ExitNotExecutable
		}
		return 0, code, err
	}
	attr := &syscall.SysProcAttr{}
	if o.Rootless {
		// The command keeps what a machine's user needs of its network, and loses
		// what made the namespaces.
		if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
			return 0, ExitNotExecutable, fmt.Errorf("dropping capabilities: %w", err)
		}
		if o.Layout != nil {
			attr.AmbientCaps = []uintptr{unix.CAP_NET_ADMIN, unix.CAP_NET_RAW, unix.CAP_NET_BIND_SERVICE}
		}
	}
	pid, err = syscall.ForkExec(path, o.Args, &syscall.ProcAttr{Env: o.Env, Files: []uintptr{0, 1, 2}, Sys: attr})
	if err != nil {
		return 0, ExitNotExecutable, fmt.Errorf("%s: %w", path, err)
	}
	ignoreTerminal() // after the command began, which must not inherit it
	return pid, 0, nil
}

// lookPath finds a program in the PATH of an environment.
func lookPath(name string, env []string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	list := "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	for _, e := range env {
		if v, ok := strings.CutPrefix(e, "PATH="); ok {
			list = v
		}
	}
	denied := false
	for _, dir := range filepath.SplitList(list) {
		if dir == "" {
			dir = "."
		}
		path := filepath.Join(dir, name)
		info, err := os.Stat(path)
		if err != nil || info.IsDir() {
			continue
		}
		if unix.Access(path, unix.X_OK) == nil {
			return path, nil
		}
		denied = true
	}
	if denied {
		return "", fmt.Errorf("%s: %w", name, os.ErrPermission)
	}
	return "", fmt.Errorf("%s: no such command in %s", name, list)
}

// reap waits for every process that ends, as the first process must, until the
// command does.
func reap(pid int) int {
	for {
		var s syscall.WaitStatus
		got, err := syscall.Wait4(-1, &s, 0, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case err != nil:
			return ExitNotExecutable
		case got == pid:
			return exitCode(s)
		}
	}
}

func exitCode(s syscall.WaitStatus) int {
	if s.Signaled() {
		return ExitSignal + int(s.Signal())
	}
	return s.ExitStatus()
}
