; SPDX-License-Identifier: MIT
; messages.scm -- the same message raised, logged or expected in several places.
;
; Users search for messages and tests match them; when two places mean the same one, both have to
; change. Found: raise X("text"), raise X("text" % ...), log.error("text", ...), warnings.warn("text"),
; assertRaisesRegex(X, "text"); texts of at least twelve characters.

(raise_statement
  (call
    function: (_) @exception
    arguments: (argument_list . (string (string_content) @key) @place))
  (#match? @key "^.{12}"))

(raise_statement
  (call
    function: (_) @exception
    arguments: (argument_list
      . (binary_operator left: (string (string_content) @key) @place operator: "%")))
  (#match? @key "^.{12}"))

(call
  function: (attribute object: (_) @logger attribute: (identifier) @level)
  arguments: (argument_list . (string (string_content) @key) @place)
  (#any-of? @level "debug" "info" "warning" "warn" "error" "exception" "critical")
  (#match? @key "^.{12}"))

(call
  function: (attribute attribute: (identifier) @method)
  arguments: (argument_list . (_) . (string (string_content) @key) @place)
  (#match? @method "^assert(Raises|Warns)Regexp?$")
  (#match? @key "^.{12}"))
