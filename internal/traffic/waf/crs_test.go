package waf

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/corazawaf/coraza-coreruleset/v4/tests"
	"github.com/goccy/go-yaml"
)

// corpusFile is a file of the rule set's own regression tests.
type corpusFile struct {
	RuleID int `yaml:"rule_id"`
	Tests  []corpusTest
}

type corpusTest struct {
	ID     int `yaml:"test_id"`
	Stages []corpusStage
}

type corpusStage struct {
	Input  corpusInput
	Output corpusOutput
}

type corpusInput struct {
	Method, URI, Version, Data string
	Headers                    yaml.MapSlice
	Encoded                    string `yaml:"encoded_request"`
	Auto                       *bool  `yaml:"autocomplete_headers"`
}

type corpusOutput struct {
	Status      any
	ExpectError bool `yaml:"expect_error"`
	Log         struct {
		Expect   []int  `yaml:"expect_ids"`
		NoExpect []int  `yaml:"no_expect_ids"`
		Match    string `yaml:"match_regex"`
		NoMatch  string `yaml:"no_match_regex"`
	}
}

// corpusFloor is how many of the corpus' tests passed when it was last looked at;
// docs/waf.md says which do not, and why.
const corpusFloor = 4659

// The regression corpus of the rule set, given to a firewall as its makers
// configure it: paranoia 4, bodies and responses inspected. A test whose request
// net/http would not take, or a client could not send, never reaches a firewall
// behind it: it passes if the test expects the server to refuse it.
func TestCoreRuleSetCorpus(t *testing.T) {
	step := 1
	if os.Getenv("CI") == "" || raceEnabled {
		step = 16 // the whole takes half a minute
	}
	p := &Policy{
		Name: "corpus", Mode: Detection, Paranoia: 4, Responses: true,
		Managed: []RuleSet{{Type: "OWASP", Version: "4.25"}},
		MaxBody: maxBody, InspectLimit: maxBody,
	}
	f, err := newFirewall(p, Options{}, corpusSetup)
	if err != nil {
		t.Fatal(err)
	}
	c := newCorpusServer(f)
	defer c.server.Close()
	type job struct {
		name string
		test corpusTest
	}
	jobs := make(chan job)
	var mu sync.Mutex
	passed, failed, refused := 0, map[string]string{}, 0
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() {
			for j := range jobs {
				why := c.run(&j.test)
				mu.Lock()
				switch why {
				case "":
					passed++
				case refusedAsWanted:
					passed++
					refused++
				default:
					failed[j.name] = why
				}
				mu.Unlock()
			}
		})
	}
	n := 0
	err = fs.WalkDir(tests.FS, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(tests.FS, path)
		if err != nil {
			return err
		}
		var file corpusFile
		if err := yaml.Unmarshal(b, &file); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		for _, x := range file.Tests {
			if n++; n%step != 0 {
				continue
			}
			jobs <- job{fmt.Sprintf("%d-%d", file.RuleID, x.ID), x}
		}
		return nil
	})
	close(jobs)
	all.Wait()
	if err != nil {
		t.Fatal(err)
	}
	total := passed + len(failed)
	t.Logf("%d of %d tests of the OWASP CRS %s corpus passed (%.2f %%), %d of them because the server refuses the request", passed, total, CoreVersion, 100*float64(passed)/float64(total), refused)
	var names []string
	for n := range failed {
		names = append(names, n)
	}
	sort.Strings(names)
	for _, n := range names {
		t.Logf("%s: %s", n, failed[n])
	}
	if n < 4670 || total != n/step {
		t.Errorf("%d tests of %d: the corpus is not whole", total, n)
	}
	if floor := corpusFloor/step - 8; step == 1 && passed < corpusFloor || passed < floor {
		t.Errorf("%d passed, want at least %d", passed, max(floor, corpusFloor/step))
	}
}

// corpusSetup is what the corpus' makers set beside the defaults.
const corpusSetup = `SecAction "id:900005,phase:1,nolog,pass,t:none,ctl:ruleRemoveById=910000,setvar:tx.crs_validate_utf8_encoding=1,setvar:tx.arg_name_length=100,setvar:tx.arg_length=400,setvar:tx.total_arg_length=64000,setvar:tx.max_num_args=255,setvar:tx.max_file_size=64100,setvar:tx.combined_file_sizes=65535"
`

// refusedAsWanted is no failure: the request must not reach a firewall.
const refusedAsWanted = "refused as wanted"

// run runs one test, and says why it failed.
func (c *corpusServer) run(x *corpusTest) string {
	for i := range x.Stages {
		if why := c.runStage(&x.Stages[i]); why != "" {
			return why
		}
	}
	return ""
}

func (c *corpusServer) runStage(s *corpusStage) string {
	want := &s.Output.Log
	raw, err := s.Input.raw()
	if err != nil {
		return err.Error()
	}
	status, i, err := c.ask(raw)
	switch {
	case err != nil:
		return err.Error()
	case i == nil:
		if s.Output.ExpectError || fmt.Sprint(s.Output.Status) == "400" || len(want.Expect) == 0 && s.Output.Status == nil {
			return refusedAsWanted
		}
		return fmt.Sprintf("net/http refuses the request: %d", status)
	case s.Output.ExpectError || fmt.Sprint(s.Output.Status) == "400":
		return "net/http takes the request"
	}
	seen := map[int]bool{}
	var log strings.Builder
	for _, e := range i.Entries() {
		id, _ := strconv.Atoi(e.RuleID)
		seen[id] = true
		fmt.Fprintf(&log, "[id %q] [msg %q] [data %q]\n", e.RuleID, e.Message, e.DetailedData)
	}
	for _, id := range want.Expect {
		if !seen[id] {
			return fmt.Sprintf("rule %d did not match", id)
		}
	}
	for _, id := range want.NoExpect {
		if seen[id] {
			return fmt.Sprintf("rule %d matched", id)
		}
	}
	for pattern, wanted := range map[string]bool{want.Match: true, want.NoMatch: false} {
		if pattern == "" {
			continue
		}
		re, err := regexp.Compile(pattern)
		if err != nil {
			return err.Error()
		}
		if re.MatchString(log.String()) != wanted {
			return fmt.Sprintf("log matches %q: %v", pattern, !wanted)
		}
	}
	return ""
}

// corpusServer is net/http's server with a firewall before an answer.
type corpusServer struct {
	server *httptest.Server
	found  sync.Map // by the client's address: an Inspection
}

func newCorpusServer(f *Firewall) *corpusServer {
	c := &corpusServer{}
	c.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i, err := f.Begin(r, "corpus", time.Time{})
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		_, err = i.Response(reflect(r))
		i.Close()
		if err == nil {
			c.found.Store(r.RemoteAddr, i)
		}
	}))
	c.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	c.server.Start()
	return c
}

// ask sends bytes and returns the status of the answer, and what the firewall
// found; nil if the request never reached it.
func (c *corpusServer) ask(raw []byte) (status int, i *Inspection, err error) {
	conn, err := net.Dial("tcp", c.server.Listener.Addr().String())
	if err != nil {
		return 0, nil, err
	}
	defer conn.Close()
	if _, err := conn.Write(raw); err != nil {
		return 0, nil, err
	}
	_ = conn.(*net.TCPConn).CloseWrite() // nothing follows
	b, _ := io.ReadAll(io.LimitReader(conn, 64<<10))
	if fields := strings.Fields(string(b)); len(fields) > 1 {
		status, _ = strconv.Atoi(fields[1])
	}
	if v, ok := c.found.LoadAndDelete(conn.LocalAddr().String()); ok {
		i = v.(*Inspection)
	}
	return status, i, nil
}

// raw is the request as a client sends it.
func (in *corpusInput) raw() ([]byte, error) {
	if in.Encoded != "" {
		return base64.StdEncoding.DecodeString(strings.ReplaceAll(in.Encoded, "\n", ""))
	}
	method, uri, version := in.Method, in.URI, in.Version
	if method == "" {
		method = "GET"
	}
	if uri == "" {
		uri = "/"
	}
	if version == "" {
		version = "HTTP/1.1"
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s %s\r\n", method, uri, version)
	has := map[string]string{}
	for _, h := range in.Headers {
		name, value := fmt.Sprint(h.Key), fmt.Sprint(h.Value)
		if h.Value == nil {
			value = ""
		}
		has[strings.ToLower(name)] = value
		fmt.Fprintf(&b, "%s: %s\r\n", name, value)
	}
	data := in.Data
	if in.Auto == nil || *in.Auto {
		_, length := has["content-length"]
		_, coding := has["transfer-encoding"]
		if data != "" && !length && !coding {
			fmt.Fprintf(&b, "Content-Length: %d\r\n", len(data))
		}
		if _, typed := has["content-type"]; data != "" && !typed {
			b.WriteString("Content-Type: application/x-www-form-urlencoded\r\n")
		}
		if _, kept := has["connection"]; !kept {
			b.WriteString("Connection: close\r\n")
		}
	}
	b.WriteString("\r\n")
	b.WriteString(data)
	return b.Bytes(), nil
}

// reflect is the corpus' server: it answers with what a request to /reflect tells
// it to, and with nothing else.
func reflect(r *http.Request) *http.Response {
	resp := &http.Response{StatusCode: 200, Proto: "HTTP/1.1", Header: http.Header{"Content-Type": {"text/plain"}}, Body: http.NoBody}
	if !strings.HasPrefix(r.URL.Path, "/reflect") {
		return resp
	}
	b, _ := io.ReadAll(r.Body)
	var say struct {
		Status      int
		Headers     map[string]string
		Body        string
		EncodedBody string
	}
	if json.Unmarshal(b, &say) != nil {
		return resp
	}
	if say.Status != 0 {
		resp.StatusCode = say.Status
	}
	for k, v := range say.Headers {
		resp.Header.Set(k, v)
	}
	if say.EncodedBody != "" {
		raw, _ := base64.StdEncoding.DecodeString(say.EncodedBody)
		say.Body = string(raw)
	}
	resp.Body = io.NopCloser(strings.NewReader(say.Body))
	return resp
}
