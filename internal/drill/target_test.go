package drill

import (
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/live"
	"github.com/ceruleannet/cerulean/internal/proof"
)

func TestParse(t *testing.T) {
	n, _ := start(t, farm, live.Options{})
	img := n.Declared()
	for _, c := range []struct {
		words string
		ports string // of the failure, or cuts, or probes
		err   string
	}{
		{words: "host web-1", ports: "web-1"},
		{words: "HOST WEB-1", err: "what is to fail?"},
		{words: "host WEB-1", ports: "web-1"},
		{words: "zone westeurope/1", ports: "web-1 db"},
		{words: "zone westeurope/3", err: "there is westeurope/1, westeurope/2"},
		{words: "region northeurope", ports: "away"},
		{words: "appliance web-1", err: "the network has none"},
		{words: "gateway vpn", err: "the network has none"},
		{words: "link westeurope northeurope", ports: "westeurope - northeurope"},
		{words: "link westeurope/1 client", ports: "westeurope/1 - client"},
		{words: "link westeurope mars", err: `nothing is called "mars"`},
		{words: "link westeurope", err: "1 names given, 2 wanted"},
		{words: "probe front/web-1", ports: "probe front/web-1"},
		{words: "probe front/db", err: "there is front/web-1, front/web-2"},
		{words: "", err: "what is to fail?"},
		{words: "cable 1", err: "what is to fail?"},
	} {
		target, err := Parse(img, c.words)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%q: %v, want %q", c.words, err, c.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", c.words, err)
			continue
		}
		f, _ := target.Failure(img)
		var got []string
		for _, p := range f.Ports {
			if k := img.Ports[p].Kind; k == fabric.PortHost {
				got = append(got, img.Ports[p].Name)
			}
		}
		for _, x := range f.Cuts {
			got = append(got, x.A.Name+" - "+x.B.Name)
		}
		if len(f.Probes) > 0 {
			got = append(got, f.Name)
		}
		for _, want := range strings.Fields(strings.ReplaceAll(c.ports, " - ", "-")) {
			if !strings.Contains(strings.ReplaceAll(strings.Join(got, " "), " - ", "-"), want) {
				t.Errorf("%q: %v, want %s", c.words, got, c.ports)
			}
		}
	}
	all := All(img)
	for _, target := range all {
		if _, err := Parse(img, target.String()); err != nil {
			t.Errorf("%s: %v", target, err)
		}
	}
	if len(all) < 12 {
		t.Errorf("only %v can fail", all)
	}
}

// What the proof predicts: a load balancer with another member goes on, what
// stands alone does not.
func TestPredict(t *testing.T) {
	n, declared := start(t, farm, live.Options{})
	img := n.Declared()
	for _, c := range []struct {
		target string
		want   string // of each expectation: h holds, b broken
		flow   []Forecast
	}{
		{"host web-1", "hhhh", []Forecast{Works, Works}},
		{"zone westeurope/1", "hhbh", []Forecast{Works, Fails}},
		{"zone westeurope/2", "hhhh", []Forecast{Works, Works}},
		{"host db", "hhbh", []Forecast{Works, Fails}},
		{"region westeurope", "bbbb", []Forecast{Fails, Fails}},
		{"region northeurope", "hhhb", []Forecast{Works, Works}},
		{"probe front/web-1", "hhhh", []Forecast{Works, Works}},
		{"link client westeurope/1", "hhhh", []Forecast{Partly, Fails}}, // probes come from elsewhere
	} {
		target, err := Parse(img, c.target)
		if err != nil {
			t.Fatal(err)
		}
		f, _ := target.Failure(img)
		got := ""
		for _, p := range Predict(img, declared.Expectations, &f) {
			if p.Before != proof.Holds {
				t.Errorf("%s does not hold: %s", p.Expectation.Name, p.Why)
			}
			got += p.After.String()[:1]
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.target, got, c.want)
		}
		client, _ := n.Host("client")
		db, _ := n.Host("db")
		front := img.Sets[img.Ports[balancer(img)].Addrs][0].Lo.Addr()
		for i, p := range []fabric.Packet{
			{Src: client.Addrs()[0], Dst: front, SrcPort: 50000, DstPort: 80, Proto: fabric.ProtoTCP},
			{Src: client.Addrs()[0], Dst: db.Addrs()[0], SrcPort: 50000, DstPort: 5432, Proto: fabric.ProtoTCP},
		} {
			if got, why := Follow(img, &f, client.Port(), p); got != c.flow[i] || (got == Works) != (why == "") {
				t.Errorf("%s: %s: %s (%s), want %s", c.target, p, got, why, c.flow[i])
			}
		}
	}
}

func balancer(img *fabric.Image) fabric.PortID {
	for i := range img.Ports {
		if img.Ports[i].Kind == fabric.PortBalancer {
			return fabric.PortID(i)
		}
	}
	return fabric.None
}
