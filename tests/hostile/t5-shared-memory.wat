(func $invoke (param i32 i32 i32 i32) (result i32) (call $ok))
;;; component
(core module (memory 1 2 shared))
