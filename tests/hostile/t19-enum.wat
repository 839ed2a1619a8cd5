;;; schema: {"type":"object","properties":{"unit":{"enum":["metric\u2066","imperial"]}}}
(func $invoke (param i32 i32 i32 i32) (result i32) (call $ok))
