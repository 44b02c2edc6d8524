package arm

import (
	"slices"
	"strings"
)

// didYouMean ends an error message with the known name nearest to a wrong one,
// or with nothing if none is near: at most a third of it is otherwise.
func didYouMean(wrong string, known []string) string {
	wrong = strings.ToLower(wrong)
	if len(wrong) > 200 {
		return ""
	}
	best, found := len(wrong)/3+1, ""
	for _, k := range slices.Sorted(slices.Values(known)) {
		if d := editDistance(wrong, strings.ToLower(k)); d < best {
			best, found = d, k
		}
	}
	if found == "" {
		return ""
	}
	return " Did you mean '" + found + "'?"
}

// editDistance is the number of characters to put in, take out or replace that
// makes one text of the other (Levenshtein's).
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0] // of the row above, one to the left
		row[0] = i + 1
		for j := range len(b) {
			replaced := before
			if a[i] != b[j] {
				replaced++
			}
			before = row[j+1]
			row[j+1] = min(replaced, before+1, row[j]+1)
		}
	}
	return row[len(b)]
}
