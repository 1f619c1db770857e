; SPDX-License-Identifier: MIT
; record_keys.scm -- keys of dictionaries that are used as records.
;
; A dictionary with fixed keys is a class that nobody wrote down: every place that fills or reads
; the record must know the same keys. Found: d["key"], {"key": ...}, d.get("key"), d.setdefault,
; d.pop, "key" in d; keys that look like names only, and not the environment.

(subscript
  value: (_) @record
  subscript: (string (string_content) @key) @place
  (#match? @key "^[a-z][a-z0-9_]{2,}$")
  (#not-match? @record "environ$"))

(dictionary
  (pair key: (string (string_content) @key) @place)
  (#match? @key "^[a-z][a-z0-9_]{2,}$"))

(call
  function: (attribute object: (_) @record attribute: (identifier) @method)
  arguments: (argument_list . (string (string_content) @key) @place)
  (#any-of? @method "get" "setdefault" "pop")
  (#match? @key "^[a-z][a-z0-9_]{2,}$")
  (#not-match? @record "environ$"))

(comparison_operator
  . (string (string_content) @key) @place
  ["in" "not in"]
  [(identifier) (attribute)] @record
  (#match? @key "^[a-z][a-z0-9_]{2,}$")
  (#not-match? @record "environ$"))
