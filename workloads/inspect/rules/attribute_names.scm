; SPDX-License-Identifier: MIT
; attribute_names.scm -- attributes reached by their name as a text.
;
; getattr(x, "name") and its kin hide from every search for .name; renaming the attribute breaks
; them at run time. Found: getattr, setattr, hasattr, delattr, patch.object, attrgetter, methodcaller,
; __slots__ and __all__ entries, and operator.attrgetter("a.b").

(call
  function: (identifier) @function
  arguments: (argument_list . (_) . (string (string_content) @key) @place)
  (#any-of? @function "getattr" "setattr" "hasattr" "delattr"))

(call
  function: [(identifier) @function
             (attribute attribute: (identifier) @function)]
  arguments: (argument_list . (string (string_content) @key) @place)
  (#any-of? @function "attrgetter" "methodcaller"))

(call
  function: (attribute
    object: [(identifier) @patch
             (attribute attribute: (identifier) @patch)]
    attribute: (identifier) @method)
  arguments: (argument_list . (_) . (string (string_content) @key) @place)
  (#eq? @patch "patch")
  (#eq? @method "object"))

(assignment
  left: (identifier) @list
  right: [(tuple (string (string_content) @key) @place)
          (list (string (string_content) @key) @place)]
  (#any-of? @list "__slots__" "__all__" "__match_args__"))
