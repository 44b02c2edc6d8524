package arm_test

import "testing"

// TestImages: whoever looks an image up finds it.
func TestImages(t *testing.T) {
	c := newCloud(t)
	at := subscription + "/providers/Microsoft.Compute/locations/EastUS/publishers/"
	skus := "/artifacttypes/vmimage/offers/server/skus/22"
	for publisher, system := range map[string]string{"Canonical": "Linux", "MicrosoftWindowsServer": "Windows"} {
		list := c.must("GET", at+publisher+skus+"/versions?api-version=2024-07-01&$top=1&$orderby=name%20desc", "")
		if string(list.raw) == "" || list.raw[0] != '[' {
			t.Fatalf("%s", list.raw)
		}
		if a := c.get(at + publisher + skus + "/versions/1.0.0"); str(a, "properties", "osDiskImage", "operatingSystem") != system || str(a, "location") != "eastus" {
			t.Errorf("%v", a)
		}
	}
	c.refused(404, "InvalidResourceType", "GET", at+"Canonical/nonsense", "")
	c.refused(404, "InvalidResourcePath", "GET", at+"Canonical"+skus+"/versions/1.0.0/more", "")
	c.refused(405, "MethodNotAllowed", "PUT", at+"Canonical"+skus+"/versions/1.0.0", "{}")
}
