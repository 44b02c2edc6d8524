package arm

import (
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/catalog"
)

// objective is what a database is sold as: the SKU its document shows and the
// name of the service objective.
type objective struct {
	name, tier, family string
	capacity           int // virtual cores or DTUs; 0 in a pool
	service            string
}

// dtus are the service objectives sold by DTU, with how many ("Resource limits
// for single databases using the DTU purchasing model").
var dtus = map[string]int{
	"Basic": 5,
	"S0":    10, "S1": 20, "S2": 50, "S3": 100, "S4": 200, "S6": 400, "S7": 800, "S9": 1600, "S12": 3000,
	"P1": 125, "P2": 250, "P4": 500, "P6": 1000, "P11": 1750, "P15": 4000,
}

// byCores is the name of an objective sold by core, with or without how many.
var byCores = regexp.MustCompile(`^((GP|BC|HS)(?:_S)?_([A-Za-z][A-Za-z0-9]*))(?:_([0-9]+))?$`)

var coreTiers = map[string]string{"GP": "GeneralPurpose", "BC": "BusinessCritical", "HS": "Hyperscale"}

// usual is what a database is without a SKU ("Databases - Create Or Update").
var usual = objective{name: "GP_Gen5", tier: "GeneralPurpose", family: "Gen5", capacity: 2, service: "GP_Gen5_2"}

// objectiveOf reads a SKU; false if its name is none that is known.
func objectiveOf(sku map[string]any) (objective, bool) {
	name := text(sku, "name")
	capacity, given := whole(sku["capacity"])
	if m := byCores.FindStringSubmatch(name); m != nil {
		o := objective{name: m[1], tier: coreTiers[m[2]], family: m[3], capacity: usual.capacity}
		if n, err := strconv.Atoi(m[4]); err == nil {
			o.capacity = n
		} else if given {
			o.capacity = capacity
		}
		o.service = o.name + "_" + strconv.Itoa(o.capacity)
		return o, true
	}
	switch name {
	case "Basic", "Standard", "Premium": // the tier, of which the capacity tells the objective
		for service, n := range dtus {
			if tierOfDTUs(service) == name && (given && n == capacity || !given && slices.Contains([]string{"Basic", "S0", "P1"}, service)) {
				return objective{name: name, tier: name, capacity: n, service: service}, true
			}
		}
	}
	if n, ok := dtus[name]; ok {
		tier := tierOfDTUs(name)
		return objective{name: tier, tier: tier, capacity: n, service: name}, true
	}
	return objective{}, false
}

func tierOfDTUs(service string) string {
	switch service[0] {
	case 'S':
		return "Standard"
	case 'P':
		return "Premium"
	}
	return "Basic"
}

func (o objective) sku() map[string]any {
	sku := map[string]any{"name": o.name, "tier": o.tier, "capacity": number(o.capacity)}
	if o.family != "" {
		sku["family"] = o.family
	}
	return sku
}

// objective is what the database of a change is sold as: as its SKU says, as its
// pool is, as it was, as what it is a copy of, or as usual.
func (c *change) objective() objective {
	p := c.props()
	if sku := object(c.doc, "sku"); sku != nil && text(sku, "name") != "ElasticPool" {
		if o, ok := objectiveOf(sku); ok {
			return o
		}
		// One that is not known here is kept as it came.
		n, _ := whole(sku["capacity"])
		return objective{name: text(sku, "name"), tier: text(sku, "tier"), family: text(sku, "family"), capacity: n, service: text(sku, "name")}
	}
	if text(p, "elasticPoolId") != "" {
		return objective{name: "ElasticPool", tier: usual.tier, service: "ElasticPool"}
	}
	for _, doc := range []map[string]any{c.old, c.source()} {
		if o, ok := objectiveOf(object(doc, "sku")); ok {
			return o
		}
	}
	return usual
}

// source is the document of what a database is made a copy of; nil if it is none.
func (c *change) source() map[string]any {
	id, err := model.ParseID(text(c.props(), "sourceDatabaseId"))
	if err != nil {
		return nil
	}
	e, ok := c.tx.Get(id)
	if !ok {
		return nil
	}
	return e.Resource.Doc
}

// Sizes of databases, in bytes.
const (
	size2GB   = "2147483648"
	size32GB  = "34359738368"
	size250GB = "268435456000"
	size500GB = "536870912000"
	logSize   = "193273528320" // of those sold by core
	noLimit   = "-1"
)

// fillDatabase says what a database is sold as, and what that brings along, as
// the service was recorded to answer (Azure/azure-cli recordings).
func fillDatabase(c *change) *Fault {
	c.keep("databaseId")
	p := c.props()
	p["status"] = "Online"
	if p["creationDate"] = c.oldProps()["creationDate"]; p["creationDate"] == nil {
		p["creationDate"] = c.by.At.UTC().Format(time.RFC3339)
	}
	o := c.objective()
	c.doc["sku"], p["currentSku"] = o.sku(), o.sku()
	p["currentServiceObjectiveName"], p["requestedServiceObjectiveName"] = o.service, o.service
	pool := o.name == "ElasticPool"
	cores := o.family != "" || pool
	serverless, hyperscale := strings.Contains(o.name, "_S_"), o.tier == "Hyperscale"
	kind := "v12.0,user"
	for _, word := range []struct {
		name string
		is   bool
	}{{"vcore", cores}, {"serverless", serverless}, {"hyperscale", hyperscale}, {"pool", pool}} {
		if word.is {
			kind += "," + word.name
		}
	}
	c.doc["kind"] = kind
	if size := object(c.source(), "properties")["maxSizeBytes"]; size != nil {
		setDefault(p, "maxSizeBytes", size)
	}
	setDefault(p, "maxSizeBytes", json.Number(o.size()))
	readable := "Disabled"
	if hyperscale || o.tier == "Premium" || o.tier == "BusinessCritical" {
		readable = "Enabled"
	}
	setDefault(p, "readScale", readable)
	if hyperscale {
		setDefault(p, "highAvailabilityReplicaCount", number(1))
		setDefault(p, "autoPauseDelay", number(-1))
	}
	if serverless && !hyperscale {
		setDefault(p, "autoPauseDelay", number(60))
		setDefault(p, "minCapacity", json.Number("0.5"))
	}
	if cores && !hyperscale {
		p["maxLogSizeBytes"] = json.Number(logSize)
	}
	if cores && !serverless && !pool {
		setDefault(p, "licenseType", "LicenseIncluded")
	} else {
		delete(p, "licenseType")
	}
	if mode := text(p, "createMode"); strings.Contains(mode, "Secondary") {
		setDefault(p, "secondaryType", "Geo")
	}
	// How a database was made is not told later.
	for _, name := range []string{"createMode", "sourceDatabaseId", "restorePointInTime", "sourceDatabaseDeletionDate", "recoverableDatabaseId"} {
		delete(p, name)
	}
	p["currentBackupStorageRedundancy"] = p["requestedBackupStorageRedundancy"]
	if region, ok := catalog.Region(text(c.doc, "location")); ok && region.Paired != "" {
		p["defaultSecondaryLocation"] = region.Paired
	}
	setDefault(p, "maintenanceConfigurationId", model.SubscriptionID(c.id.Subscription()).String()+"/providers/Microsoft.Maintenance/publicMaintenanceConfigurations/SQL_Default")
	return nil
}

// size is how many bytes a database holds unless it says otherwise.
func (o objective) size() string {
	switch o.tier {
	case "Hyperscale":
		return noLimit
	case "Basic":
		return size2GB
	case "Standard":
		return size250GB
	case "Premium":
		return size500GB
	}
	return size32GB
}
