(func $invoke (param i32 i32 i32 i32) (result i32)
  (i32.store (i32.const 2060) (i32.const 10000000))
  (call $ok))
