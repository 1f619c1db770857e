; SPDX-License-Identifier: MIT
; format_strings.scm -- formats for time, for packed bytes, and templates used more than once.
;
; Who writes "%Y-%m-%d" or "<IHH" and who reads it back agree on it character by character.
; Found: strftime and strptime (as method or function), struct.pack and unpack, and the left side
; of % or the object of .format() where it has at least two fields.

(call
  function: [(identifier) @function
             (attribute attribute: (identifier) @function)]
  arguments: (argument_list (string (string_content) @key) @place)
  (#any-of? @function "strftime" "strptime")
  (#match? @key "%[-A-Za-z]"))

(call
  function: [(identifier) @function
             (attribute attribute: (identifier) @function)]
  arguments: (argument_list . (string (string_content) @key) @place)
  (#any-of? @function "pack" "unpack" "pack_into" "unpack_from" "iter_unpack" "calcsize" "Struct")
  (#match? @key "^[@=<>!]?[0-9 xcbB?hHiIlLqQnNefdspP]+$"))

(binary_operator
  left: (string (string_content) @key) @place
  operator: "%"
  (#match? @key "%[^%]*[a-z].*%[^%]*[a-z]"))

(call
  function: (attribute
    object: (string (string_content) @key) @place
    attribute: (identifier) @method)
  (#eq? @method "format")
  (#match? @key "[{][^{}]*[}].*[{][^{}]*[}]"))
