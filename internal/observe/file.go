package observe

import (
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/observe/pcapng"
	"github.com/ceruleannet/cerulean/model"
)

// File writes a capture as pcapng: an interface for each port, and of each
// packet what was decided about it as comments.
type File struct {
	w       *pcapng.Writer
	filter  string
	snap    int
	started time.Time
	ports   map[string]int // by identity
}

// NewFile begins a file. Names of the image's hosts are written first.
func NewFile(w io.Writer, img *fabric.Image, filter string, snap int, now time.Time) (*File, error) {
	p, err := pcapng.NewWriter(w, pcapng.Section{
		Application: "Cerulean", OS: runtime.GOOS, Hardware: runtime.GOARCH,
		Comment: "packets of a Cerulean network: IP packets at virtual network interfaces",
	})
	if err != nil {
		return nil, err
	}
	if snap <= 0 {
		snap = DefaultSnapLen
	}
	f := &File{w: p, filter: filter, snap: snap, started: now, ports: map[string]int{}}
	if names := hostNames(img); len(names) > 0 {
		return f, p.WriteNames(names)
	}
	return f, nil
}

// maxNames bounds the names of a file.
const maxNames = 20_000

func hostNames(img *fabric.Image) []pcapng.Name {
	var out []pcapng.Name
	for i := range img.Ports {
		p := &img.Ports[i]
		if p.Kind != fabric.PortHost && p.Kind != fabric.PortEndpoint {
			continue
		}
		for _, a := range appendAddrs(nil, img.Sets[p.Addrs]) {
			if len(out) >= maxNames {
				return out
			}
			out = append(out, pcapng.Name{Addr: a, Name: hostOf(p)})
		}
	}
	return out
}

// hostOf returns the host of a port, or the port's own name.
func hostOf(p *fabric.Port) string {
	for _, l := range p.Labels {
		if l.Kind == string(model.LabelHost) {
			return l.Name
		}
	}
	return p.Name
}

// Write writes a sighting.
func (f *File) Write(p *Packet) error {
	n, err := f.interfaceOf(p.Image, p.At)
	if err != nil {
		return err
	}
	direction := pcapng.Outbound
	if p.Inbound {
		direction = pcapng.Inbound
	}
	return f.w.WritePacket(pcapng.Packet{
		Interface: n, Time: p.Time, Data: p.Data, Length: p.Length, Direction: direction,
		ID: p.ID, Comments: Comments(p), Dropped: p.Dropped,
	})
}

func (f *File) interfaceOf(img *fabric.Image, at fabric.PortID) (int, error) {
	name, resource := PortName(img, at), ""
	if at >= 0 && int(at) < len(img.Ports) {
		resource = img.Ports[at].Origin.Resource
	}
	key := strings.ToLower(name + "\x00" + resource)
	n, ok := f.ports[key]
	if !ok {
		var err error
		n, err = f.w.AddInterface(pcapng.Interface{
			Name: name, Description: resource, Filter: f.filter, Link: pcapng.LinkRaw, SnapLen: uint32(f.snap),
		})
		if err != nil {
			return 0, err
		}
		f.ports[key] = n
	}
	return n, nil
}

// Close writes what was counted, for each interface of the file: the counters
// are the capture's as a whole.
func (f *File) Close(c Counts, now time.Time) error {
	var all []int
	for _, n := range f.ports {
		all = append(all, n)
	}
	slices.Sort(all)
	for _, n := range all {
		err := f.w.WriteStatistics(pcapng.Statistics{
			Interface: n, Start: f.started, Stop: now, Received: c.Seen, Accepted: c.Accepted, Dropped: c.Dropped,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Comments are what is written beside a packet: the verdict and why, the rules
// the flow met, the resource and the line that decided, and the flow.
func Comments(p *Packet) []string {
	d := p.Decision()
	out := []string{d.Verdict + ": " + strings.TrimPrefix(d.Text, d.Verdict+": ")}
	if len(p.Rules) > 0 {
		out = append(out, "rules: "+strings.Join(p.Rules, ", "))
	}
	if d.Resource != "" {
		out = append(out, "resource: "+d.Resource)
	}
	if d.Place != "" {
		out = append(out, "place: "+d.Place)
	}
	if p.Result.Flow != 0 {
		way := ""
		if p.Reply {
			way = ", reply"
		}
		out = append(out, fmt.Sprintf("flow: %d%s", p.Result.Flow, way))
	}
	return out
}
