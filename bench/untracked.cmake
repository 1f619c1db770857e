# SPDX-License-Identifier: MIT
# Makes the two files of a lido that does not keep who holds what, for the price of keeping it:
#
#   cmake -D SOURCE=src -D OUT=FOLDER -P untracked.cmake
#
# Line, thread and time of a lease are neither written nor read on the fast path, and the coarse clock
# is not advanced there; turns, which refuse stale leases, stay. Nothing but the bench is built of it.
# The library itself has no switch for that, and a change of it that this script does not follow
# stops the build of the benches.

# remove(TEXT REGEX COUNT REPLACEMENT): replaces in the variable TEXT, and insists on having found COUNT.
function(remove text regex count replacement)
    string(REGEX MATCHALL "${regex}" found "${${text}}")
    list(LENGTH found found_count)
    if(NOT found_count EQUAL count)
        message(FATAL_ERROR "untracked.cmake: \"${regex}\" is there ${found_count} times, not ${count}: "
            "follow what was changed in src/lease/fast.h or src/object_pool/object_pool.c")
    endif()
    string(REGEX REPLACE "${regex}" "${replacement}" changed "${${text}}")
    set(${text} "${changed}" PARENT_SCOPE)
endfunction()

# Lists of CMake end at semicolons; the text must not be one.
function(read_text file into)
    file(READ "${file}" text)
    string(REPLACE ";" "@semicolon@" text "${text}")
    set(${into} "${text}" PARENT_SCOPE)
endfunction()

function(write_text text file)
    string(REPLACE "@semicolon@" ";" text "${text}")
    file(WRITE "${file}" "${text}")
endfunction()

read_text("${SOURCE}/lease/fast.h" fast)
remove(fast "lido__store\\(&at->site, [^@]*@semicolon@" 1 "(void)site@semicolon@")
remove(fast "lido__store\\(&at->thread_id, thread_id, relaxed\\)@semicolon@" 1 "(void)thread_id@semicolon@")
remove(fast "lido__store\\(&at->thread_id, store->thread_id, relaxed\\)@semicolon@" 1 "")
remove(fast "lido__store\\(&at->tick, [^@]*@semicolon@" 1 "")
remove(fast "uint32_t tick = [^@]*@semicolon@" 1 "")
write_text("${fast}" "${OUT}/lease/fast.h")

read_text("${SOURCE}/object_pool/object_pool.c" pool)
remove(pool "lido__lease_count\\(&store->acquired\\) % ACQUIRES_PER_TICK == 0" 1
    "lido__lease_count(&store->acquired) == 0")
write_text("${pool}" "${OUT}/object_pool.c")
