// A plugin without an SDK: the bindings export it, its tools are in bindings/exports.
package main

import _ "stranger/bindings/exports/wit_exports"

func main() {}
