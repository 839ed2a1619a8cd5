(func $down (param i32) (result i32) (i32.add (call $down (local.get 0)) (i32.const 1)))
(func $invoke (param i32 i32 i32 i32) (result i32)
  (drop (call $down (i32.const 1)))
  (call $ok))
