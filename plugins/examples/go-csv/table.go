package main

import (
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"

	"wardian.dev/plugin"
)

// table is a CSV text with a head, read row by row.
type table struct {
	head   []string
	reader *csv.Reader
}

func read(text, separator string) (*table, error) {
	reader := csv.NewReader(strings.NewReader(strings.TrimPrefix(text, "\ufeff")))
	reader.ReuseRecord = true
	if separator != "" {
		reader.Comma = []rune(separator)[0]
	}
	head, err := reader.Read()
	if errors.Is(err, io.EOF) {
		return nil, plugin.InvalidInput("the text is empty: the first line has to name the columns")
	}
	if err != nil {
		return nil, unreadable(err)
	}
	return &table{head: slices.Clone(head), reader: reader}, nil
}

// next is the next row, or nil at the end. It is overwritten by the one after it.
func (t *table) next() ([]string, error) {
	row, err := t.reader.Read()
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	if err != nil {
		return nil, unreadable(err)
	}
	return row, nil
}

// column is where a column is, by its name.
func (t *table) column(name string) (int, error) {
	at := slices.Index(t.head, name)
	if at < 0 {
		return 0, plugin.NotFound("there is no column %q; there are %s", name, strings.Join(t.head, ", ")).WithCode("no_column")
	}
	return at, nil
}

func unreadable(err error) error {
	return plugin.InvalidInput("this is no CSV: %v", err)
}
