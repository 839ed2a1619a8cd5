;; A pattern on which engines that backtrack need longer than the world is old.
;;; schema: {"type":"object","properties":{"s":{"type":"string","pattern":"^((a+)+)+$"}}}
(func $invoke (param i32 i32 i32 i32) (result i32) (call $ok))
