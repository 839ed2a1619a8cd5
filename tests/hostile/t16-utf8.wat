(data (i32.const 16384) "\c3\28\ff\fe")
(func $invoke (param i32 i32 i32 i32) (result i32) (call $text (i32.const 16384) (i32.const 4)))
