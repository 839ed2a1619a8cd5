(func $invoke (param i32 i32 i32 i32) (result i32)
  (local $nap i32)
  (loop $again
    (local.set $nap (call $timer (i64.const 20000000)))
    (call $block (local.get $nap))
    (call $forget (local.get $nap))
    (br $again))
  (unreachable))
