;;; schema: {"type":"object","properties":{"s":{"type":"string","pattern":"(a+)+\\1$"}}}
(func $invoke (param i32 i32 i32 i32) (result i32) (call $ok))
