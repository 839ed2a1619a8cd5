;;; name: Act
(func $invoke (param i32 i32 i32 i32) (result i32) (call $ok))
