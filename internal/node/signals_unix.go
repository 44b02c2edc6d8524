//go:build unix

package node

import (
	"os"
	"syscall"
)

// forwarded are the signals that a program gets in this process's place; keys are
// those among them that a terminal sends to both.
var (
	forwarded = []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH}
	keys      = []os.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGWINCH}
)
