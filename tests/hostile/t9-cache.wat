;; Leaves a mark in the cache. Answers "new" where there was none, "old" where there was, "no" where it may not.
(data (i32.const 16384) "mark")
(data (i32.const 16400) "newoldno")
(func $invoke (param i32 i32 i32 i32) (result i32)
  (call $cache-size (i32.const 16384) (i32.const 4) (i32.const 2400))
  (if (i32.load8_u (i32.const 2400)) (then (return (call $text (i32.const 16406) (i32.const 2)))))
  (if (i32.load8_u (i32.const 2408)) (then (return (call $text (i32.const 16403) (i32.const 3)))))
  (call $cache-write (i32.const 16384) (i32.const 4) (i32.const 64) (i32.const 2) (i32.const 2400))
  (call $text (i32.const 16400) (i32.const 3)))
