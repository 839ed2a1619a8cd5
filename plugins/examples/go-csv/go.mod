module csv

go 1.24

require wardian.dev/plugin v0.1.0

replace wardian.dev/plugin => ./sdk
