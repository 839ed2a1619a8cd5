(func $realloc (param i32 i32 i32 i32) (result i32)
  (i32.add (call $realloc (local.get 0) (local.get 1) (local.get 2) (local.get 3)) (i32.const 8)))
(func $invoke (param i32 i32 i32 i32) (result i32) (call $ok))
