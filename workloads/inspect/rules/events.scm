; SPDX-License-Identifier: MIT
; events.scm -- names of signals and events, where one side registers and another one fires.
;
; Found: x.on("name", ...), bind, connect, subscribe, emit, publish, trigger, event_generate ...,
; and signal.signal(signal.SIGX, ...), os.kill(pid, signal.SIGX).

(call
  function: (attribute attribute: (identifier) @method)
  arguments: (argument_list . (string (string_content) @key) @place)
  (#any-of? @method "on" "once" "off" "bind" "unbind" "bind_all" "bind_class" "connect" "disconnect"
            "subscribe" "unsubscribe" "emit" "publish" "fire" "trigger" "dispatch" "notify"
            "event_generate" "event_add" "event_delete" "add_listener" "remove_listener" "protocol")
  (#match? @key "^[<A-Za-z][-<>_.:A-Za-z0-9]+$"))

(call
  function: (attribute attribute: (identifier) @method)
  arguments: (argument_list (attribute attribute: (identifier) @key) @place)
  (#any-of? @method "signal" "kill" "killpg" "pthread_kill" "raise_signal" "send_signal"
            "add_signal_handler" "remove_signal_handler" "siginterrupt" "getsignal")
  (#match? @key "^SIG[A-Z0-9]+$"))

(call
  function: (identifier) @function
  arguments: (argument_list . (identifier) @key)
  (#any-of? @function "kill" "signal" "raise_signal")
  (#match? @key "^SIG[A-Z0-9]+$"))
