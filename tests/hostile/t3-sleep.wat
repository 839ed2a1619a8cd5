(func $invoke (param i32 i32 i32 i32) (result i32)
  (call $block (call $timer (i64.const 9000000000000000000)))
  (call $ok))
