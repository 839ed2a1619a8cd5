(func $invoke (param i32 i32 i32 i32) (result i32)
  (call $log (i32.const 2) (i32.const -16) (i32.const 64))
  (call $ok))
