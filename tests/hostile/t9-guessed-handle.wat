;; Uses a handle that it was never given.
(func $invoke (param i32 i32 i32 i32) (result i32)
  (call $block (i32.const 1))
  (call $ok))
