package trafficmanager

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/ceruleannet/cerulean/model"
)

// TestVitals: degraded with the failure that exceeds those tolerated, online with
// one success.
func TestVitals(t *testing.T) {
	start := time.Unix(1000, 0)
	for _, c := range []struct {
		tolerated int
		answers   string // + well, - not
		want      string // states after each: c, o, d
	}{
		{3, "----", "cccd"},
		{3, "+----", "ooood"},
		{3, "+---+---", "oooooooo"},
		{0, "+-+-", "odod"},
		{3, "----+", "cccdo"},
		{9, "+---------", "oooooooooo"},
	} {
		m := monitor
		m.Tolerated = c.tolerated
		v := NewVitals(m, start)
		got := ""
		now := start
		for _, a := range c.answers {
			if !v.Due(now, 1) {
				t.Fatalf("not due at %v", now)
			}
			if v.Due(now, 1) {
				t.Fatal("asked twice")
			}
			why := ""
			if a == '-' {
				why = "refused"
			}
			v.Take(Reply{Time: now, Took: time.Second, Why: why})
			got += map[Status]string{Checking: "c", Online: "o", Degraded: "d"}[v.Status]
			now = now.Add(30 * time.Second)
		}
		if got != c.want {
			t.Errorf("%d tolerated, %s: %s, want %s", c.tolerated, c.answers, got, c.want)
		}
	}
}

func TestAccepts(t *testing.T) {
	m := Monitor{}
	if m.JudgeStatus(200) != "" || !strings.Contains(m.JudgeStatus(302), "not followed") || m.JudgeStatus(404) == "" {
		t.Error("200 alone is well by default")
	}
	m.Expected = []StatusRange{{200, 204}, {301, 301}}
	if m.JudgeStatus(301) != "" || m.JudgeStatus(204) != "" || m.JudgeStatus(302) == "" {
		t.Error("expected ranges")
	}
}

func TestNoticing(t *testing.T) {
	m := monitor
	if got := m.Noticing(1); got != 130*time.Second {
		t.Errorf("30 s, 3 tolerated, 10 s timeout: %s", got)
	}
	if got := m.Noticing(10); got != 13*time.Second {
		t.Errorf("ten times as fast: %s", got)
	}
}

func FuzzFromDocument(f *testing.F) {
	f.Add(`{"properties":{"trafficRoutingMethod":"priority","dnsConfig":{"relativeName":"Shop","ttl":20},"monitorConfig":{"protocol":"HTTPS","path":"/up","intervalInSeconds":10,"expectedStatusCodeRanges":[{"min":200,"max":299}]},"endpoints":[{"name":"a","type":"Microsoft.Network/trafficManagerProfiles/externalEndpoints","properties":{"target":"a.example","subnets":[{"first":"10.0.0.0","scope":8}],"geoMapping":["de"],"endpointLocation":"West Europe"}}]}}`)
	id, _ := model.ParseID("/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/trafficManagerProfiles/shop")
	f.Fuzz(func(t *testing.T, text string) {
		doc := map[string]any{}
		if json.Unmarshal([]byte(text), &doc) != nil {
			return
		}
		p, err := FromDocument(&model.Resource{ID: id, Doc: doc}, func(string) (Target, error) { return Target{}, nil })
		if err != nil || Check([]Profile{p}) != nil {
			return
		}
		d := New([]Profile{p}, nil)
		d.Explain(p.FQDN, &Client{})
	})
}

func TestFromDocument(t *testing.T) {
	id, _ := model.ParseID("/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/trafficManagerProfiles/shop")
	doc := map[string]any{}
	text := `{"properties":{"trafficRoutingMethod":"priority","dnsConfig":{"relativeName":"Shop"},"monitorConfig":{"protocol":"https","path":"/up","intervalInSeconds":10},
		"endpoints":[{"name":"a","type":"Microsoft.Network/trafficManagerProfiles/externalEndpoints","properties":{"target":"A.example.","subnets":[{"first":"10.1.2.3","scope":8}],"geoMapping":["de"],"endpointLocation":"West Europe"}}]}}`
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	p, err := FromDocument(&model.Resource{ID: id, Doc: doc}, func(string) (Target, error) { return Target{}, nil })
	if err != nil {
		t.Fatal(err)
	}
	e := p.Endpoints[0]
	if p.FQDN != "shop.trafficmanager.net" || p.Method != Priority || p.TTL != 60 || p.Monitor.Port != 443 || p.Monitor.Timeout != 9*time.Second || p.Monitor.Tolerated != 3 {
		t.Errorf("%+v", p)
	}
	if e.Target != "a.example" || e.Region != "westeurope" || e.Geo[0] != "DE" || e.Subnets[0].First.String() != "10.0.0.0" || e.Subnets[0].Last.String() != "10.255.255.255" || e.Weight != 1 || e.Priority != 1 {
		t.Errorf("%+v", e)
	}
	if err := Check([]Profile{p}); err != nil {
		t.Error(err)
	}
}
