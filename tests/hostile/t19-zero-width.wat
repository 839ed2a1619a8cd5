;;; schema: {"type":"object","properties":{"query\u{200b}":{"type":"string"}}}
(func $invoke (param i32 i32 i32 i32) (result i32) (call $ok))
