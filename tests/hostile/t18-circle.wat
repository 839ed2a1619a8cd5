;;; schema: {"type":"object","properties":{"a":{"$ref":"#/$defs/a"}},"$defs":{"a":{"anyOf":[{"$ref":"#/$defs/a"},{"$ref":"#/$defs/a"}]}}}
(func $invoke (param i32 i32 i32 i32) (result i32) (call $ok))
