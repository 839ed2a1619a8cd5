package main

import (
	"errors"
	"reflect"
	"testing"

	"wardian.dev/plugin"
)

const sales = "city,item,sum\nBern,tea,3\nBasel,coffee,5\nBern,\"tea, green\",4.5\nBern,coffee,-\n"

func TestRowsAreThoseThatMatchEveryCondition(t *testing.T) {
	found, err := filter(Filter{CSV: sales, Where: []Condition{{Column: "city", Matches: "^Be"}, {Column: "item", Matches: "tea"}}, Limit: 1})
	want := Filtered{Rows: []map[string]string{{"city": "Bern", "item": "tea", "sum": "3"}}, Matched: 2, Of: 4}
	if err != nil || !reflect.DeepEqual(found, want) {
		t.Errorf("got %+v, %v", found, err)
	}
	found, err = filter(Filter{CSV: sales, Where: []Condition{{Column: "city", Matches: "Bern", Not: true}}})
	if err != nil || found.Matched != 1 || found.Rows[0]["item"] != "coffee" {
		t.Errorf("got %+v, %v", found, err)
	}
}

func TestNumbersAreAddedUpByGroupAndOthersCounted(t *testing.T) {
	found, err := group(Group{CSV: sales, By: "city", Of: "sum"})
	if err != nil || len(found.Groups) != 2 {
		t.Fatalf("got %+v, %v", found, err)
	}
	bern := found.Groups[0]
	if bern.Value != "Bern" || bern.Rows != 3 || *bern.Sum != 7.5 || *bern.Mean != 3.75 || *bern.Most != 4.5 || bern.NoValue != 1 {
		t.Errorf("got %+v", bern)
	}
}

func TestWhatIsWrongIsSaidWithItsReason(t *testing.T) {
	one := []Condition{{Column: "city", Matches: "("}}
	failures := map[string]struct {
		run    func() error
		reason plugin.Reason
	}{
		"no column":     {func() error { _, err := group(Group{CSV: sales, By: "town"}); return err }, plugin.ReasonNotFound},
		"no expression": {func() error { _, err := filter(Filter{CSV: sales, Where: one}); return err }, plugin.ReasonInvalidInput},
		"no text":       {func() error { _, err := filter(Filter{}); return err }, plugin.ReasonInvalidInput},
		"a torn row":    {func() error { _, err := group(Group{CSV: "a,b\n1\n", By: "a"}); return err }, plugin.ReasonInvalidInput},
	}
	for name, one := range failures {
		var failure *plugin.Error
		if err := one.run(); !errors.As(err, &failure) || failure.Reason != one.reason {
			t.Errorf("%s: %v", name, err)
		}
	}
}
