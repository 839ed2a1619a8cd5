;; The first letter is Cyrillic.
;;; name: \u{430}ct
(func $invoke (param i32 i32 i32 i32) (result i32) (call $ok))
