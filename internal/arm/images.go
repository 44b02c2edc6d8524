package arm

import (
	"net/http"
	"strings"

	"github.com/ceruleannet/cerulean/model"
)

// imageVersion is the version every image has.
const imageVersion = "1.0.0"

// images answers for the images of virtual machines ("Virtual Machine Images -
// List" and "- Get"). A machine here is a host behind its interfaces, without a
// disk, so every image there could be is there, in one version: programs that
// look an image up before they make a machine find it. The path is what follows
// the location:
//
//	publishers/P/artifacttypes/vmimage/offers/O/skus/K/versions
//	publishers/P/artifacttypes/vmimage/offers/O/skus/K/versions/V
func (c *call) images(location string, path []string) *Fault {
	for i, word := range []string{"publishers", "artifacttypes", "offers", "skus", "versions"} {
		if 2*i >= len(path) || !strings.EqualFold(path[2*i], word) {
			return fault(http.StatusNotFound, "InvalidResourceType", "The resource type 'locations/%s' could not be found in the namespace 'Microsoft.Compute'.", strings.Join(path, "/"))
		}
	}
	if f := c.getOnly(); f != nil {
		return f
	}
	publisher, offer, sku := path[1], path[5], path[7]
	location = model.NormalizeLocation(location)
	image := func(version string) map[string]any {
		return map[string]any{
			"id": "/Subscriptions/" + c.subscription + "/Providers/Microsoft.Compute/Locations/" + location + "/Publishers/" + publisher +
				"/ArtifactTypes/VMImage/Offers/" + offer + "/Skus/" + sku + "/Versions/" + version,
			"location": location, "name": version,
		}
	}
	if len(path) == 9 {
		writeJSON(c.w, http.StatusOK, []any{image(imageVersion)})
		return nil
	}
	if len(path) != 10 {
		return c.noRoute(append([]string{"..."}, path...))
	}
	one := image(path[9])
	system := "Linux"
	if strings.HasPrefix(strings.ToLower(publisher), "microsoftwindows") || strings.Contains(strings.ToLower(offer), "windows") {
		system = "Windows"
	}
	one["properties"] = map[string]any{
		"architecture": "x64", "hyperVGeneration": "V2", "osDiskImage": map[string]any{"operatingSystem": system}, "dataDiskImages": []any{},
	}
	writeJSON(c.w, http.StatusOK, one)
	return nil
}
