package main

import (
	"regexp"
	"slices"

	"wardian.dev/plugin"
)

// What is returned unless the caller says otherwise.
const rowsUsual = 100

// Filter is what csv_filter is given.
type Filter struct {
	CSV       string      `json:"csv" doc:"The table; its first line names the columns."`
	Where     []Condition `json:"where" doc:"What a row has to match, all of it."`
	Separator string      `json:"separator,omitempty" enum:";,|,\t" doc:"What stands between cells where that is no comma."`
	Limit     int         `json:"limit,omitempty" minimum:"1" maximum:"1000" doc:"Rows to return; 100 unless said."`
}

// Condition is about one column.
type Condition struct {
	Column  string `json:"column"`
	Matches string `json:"matches" doc:"A regular expression (RE2), found anywhere in the cell."`
	Not     bool   `json:"not,omitempty" doc:"Take the rows that do not match."`
}

// Filtered is what it answers.
type Filtered struct {
	Rows    []map[string]string `json:"rows"`
	Matched int                 `json:"matched" doc:"How many rows match, also those that are not returned."`
	Of      int                 `json:"of" doc:"How many rows there are."`
}

type condition struct {
	at      int
	pattern *regexp.Regexp
	not     bool
}

func filter(in Filter) (Filtered, error) {
	t, err := read(in.CSV, in.Separator)
	if err != nil {
		return Filtered{}, err
	}
	conditions, err := compile(t, in.Where)
	if err != nil {
		return Filtered{}, err
	}
	limit := in.Limit
	if limit == 0 {
		limit = rowsUsual
	}
	found := Filtered{Rows: []map[string]string{}}
	for {
		row, err := t.next()
		if row == nil || err != nil {
			return found, err
		}
		found.Of++
		if slices.ContainsFunc(conditions, func(c condition) bool { return c.pattern.MatchString(row[c.at]) == c.not }) {
			continue
		}
		found.Matched++
		if len(found.Rows) < limit {
			found.Rows = append(found.Rows, named(t.head, row))
		}
	}
}

func compile(t *table, where []Condition) ([]condition, error) {
	compiled := make([]condition, len(where))
	for i, one := range where {
		at, err := t.column(one.Column)
		if err != nil {
			return nil, err
		}
		pattern, err := regexp.Compile(one.Matches)
		if err != nil {
			return nil, plugin.InvalidInput("%q is no regular expression: %v", one.Matches, err)
		}
		compiled[i] = condition{at: at, pattern: pattern, not: one.Not}
	}
	return compiled, nil
}

func named(head, row []string) map[string]string {
	cells := make(map[string]string, len(head))
	for i, name := range head {
		cells[name] = row[i]
	}
	return cells
}
