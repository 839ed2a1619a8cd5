;; Calls the host after it has answered.
(func $done (param i32) (call $log (i32.const 2) (i32.const 64) (i32.const 2)))
(func $invoke (param i32 i32 i32 i32) (result i32) (call $ok))
