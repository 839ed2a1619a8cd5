(data (i32.const 16384) "\ff\ff")
(func $invoke (param i32 i32 i32 i32) (result i32)
  (call $log (i32.const 2) (i32.const 16384) (i32.const 2))
  (call $ok))
