package node_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/internal/fabric/compile"
	"github.com/ceruleannet/cerulean/internal/node"
)

// victimEnv tells the test binary to be a process that applies or destroys
// and kills itself: "DIR NETWORK WHAT STEPS".
const victimEnv = "CERULEAN_TEST_VICTIM"

func TestMain(m *testing.M) {
	if job := strings.Fields(os.Getenv(victimEnv)); len(job) == 4 {
		fmt.Fprintln(os.Stderr, victim(job[0], job[1], job[2], job[3]))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// victim runs a plan, tells of every step that ended, and dies after some of
// them as a process dies under SIGKILL: other steps are under way, and nothing
// is closed.
func victim(dir, network, what, steps string) error {
	limit, err := strconv.Atoi(steps)
	if err != nil {
		return err
	}
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		return err
	}
	ctx := context.Background()
	d, err := node.Open(network, node.LockRead)
	if err != nil {
		return err
	}
	c, err := node.OpenCloud(ctx, node.CloudOptions{Dir: dir, Subscription: d.Network().Subscription, Serve: true})
	if err != nil {
		return err
	}
	makePlan := c.Plan
	if what == "destroy" {
		makePlan = c.PlanDestroy
	}
	p, err := makePlan(ctx, d)
	if err != nil {
		return err
	}
	_, err = c.Apply(ctx, p, 16, func(done, _ int, id string) {
		fmt.Println(id)
		if done == limit {
			if err := self.Kill(); err == nil {
				select {} // until it arrives
			}
		}
	})
	return errors.Join(err, errors.New("all steps ended"))
}

// kill runs a victim and returns the names of the steps it was told have ended.
func kill(t *testing.T, dir, network, what string, steps int) []string {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), fmt.Sprintf("%s=%s %s %s %d", victimEnv, dir, network, what, steps))
	var errs bytes.Buffer
	child.Stderr = &errs
	out, err := child.Output()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Exited() {
		t.Fatalf("%s was not killed after %d steps: %v %s", what, steps, err, errs.String())
	}
	var names []string
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		names = append(names, lines.Text())
	}
	if len(names) != steps {
		t.Fatalf("%d steps were acknowledged, not %d", len(names), steps)
	}
	return names
}

// globojava returns the example, or a copy of it with one text replaced by
// another.
func globojava(t *testing.T, replace ...string) string {
	t.Helper()
	path := filepath.Join("..", "..", "examples", "globojava")
	if len(replace) == 0 {
		return path
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(path)); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "network.yaml")
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(b), replace[0]); n != 1 {
		t.Fatalf("%s says %q %d times, not once", file, replace[0], n)
	}
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(strings.Replace(string(b), replace[0], replace[1], 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// converge applies the network to the cloud of a directory and demands that
// nothing is left to do then, and that the cloud's network is the declared one.
func converge(t *testing.T, dir, network string) {
	t.Helper()
	d, c := openBoth(t, dir, network)
	p, err := c.Plan(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	applied, err := c.Apply(t.Context(), p, 16, nil)
	if err != nil || applied.Done != applied.Steps {
		t.Fatalf("%v, %v", applied, err)
	}
	if p, err = c.Plan(t.Context(), d); err != nil || !p.Empty() {
		var b bytes.Buffer
		_ = p.Write(&b, false, false)
		t.Fatalf("left to do (%v):\n%s", err, b.String())
	}
	img, err := compile.Compile(c.Snapshot(), compile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if img.Digest() != d.Image.Digest() {
		t.Error("the cloud's network is another than the declared one")
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

func openBoth(t *testing.T, dir, network string) (*node.Design, *node.Cloud) {
	t.Helper()
	d, err := node.Open(network, node.LockRead)
	if err != nil {
		t.Fatal(err)
	}
	c, err := node.OpenCloud(t.Context(), node.CloudOptions{Dir: dir, Subscription: d.Network().Subscription})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return d, c
}

// held returns the names of what the cloud of a directory holds.
func held(t *testing.T, dir, network string) map[string]bool {
	t.Helper()
	_, c := openBoth(t, dir, network)
	names := map[string]bool{}
	for _, r := range c.Snapshot() {
		names[r.ID.Name()] = true
		for _, inline := range []string{"subnets", "securityRules", "routes"} {
			list, _ := r.Properties()[inline].([]any)
			for _, e := range list {
				m, _ := e.(map[string]any)
				name, _ := m["name"].(string)
				names[name] = true
			}
		}
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	return names
}

// TestApplyKilled: killed at any moment of a first apply, what was acknowledged
// is there, and the next apply does the rest.
func TestApplyKilled(t *testing.T) {
	network := globojava(t)
	for _, steps := range []int{1, 20, 60, 120, 200, 250} {
		t.Run(strconv.Itoa(steps), func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "state")
			acknowledged := kill(t, dir, network, "apply", steps)
			have := held(t, dir, network)
			for _, name := range acknowledged {
				if !have[name] {
					t.Errorf("%s was acknowledged and is lost", name)
				}
			}
			converge(t, dir, network)
		})
	}
}

// TestKilledAgain: killed in one apply after the other, in an update and in a
// destroy, the end is the same as without.
func TestKilledAgain(t *testing.T) {
	t.Parallel()
	network := globojava(t)
	dir := filepath.Join(t.TempDir(), "state")
	for range 2 {
		kill(t, dir, network, "apply", 100)
	}
	converge(t, dir, network)
	changed := globojava(t, "[eastus, westus,", "[eastus, ")
	for _, steps := range []int{2, 7} {
		kill(t, dir, changed, "apply", steps)
	}
	converge(t, dir, changed)
	kill(t, dir, network, "destroy", 60)
	d, c := openBoth(t, dir, network)
	p, err := c.PlanDestroy(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	if applied, err := c.Apply(t.Context(), p, 16, nil); err != nil || applied.Done != applied.Steps {
		t.Fatalf("%v, %v", applied, err)
	}
	if left := besideWatchers(c.Snapshot()); len(left) != 0 {
		t.Errorf("%d resources left, the first %s", len(left), left[0].ID)
	}
}
