package paas

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/ceruleannet/cerulean/model"
)

// instanceVersions are the versions of the metadata service, newest first
// ("Azure Instance Metadata Service", supported API versions).
var instanceVersions = []string{
	"2025-04-07", "2024-07-17", "2024-03-15", "2023-11-15", "2023-07-01", "2021-12-13", "2021-11-15", "2021-11-01", "2021-10-01", "2021-08-01",
	"2021-05-01", "2021-03-01", "2021-02-01", "2021-01-01", "2020-12-01", "2020-10-01", "2020-09-01", "2020-07-15", "2020-06-01", "2020-05-01",
	"2019-11-01", "2019-08-15", "2019-08-01", "2019-06-04", "2019-06-01", "2019-04-30", "2019-03-11", "2019-02-01", "2018-10-01", "2018-04-02",
	"2018-02-01", "2017-12-01", "2017-10-01", "2017-08-01", "2017-04-02",
}

// Metadata returns the instance metadata service as one virtual machine sees it.
func (p *Planes) Metadata(vm model.ID) http.Handler { return instanceServer{p, vm} }

// instanceServer answers for one virtual machine.
type instanceServer struct {
	planes *Planes
	vm     model.ID
}

// ServeHTTP implements http.Handler.
func (s instanceServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Server", "IMDS/150.870.65.1854")
	w.Header().Set("X-Ms-Request-Id", newID())
	path := strings.Trim(r.URL.Path, "/")
	token := path == "metadata/identity/oauth2/token"
	fail := func(status int, code, text string) {
		if token {
			instanceJSON(w, status, map[string]any{"error": code, "error_description": text})
			return
		}
		instanceJSON(w, status, map[string]any{"error": "Bad request. " + text})
	}
	switch {
	case r.Header.Get("X-Forwarded-For") != "":
		// Requests of proxies are refused, so that a service cannot be made to ask
		// in a machine's name.
		fail(http.StatusBadRequest, "invalid_request", "Requests with the header X-Forwarded-For are not allowed")
		return
	case !strings.EqualFold(r.Header.Get("Metadata"), "true"):
		fail(http.StatusBadRequest, "invalid_request", "Required metadata header not specified")
		return
	case r.Method != http.MethodGet:
		w.Header().Set("Allow", http.MethodGet)
		instanceJSON(w, http.StatusMethodNotAllowed, map[string]any{"error": "Method not allowed"})
		return
	case path == "metadata/versions":
		instanceJSON(w, http.StatusOK, map[string]any{"apiVersions": oldestFirst(instanceVersions)})
		return
	}
	tree, isInstance := strings.CutPrefix(path, "metadata/instance")
	if !token && !isInstance {
		instanceJSON(w, http.StatusNotFound, map[string]any{"error": "Not found"})
		return
	}
	version := r.URL.Query().Get("api-version")
	if version == "" {
		version = r.URL.Query().Get("version")
	}
	if !slices.Contains(instanceVersions, version) {
		text := "api-version is invalid or was not specified in the request"
		if token {
			fail(http.StatusBadRequest, "invalid_request", text)
			return
		}
		instanceJSON(w, http.StatusBadRequest, map[string]any{"error": "Bad request. " + text + ". For more information refer to aka.ms/azureimds", "newest-versions": instanceVersions[:5]})
		return
	}
	vm, ok := s.planes.cloud.Resource(s.vm)
	if !ok {
		instanceJSON(w, http.StatusNotFound, map[string]any{"error": "Not found"})
		return
	}
	if token {
		s.token(w, r, vm)
		return
	}
	s.instance(w, r, vm, strings.Trim(tree, "/"))
}

func oldestFirst(list []string) []string {
	list = slices.Clone(list)
	slices.Reverse(list)
	return list
}

func instanceJSON(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		status, b = http.StatusInternalServerError, []byte(`{"error":"Internal server error"}`)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b) // a client that is gone does not read it
}

// instance answers with the part of the metadata that a path names: a node as
// JSON, a leaf as text, and with format=text the names of a node's children
// ("Azure Instance Metadata Service": data format, paths).
func (s instanceServer) instance(w http.ResponseWriter, r *http.Request, vm *model.Resource, path string) {
	var node any = map[string]any{"compute": s.compute(vm), "network": s.network(vm)}
	for _, step := range strings.FieldsFunc(path, func(c rune) bool { return c == '/' }) {
		switch v := node.(type) {
		case map[string]any:
			node = v[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(v) {
				node = nil
			} else {
				node = v[i]
			}
		default:
			node = nil
		}
		if node == nil {
			instanceJSON(w, http.StatusNotFound, map[string]any{"error": "Not found"})
			return
		}
	}
	text, leaf := node.(string)
	if !leaf && !strings.EqualFold(r.URL.Query().Get("format"), "text") {
		instanceJSON(w, http.StatusOK, node)
		return
	}
	switch v := node.(type) {
	case map[string]any:
		var names []string
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if _, leaf := v[name].(string); !leaf {
				name += "/"
			}
			names = append(names, name)
		}
		text = strings.Join(names, "\n")
	case []any:
		var names []string
		for i := range v {
			names = append(names, strconv.Itoa(i)+"/")
		}
		text = strings.Join(names, "\n")
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write([]byte(text)) // a client that is gone does not read it
}

func textAt(m map[string]any, path ...string) string {
	for _, step := range path[:len(path)-1] {
		m, _ = m[step].(map[string]any)
	}
	s, _ := m[path[len(path)-1]].(string)
	return s
}

// compute is the part "compute".
func (s instanceServer) compute(vm *model.Resource) map[string]any {
	p := vm.Properties()
	tags := vm.Tags()
	names := slices.Sorted(maps.Keys(tags))
	list, pairs := []any{}, []string{}
	for _, name := range names {
		list = append(list, map[string]any{"name": name, "value": tags[name]})
		pairs = append(pairs, name+":"+tags[name])
	}
	zone := ""
	if zones, _ := vm.Doc["zones"].([]any); len(zones) > 0 {
		zone, _ = zones[0].(string)
	}
	image, _ := p["storageProfile"].(map[string]any)
	image, _ = image["imageReference"].(map[string]any)
	os := textAt(p, "storageProfile", "osDisk", "osType")
	if profile, _ := p["osProfile"].(map[string]any); os == "" {
		if os = "Linux"; profile["windowsConfiguration"] != nil {
			os = "Windows"
		}
	}
	return map[string]any{
		"azEnvironment": "AzurePublicCloud", "isHostCompatibilityLayerVm": "false", "provider": "Microsoft.Compute",
		"name": vm.ID.Name(), "vmId": textAt(p, "vmId"), "resourceId": vm.ID.String(), "location": vm.Location(), "zone": zone,
		"resourceGroupName": vm.ID.ResourceGroup(), "subscriptionId": vm.ID.Subscription(),
		"tags": strings.Join(pairs, ";"), "tagsList": list, "osType": os, "vmSize": textAt(p, "hardwareProfile", "vmSize"),
		"sku": textAt(image, "sku"), "offer": textAt(image, "offer"), "publisher": textAt(image, "publisher"), "version": textAt(image, "version"),
		"priority": textAt(p, "priority"), "evictionPolicy": textAt(p, "evictionPolicy"), "licenseType": textAt(p, "licenseType"),
		"placementGroupId": "", "platformFaultDomain": "0", "platformUpdateDomain": "0", "vmScaleSetName": "",
		"osProfile": map[string]any{
			"adminUsername": textAt(p, "osProfile", "adminUsername"), "computerName": firstOf(textAt(p, "osProfile", "computerName"), vm.ID.Name()),
			"disablePasswordAuthentication": "true",
		},
	}
}

func firstOf(list ...string) string {
	for _, s := range list {
		if s != "" {
			return s
		}
	}
	return ""
}

// network is the part "network": the interfaces of the machine in its order.
// Public addresses are told of Basic ones only, which there are none of here.
func (s instanceServer) network(vm *model.Resource) map[string]any {
	interfaces := []any{}
	profile, _ := vm.Properties()["networkProfile"].(map[string]any)
	nics, _ := profile["networkInterfaces"].([]any)
	for i, e := range nics {
		ref, _ := e.(map[string]any)
		id, err := model.ParseID(textAt(ref, "id"))
		if err != nil {
			continue
		}
		nic, ok := s.planes.cloud.Resource(id)
		if !ok {
			continue
		}
		interfaces = append(interfaces, s.nic(vm, nic, i))
	}
	return map[string]any{"interface": interfaces}
}

func (s instanceServer) nic(vm, nic *model.Resource, index int) map[string]any {
	families := map[bool]map[string]any{true: {"ipAddress": []any{}, "subnet": []any{}}, false: {"ipAddress": []any{}}}
	seen := map[string]bool{}
	configs, _ := nic.Properties()["ipConfigurations"].([]any)
	for _, e := range configs {
		config, _ := e.(map[string]any)
		p, _ := config["properties"].(map[string]any)
		a, err := netip.ParseAddr(textAt(p, "privateIPAddress"))
		if err != nil {
			continue
		}
		entry := map[string]any{"privateIpAddress": a.String()}
		if a.Is4() {
			entry["publicIpAddress"] = ""
		}
		f := families[a.Is4()]
		f["ipAddress"] = append(f["ipAddress"].([]any), entry)
		subnet := s.subnet(textAt(p, "subnet", "id"), a)
		if subnet.IsValid() && a.Is4() && !seen[subnet.String()] {
			seen[subnet.String()] = true
			f["subnet"] = append(f["subnet"].([]any), map[string]any{"address": subnet.Addr().String(), "prefix": strconv.Itoa(subnet.Bits())})
		}
	}
	mac := strings.ToUpper(strings.NewReplacer("-", "", ":", "").Replace(textAt(nic.Properties(), "macAddress")))
	if mac == "" {
		mac = macOf(nic.ID)
	}
	return map[string]any{"ipv4": families[true], "ipv6": families[false], "macAddress": mac}
}

// subnet returns the prefix of a subnet that holds an address.
func (s instanceServer) subnet(text string, a netip.Addr) netip.Prefix {
	id, err := model.ParseID(text)
	if err != nil {
		return netip.Prefix{}
	}
	var p map[string]any
	if r, ok := s.planes.cloud.Resource(id); ok {
		p = r.Properties()
	}
	var candidates []any
	candidates = append(candidates, p["addressPrefix"])
	list, _ := p["addressPrefixes"].([]any)
	for _, c := range append(candidates, list...) {
		word, _ := c.(string)
		if prefix, err := netip.ParsePrefix(word); err == nil && prefix.Contains(a) {
			return prefix
		}
	}
	return netip.Prefix{}
}

// macOf is the hardware address of an interface whose document has none: of
// Microsoft's block, and the same whenever it is asked for.
func macOf(nic model.ID) string {
	h := uint32(2166136261) // FNV-1a
	for _, b := range []byte(nic.Key()) {
		h = (h ^ uint32(b)) * 16777619
	}
	return fmt.Sprintf("000D3A%06X", h&0xffffff)
}
