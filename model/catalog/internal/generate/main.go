// Command generate writes the data files of package catalog from published
// sources:
//
//   - -regions: CSV of the Azure locations list (az account list-locations) with
//     the columns name, display_name, geography, geography_group,
//     physical_location, latitude, longitude, availability_zones,
//     paired_region, category;
//   - -latency: CSV with the columns from, to, ms of the table "Azure network
//     round-trip latency statistics" (P50);
//   - -tags: the JSON download "Azure IP Ranges and Service Tags - Public Cloud".
//
// It writes regions.csv (the same table), latency.csv (one row per source
// region, one column per destination) and servicetags.gz (one line per tag:
// its name and prefixes).
package main

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"sort"
	"strconv"
)

func main() {
	regions := flag.String("regions", "", "CSV of the locations list")
	latency := flag.String("latency", "", "CSV of from, to, ms")
	tags := flag.String("tags", "", "JSON of the service tags")
	out := flag.String("out", "data", "folder to write")
	flag.Parse()
	for _, step := range []struct {
		in, out string
		convert func(io.Reader) ([]byte, error)
	}{
		{*regions, "regions.csv", copyRegions},
		{*latency, "latency.csv", matrix},
		{*tags, "servicetags.gz", tagLines},
	} {
		if err := run(step.in, filepath.Join(*out, step.out), step.convert); err != nil {
			fmt.Fprintln(os.Stderr, "generate:", err)
			os.Exit(1)
		}
	}
}

func run(in, out string, convert func(io.Reader) ([]byte, error)) error {
	f, err := os.Open(in)
	if err != nil {
		return err
	}
	defer f.Close()
	b, err := convert(f)
	if err != nil {
		return fmt.Errorf("%s: %w", in, err)
	}
	return os.WriteFile(out, b, 0o644)
}

func copyRegions(r io.Reader) ([]byte, error) {
	rows, err := csv.NewReader(r).ReadAll()
	if err != nil {
		return nil, err
	}
	return writeCSV(rows)
}

// matrix turns pairs into rows and columns; a pair without a value stays empty.
func matrix(r io.Reader) ([]byte, error) {
	rows, err := csv.NewReader(r).ReadAll()
	if err != nil {
		return nil, err
	}
	ms := map[[2]string]string{}
	seen := map[string]bool{}
	for _, row := range rows[1:] {
		if _, err := strconv.ParseUint(row[2], 10, 16); err != nil {
			return nil, fmt.Errorf("%s to %s: %w", row[0], row[1], err)
		}
		ms[[2]string{row[0], row[1]}] = row[2]
		seen[row[0]], seen[row[1]] = true, true
	}
	names := make([]string, 0, len(seen))
	for n := range seen {
		names = append(names, n)
	}
	sort.Strings(names)
	table := [][]string{append([]string{"from"}, names...)}
	for _, from := range names {
		row := []string{from}
		for _, to := range names {
			row = append(row, ms[[2]string{from, to}])
		}
		table = append(table, row)
	}
	return writeCSV(table)
}

func tagLines(r io.Reader) ([]byte, error) {
	var doc struct {
		ChangeNumber int
		Cloud        string
		Values       []struct {
			Name       string
			Properties struct{ AddressPrefixes []string }
		}
	}
	if err := json.NewDecoder(r).Decode(&doc); err != nil {
		return nil, err
	}
	sort.Slice(doc.Values, func(i, j int) bool { return doc.Values[i].Name < doc.Values[j].Name })
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(z, "# %s %d\n", doc.Cloud, doc.ChangeNumber)
	for _, tag := range doc.Values {
		io.WriteString(z, tag.Name)
		for _, p := range tag.Properties.AddressPrefixes {
			if _, err := netip.ParsePrefix(p); err != nil {
				return nil, fmt.Errorf("tag %s: %w", tag.Name, err)
			}
			io.WriteString(z, " "+p)
		}
		io.WriteString(z, "\n")
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func writeCSV(rows [][]string) ([]byte, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	if err := w.WriteAll(rows); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
