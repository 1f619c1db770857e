; SPDX-License-Identifier: MIT
; patterns.scm -- regular expressions written down more than once.
;
; Two places that take the same text apart by the same pattern share a grammar that has no name.
; Found: re.compile, match, fullmatch, search, sub, subn, split, findall, finditer on the module re,
; assertRegex and its kin; patterns with at least one special character.

(call
  function: (attribute object: (identifier) @module attribute: (identifier) @method)
  arguments: (argument_list . (string (string_content) @key) @place)
  (#any-of? @module "re" "regex" "_re")
  (#any-of? @method "compile" "match" "fullmatch" "search" "sub" "subn" "split" "findall" "finditer")
  (#match? @key "[][\\^$.|?*+(){}]"))

(call
  function: (attribute object: (identifier) @module attribute: (identifier) @method)
  arguments: (argument_list . (concatenated_string . (string (string_content) @key)) @place)
  (#any-of? @module "re" "regex" "_re")
  (#any-of? @method "compile" "match" "fullmatch" "search" "sub" "subn" "split" "findall" "finditer"))

(call
  function: (attribute attribute: (identifier) @method)
  arguments: (argument_list . (_) . (string (string_content) @key) @place)
  (#match? @method "^assert(Not)?Regexp?(Matches)?$")
  (#match? @key "[][\\^$.|?*+(){}]"))

(call
  function: (identifier) @function
  arguments: (argument_list . (string (string_content) @key) @place)
  (#any-of? @function "group" "compile" "maybe" "any" "match" "search")
  (#match? @key "[(][?][:P=!<]"))
