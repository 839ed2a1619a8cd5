(data (i32.const 16384) "\ed\a0\80")
(func $invoke (param i32 i32 i32 i32) (result i32) (call $text (i32.const 16384) (i32.const 3)))
