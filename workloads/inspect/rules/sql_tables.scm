; SPDX-License-Identifier: MIT
; sql_tables.scm -- statements in SQL, grouped by their text as it is passed.
;
; The schema is in one place and the statements are in many; equal statements are one that was copied.
; Found: execute, executemany, executescript, raw, read_sql with a text that begins like SQL, and
; constants that hold one.

(call
  function: (attribute attribute: (identifier) @method)
  arguments: (argument_list . (string (string_content) @key) @place)
  (#any-of? @method "execute" "executemany" "executescript" "raw" "read_sql" "read_sql_query" "text")
  (#match? @key "^[[:space:]]*([Ss][Ee][Ll][Ee][Cc][Tt]|[Ii][Nn][Ss][Ee][Rr][Tt]|[Uu][Pp][Dd][Aa][Tt][Ee]|[Dd][Ee][Ll][Ee][Tt][Ee]|[Cc][Rr][Ee][Aa][Tt][Ee]|[Dd][Rr][Oo][Pp]|[Pp][Rr][Aa][Gg][Mm][Aa])"))

(call
  function: (identifier) @function
  arguments: (argument_list . (string (string_content) @key) @place)
  (#any-of? @function "execute" "text" "sql" "query")
  (#match? @key "^[[:space:]]*(select|insert|update|delete|create|drop|SELECT|INSERT|UPDATE|DELETE|CREATE|DROP)[[:space:]]"))

(assignment
  left: [(identifier) @name
         (attribute attribute: (identifier) @name)]
  right: [(string (string_content) @key)
          (parenthesized_expression (string (string_content) @key))] @place
  (#match? @key "^[[:space:]]*(select|insert into|update|delete from|create table|drop table|SELECT|INSERT INTO|UPDATE|DELETE FROM|CREATE TABLE|DROP TABLE)[[:space:]]"))
