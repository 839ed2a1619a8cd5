;; A text that is the list it stands in.
(func $invoke (param i32 i32 i32 i32) (result i32) (call $text (i32.const 2048) (i32.const 64)))
