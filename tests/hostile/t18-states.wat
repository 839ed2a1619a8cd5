;; Patterns that linear engines know, at the cost of their many states for each
;; character: for the arguments, and for its own answer of sixty thousand letters.
;;; schema: {"type":"object","properties":{"s":{"type":"string","pattern":"[ab]*a[ab]{5000}c"}}}
;;; output: {"type":"object","properties":{"s":{"allOf":[{"pattern":"[ab]*a[ab]{5000}c"},{"pattern":"[ab]*a[ab]{5000}d"},{"pattern":"[ab]*a[ab]{5000}e"},{"pattern":"[ab]*a[ab]{5000}f"}]}}}
(data (i32.const 16384) "{\"s\":\"")
(data (i32.const 76390) "\"}")
(func $invoke (param i32 i32 i32 i32) (result i32)
  (memory.fill (i32.const 16390) (i32.const 97) (i32.const 60000))
  (call $json (i32.const 16384) (i32.const 60008)))
