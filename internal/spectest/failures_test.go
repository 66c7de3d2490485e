package spectest

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
)

const failuresFile = "expected_failures.txt"

// failures is the cases that do not pass yet: id and engine, with the reason.
type failures map[string]string

// readFailures reads the list: a line "# reason", then cases, one a line, as "KIND/CASE ENGINE".
func readFailures() (failures, error) {
	b, err := os.ReadFile(failuresFile)
	if errors.Is(err, os.ErrNotExist) {
		return failures{}, nil
	}
	list, reason := failures{}, ""
	for line := range strings.SplitSeq(string(b), "\n") {
		switch line = strings.TrimSpace(line); {
		case line == "":
		case strings.HasPrefix(line, "#"):
			reason = strings.TrimSpace(line[1:])
		case reason == "":
			return nil, fmt.Errorf("%s: %q has no reason", failuresFile, line)
		default:
			list[line] = reason
		}
	}
	return list, err
}

// write replaces the list, grouped by reason.
func (f failures) write() error {
	groups := map[string][]string{}
	for id, reason := range f {
		groups[reason] = append(groups[reason], id)
	}
	var b strings.Builder
	for i, reason := range slices.Sorted(maps.Keys(groups)) {
		if i > 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "# %s\n", reason)
		slices.SortFunc(groups[reason], cmp.Compare)
		for _, id := range groups[reason] {
			fmt.Fprintln(&b, id)
		}
	}
	return os.WriteFile(failuresFile, []byte(b.String()), 0o644)
}

var noOperator = regexp.MustCompile(`operator "([^"]+)" is not supported`)

// reasonOf makes a reason from an error: the operator that is missing, or else the error without the place.
func reasonOf(err error) string {
	text := err.Error()
	if m := noOperator.FindStringSubmatch(text); m != nil {
		return "operator " + m[1] + " is not implemented yet"
	}
	if i := strings.LastIndex(text, "): "); i >= 0 {
		text = text[i+3:]
	}
	text, _, _ = strings.Cut(text, "\n")
	return "fails: " + text[:min(len(text), 120)]
}

// kept is the reason to write for a case: the old one, unless that named a missing operator.
func kept(old string, err error) string {
	if fresh := reasonOf(err); old == "" || strings.HasPrefix(old, "operator ") || strings.HasPrefix(old, "fails: ") {
		return fresh
	}
	return old
}
