;; Two parts that are the same two bytes.
(func $invoke (param i32 i32 i32 i32) (result i32)
  (i32.store (i32.const 2060) (i32.const 2))
  (i32.store8 (i32.const 2112) (i32.const 0))
  (i32.store (i32.const 2116) (i32.const 64))
  (i32.store (i32.const 2120) (i32.const 2))
  (call $ok))
