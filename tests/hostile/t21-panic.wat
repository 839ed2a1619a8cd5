;; As a panic ends: its text on standard error, then an abort.
(data (i32.const 16384) "thread 'main' panicked at src/lib.rs:7:5:\0asecret=hunter2\0a")
(func $invoke (param i32 i32 i32 i32) (result i32)
  (call $print (call $stderr) (i32.const 16384) (i32.const 57) (i32.const 2400))
  (unreachable))
