(func $invoke (param i32 i32 i32 i32) (result i32) (call $ok))
;;; component
(core module $huge (memory 20000))
(core instance (instantiate $huge))
