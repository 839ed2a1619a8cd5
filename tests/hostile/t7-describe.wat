(func $describe (result i32)
  (i32.store (i32.const 1028) (i32.const 10000000))
  (i32.const 1024))
(func $invoke (param i32 i32 i32 i32) (result i32) (call $ok))
