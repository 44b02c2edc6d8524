package az

import (
	"bytes"
	"context"
	"crypto/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// leastCommands is how many commands the stories have at least.
const leastCommands = 80

// stories are the story files.
func stories(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no stories", err)
	}
	return files
}

func readStory(t *testing.T, file string) []step {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	steps, err := parseStory(f)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return steps
}

// TestStories runs the Azure CLI through every story.
func TestStories(t *testing.T) {
	if os.Getenv("CERULEAN_INTEROP") != "az" {
		t.Skip("CERULEAN_INTEROP=az runs the Azure CLI")
	}
	if _, err := exec.LookPath("az"); err != nil {
		t.Fatal("the Azure CLI is not installed: ", err)
	}
	dir := t.TempDir()
	cerulean := filepath.Join(dir, "cerulean")
	if out, err := exec.Command("go", "build", "-o", cerulean, "../../cmd/cerulean").CombinedOutput(); err != nil {
		t.Fatalf("building cerulean: %v\n%s", err, out)
	}
	c := &client{cerulean: cerulean, state: filepath.Join(dir, "state")}
	serve(t, c)
	version := c.must(t, "version", "--query", "\"azure-cli\"", "-o", "tsv")
	subscription := c.must(t, "account", "show", "--query", "id", "-o", "tsv")
	begin := time.Now()
	var told, commands, refusals atomic.Int64
	t.Run("story", func(t *testing.T) {
		for _, file := range stories(t) {
			name := strings.TrimSuffix(filepath.Base(file), ".txt")
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				steps := readStory(t, file)
				group := "az-" + name
				variables := map[string]string{
					"SUBSCRIPTION": subscription, "GROUP": group,
					"ID":     "/subscriptions/" + subscription + "/resourceGroups/" + group,
					"UNIQUE": strings.ToLower(rand.Text()[:10]), "DIR": t.TempDir(),
				}
				c.must(t, "group", "create", "-n", group, "-l", "westeurope")
				told.Add(1)
				commands.Add(int64(len(steps)))
				refused := 0
				for _, s := range steps {
					if s.refusal != "" {
						refused++
					}
					if !c.step(t, file, s, variables) && s.save != "" {
						t.Fatalf("%s:%d: what follows needs $%s", file, s.line, s.save)
					}
				}
				refusals.Add(int64(refused))
				t.Logf("%d commands, of which %d are refused as they must be", len(steps), refused)
				c.must(t, "group", "delete", "-n", group, "--yes")
			})
		}
	})
	t.Logf("Azure CLI %s: %d commands, of which %d are refused as they must be, in %v", version, commands.Load(), refusals.Load(), time.Since(begin).Round(time.Second))
	if n := commands.Load(); int(told.Load()) == len(stories(t)) && n < leastCommands {
		t.Errorf("%d commands, at least %d are due", n, leastCommands)
	}
}

// client runs the Azure CLI as its users do.
type client struct{ cerulean, state string }

// az runs one command.
func (c *client) az(ctx context.Context, args ...string) (stdout, stderr string, err error) {
	cmd := exec.CommandContext(ctx, c.cerulean, append([]string{"az", "--dir", c.state, "--"}, args...)...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.Env = append(os.Environ(), "AZURE_CORE_NO_COLOR=true", "AZURE_CORE_OUTPUT=json", "AZURE_CORE_ONLY_SHOW_ERRORS=true")
	err = cmd.Run()
	return out.String(), errs.String(), err
}

func (c *client) must(t *testing.T, args ...string) string {
	t.Helper()
	out, errs, err := c.az(t.Context(), args...)
	if err != nil {
		t.Fatalf("az %s: %v\n%s", strings.Join(args, " "), err, errs)
	}
	return strings.TrimSpace(out)
}

// step runs one step and reports whether it went as it must.
func (c *client) step(t *testing.T, file string, s step, variables map[string]string) bool {
	t.Helper()
	args := make([]string, len(s.args))
	for i, a := range s.args {
		var err error
		if args[i], err = expand(a, variables); err != nil {
			t.Errorf("%s:%d: %v", file, s.line, err)
			return false
		}
	}
	out, errs, err := c.az(t.Context(), args...)
	if wrong := s.check(out, errs, err != nil, variables); wrong != nil {
		t.Errorf("%s:%d: az %s\n%v\nstdout: %s\nstderr: %s", file, s.line, strings.Join(args, " "), wrong, strings.TrimSpace(out), strings.TrimSpace(errs))
		return false
	}
	return true
}

// serve runs a cloud until the test ends.
func serve(t *testing.T, c *client) {
	t.Helper()
	cmd := exec.Command(c.cerulean, "cloud", "--dir", c.state)
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// Its first output says that it is up.
	if n, err := pipe.Read(make([]byte, 1)); n == 0 {
		_ = cmd.Wait()
		t.Fatalf("the cloud did not start: %v\n%s", err, errs.String())
	}
	go func() { _, _ = bytes.NewBuffer(nil).ReadFrom(pipe) }()
	t.Cleanup(func() {
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("the cloud ended with %v\n%s", err, errs.String())
		}
	})
}
