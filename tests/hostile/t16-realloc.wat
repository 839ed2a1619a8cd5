(func $realloc (param i32 i32 i32 i32) (result i32) (i32.const -4))
(func $invoke (param i32 i32 i32 i32) (result i32) (call $ok))
