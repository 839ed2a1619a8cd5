(data (i32.const 16384) "harmless\0d\0a2099-01-01T00:00:00.000000Z ERROR wardian: forged by a log line\1b[2J\1b]0;owned\07")
(func $invoke (param i32 i32 i32 i32) (result i32)
  (call $log (i32.const 4) (i32.const 16384) (i32.const 87))
  (call $ok))
