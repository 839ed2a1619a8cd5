;; Wants to be given the tools of others.
(func $invoke (param i32 i32 i32 i32) (result i32) (call $ok))
;;; component
(import "wardian:plugin/tools@0.1.0" (instance
  (alias outer 1 $call (type $c)) (alias outer 1 $content (type $p)) (alias outer 1 $error (type $e))
  (export "call" (type $call (eq $c)))
  (export "content" (type $content (eq $p)))
  (export "tool-error" (type $error (eq $e)))
  (export "invoke" (func (param "call" $call) (result (result (list $content) (error $error)))))))
