(func $invoke (param i32 i32 i32 i32) (result i32)
  (i32.store8 (i32.const 2048) (i32.const 2))
  (call $ok))
