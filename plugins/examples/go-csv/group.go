package main

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"wardian.dev/plugin"
)

// More groups than this are no answer that a model reads.
const groupsMax = 1000

// Group is what csv_group is given.
type Group struct {
	CSV       string `json:"csv" doc:"The table; its first line names the columns."`
	By        string `json:"by" doc:"The column whose values make the groups."`
	Of        string `json:"of,omitempty" doc:"A column with numbers to add up."`
	Separator string `json:"separator,omitempty" enum:";,|,\t" doc:"What stands between cells where that is no comma."`
}

// Grouped is what it answers: the largest groups first.
type Grouped struct {
	Groups []Sums `json:"groups"`
}

// Sums are about one group.
type Sums struct {
	Value   string   `json:"value"`
	Rows    int      `json:"rows"`
	Sum     *float64 `json:"sum,omitempty"`
	Mean    *float64 `json:"mean,omitempty"`
	Least   *float64 `json:"least,omitempty"`
	Most    *float64 `json:"most,omitempty"`
	NoValue int      `json:"no_number,omitempty" doc:"Rows whose cell is no number."`

	numbers int
}

func group(in Group) (Grouped, error) {
	t, err := read(in.CSV, in.Separator)
	if err != nil {
		return Grouped{}, err
	}
	by, err := t.column(in.By)
	if err != nil {
		return Grouped{}, err
	}
	of := -1
	if in.Of != "" {
		if of, err = t.column(in.Of); err != nil {
			return Grouped{}, err
		}
	}
	groups := map[string]*Sums{}
	for {
		row, err := t.next()
		if err != nil {
			return Grouped{}, err
		}
		if row == nil {
			return sorted(groups), nil
		}
		sums := groups[row[by]]
		if sums == nil {
			if len(groups) == groupsMax {
				return Grouped{}, plugin.Refused("column %q has more than %d values; group by another one", in.By, groupsMax)
			}
			sums = &Sums{Value: strings.Clone(row[by])}
			groups[sums.Value] = sums
		}
		sums.Rows++
		if of >= 0 {
			sums.add(row[of])
		}
	}
}

func (s *Sums) add(cell string) {
	number, err := strconv.ParseFloat(strings.TrimSpace(cell), 64)
	if err != nil || math.IsNaN(number) || math.IsInf(number, 0) {
		s.NoValue++
		return
	}
	if s.numbers++; s.numbers == 1 {
		sum, least, most := number, number, number
		s.Sum, s.Least, s.Most = &sum, &least, &most
		return
	}
	*s.Sum += number
	*s.Least = min(*s.Least, number)
	*s.Most = max(*s.Most, number)
}

func sorted(groups map[string]*Sums) Grouped {
	all := make([]Sums, 0, len(groups))
	for _, sums := range groups {
		if sums.numbers > 0 {
			mean := *sums.Sum / float64(sums.numbers)
			sums.Mean = &mean
		}
		all = append(all, *sums)
	}
	slices.SortFunc(all, func(a, b Sums) int {
		if a.Rows != b.Rows {
			return b.Rows - a.Rows
		}
		return strings.Compare(a.Value, b.Value)
	})
	return Grouped{Groups: all}
}
