package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "recordings:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	cerulean := flag.String("cerulean", "cerulean", "the program to test")
	each := flag.Bool("v", false, "print every difference of every exchange")
	most := flag.Int("most", 60, "how many sorts of differences the summary lists")
	types := flag.String("types", "", "compare only answers about the types that match this `REGEXP`, such as '^Microsoft.Sql/servers(/databases)?$'; the others are sent all the same")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: recordings [flags] FILE|FOLDER...")
		flag.PrintDefaults()
	}
	flag.Parse()
	files, err := cassettes(flag.Args())
	if err != nil {
		return err
	}
	wanted, err := regexp.Compile("(?i)" + *types)
	if err != nil {
		return fmt.Errorf("--types: %w", err)
	}
	if _, err := exec.LookPath(*cerulean); err != nil {
		return fmt.Errorf("the program to test: %w; build it and name it with --cerulean", err)
	}
	r := newReport()
	failed := 0
	for n, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		outcomes, err := one(ctx, *cerulean, file)
		if ctx.Err() != nil {
			break
		}
		if err != nil {
			failed++
			fmt.Fprintf(os.Stderr, "\r%s: not replayed to its end: %v\n", name, err)
		}
		outcomes = only(wanted, outcomes)
		r.add(name, outcomes, err == nil)
		fmt.Fprintf(os.Stderr, "\r%d of %d recordings", n+1, len(files))
		if *each {
			print(name, outcomes)
		}
	}
	fmt.Fprintln(os.Stderr)
	r.write(os.Stdout, *most)
	if failed > 0 {
		return fmt.Errorf("%d of %d recordings were not replayed to their end", failed, len(files))
	}
	return ctx.Err()
}

// only are the outcomes of exchanges about types that match; an action or a list
// is of the type it is named after.
func only(types *regexp.Regexp, outcomes []outcome) []outcome {
	return slices.DeleteFunc(outcomes, func(o outcome) bool {
		t, _, _ := strings.Cut(o.Type, " (")
		return !types.MatchString(t)
	})
}

// cassettes are the recordings that arguments name.
func cassettes(args []string) ([]string, error) {
	var files []string
	for _, a := range args {
		info, err := os.Stat(a)
		if err != nil {
			return nil, err
		}
		if !info.IsDir() {
			files = append(files, a)
			continue
		}
		found, err := filepath.Glob(filepath.Join(a, "*.yaml"))
		if err != nil {
			return nil, err
		}
		files = append(files, found...)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("no recordings: name files, or folders of *.yaml")
	}
	return files, nil
}

// one replays one recording against a cloud of its own.
func one(ctx context.Context, cerulean, file string) ([]outcome, error) {
	rec, err := readCassette(file)
	if err != nil {
		return nil, err
	}
	c, err := startCloud(ctx, cerulean)
	if err != nil {
		return nil, err
	}
	outcomes, err := replay(ctx, c, rec)
	if end := c.close(); err == nil {
		err = end
	}
	return outcomes, err
}

func print(name string, outcomes []outcome) {
	fmt.Printf("\n== %s\n", name)
	for i := range outcomes {
		o := &outcomes[i]
		if o.agrees() {
			continue
		}
		fmt.Printf("#%d %s %s: ", o.Number, o.Method, o.Path)
		switch {
		case o.Skipped != "":
			fmt.Println("not compared:", o.Skipped)
		case o.Recorded != o.Ours:
			fmt.Printf("%d, recorded %d %s %s\n", o.Ours, o.Recorded, o.Code, clip(o.Message, 400))
		default:
			fmt.Println()
		}
		for _, d := range o.differences {
			fmt.Println("    ", d)
		}
	}
}
