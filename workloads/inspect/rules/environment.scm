; SPDX-License-Identifier: MIT
; environment.scm -- names of environment variables.
;
; Whoever sets a variable and whoever reads it must spell it the same way; no tool checks that.
; Found: os.environ["X"], environ["X"], os.environ.get("X"), .pop, .setdefault, os.getenv("X"),
; os.putenv("X", ...), "X" in os.environ, monkeypatch.setenv("X", ...).

(subscript
  value: [(identifier) @environ
          (attribute attribute: (identifier) @environ)]
  subscript: (string (string_content) @key) @place
  (#match? @environ "^(environ|environb|env)$"))

(call
  function: (attribute
    object: [(identifier) @environ
             (attribute attribute: (identifier) @environ)]
    attribute: (identifier) @method)
  arguments: (argument_list . (string (string_content) @key) @place)
  (#any-of? @environ "environ" "environb")
  (#any-of? @method "get" "pop" "setdefault" "__getitem__" "__setitem__" "__delitem__"))

(call
  function: [(identifier) @function
             (attribute attribute: (identifier) @function)]
  arguments: (argument_list . (string (string_content) @key) @place)
  (#match? @function "^(get|put|unset|set|del)env(b|_var)?$"))

(comparison_operator
  . (string (string_content) @key) @place
  ["in" "not in"]
  [(identifier) @environ
   (attribute attribute: (identifier) @environ)]
  (#eq? @environ "environ"))
