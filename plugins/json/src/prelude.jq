# What jq has and jaq leaves to its command line.

def csv_field:
  if . == null then ""
  elif isstring then "\"" + gsub("\""; "\"\"") + "\""
  elif isarray or isobject then error("a row of CSV holds only text, numbers, true, false and null")
  else tostring end;
def @csv: map(csv_field) | join(",");

def tsv_field:
  if . == null then ""
  elif isstring then gsub("\\\\"; "\\\\") | gsub("\t"; "\\t") | gsub("\n"; "\\n") | gsub("\r"; "\\r")
  elif isarray or isobject then error("a row of TSV holds only text, numbers, true, false and null")
  else tostring end;
def @tsv: map(tsv_field) | join("\t");

def ascii: [.] | implode;
def todate(f): f | todate;
def date: todate;
def leaf_paths: paths(scalars);
def tostream: path(def r: (.[]? | r), .; r) as $p | getpath($p) | reduce path(.[]?) as $q ([$p, .]; [$p + $q]);
