module wardian.dev/plugin

go 1.24
