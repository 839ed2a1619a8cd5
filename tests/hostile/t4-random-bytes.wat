(func $invoke (param i32 i32 i32 i32) (result i32)
  (call $random-bytes (i64.const 9000000000000000000) (i32.const 2400))
  (call $ok))
