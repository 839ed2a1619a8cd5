(func $invoke (param i32 i32 i32 i32) (result i32)
  (drop (call $fail (i32.const 64) (i32.const 2)))
  (i32.store8 (i32.const 2056) (i32.const 77))
  (i32.const 2048))
