(func $invoke (param i32 i32 i32 i32) (result i32)
  (i32.store8 (i32.const 2080) (i32.const 9))
  (call $ok))
