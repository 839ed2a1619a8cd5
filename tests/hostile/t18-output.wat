;;; output: {"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]}
(data (i32.const 16384) "{\"n\":\"many\"}")
(func $invoke (param i32 i32 i32 i32) (result i32) (call $json (i32.const 16384) (i32.const 12)))
