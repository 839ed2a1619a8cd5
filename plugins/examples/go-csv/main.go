// The plugin csv: two tools for comma-separated tables, one that picks rows by
// regular expressions and one that adds them up by group.
package main

import "wardian.dev/plugin"

func init() {
	plugin.Tool("csv_filter",
		"Picks the rows of a CSV text whose columns match regular expressions (RE2), all of them. "+
			"Use it to find lines in a table that is at hand, instead of reading it.",
		filter, plugin.Pure, plugin.Annotations(`{"title": "Filter a CSV"}`))
	plugin.Tool("csv_group",
		"Groups the rows of a CSV text by a column and counts them; with a second column, adds its numbers up "+
			"(sum, mean, least, most). Cells that are no numbers are counted apart.",
		group, plugin.Pure, plugin.Annotations(`{"title": "Group a CSV"}`))
}

func main() {}
