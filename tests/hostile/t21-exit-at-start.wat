(func $begin (if (i64.ne (call $left) (i64.const 0)) (then (call $exit (i32.const 1)))))
(start $begin)
(func $invoke (param i32 i32 i32 i32) (result i32) (call $ok))
