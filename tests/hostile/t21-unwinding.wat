(tag $thrown (param i32))
(func $invoke (param i32 i32 i32 i32) (result i32)
  (throw $thrown (i32.const 1)))
