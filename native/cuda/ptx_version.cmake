# Copies a PTX text from FROM to TO with the version of the language that drivers from CUDA 11.4 on accept. Notes for
# memory checkers, of which that version does not know, are left out: they mean nothing to the code.
file(READ ${FROM} text)
string(REGEX REPLACE "\n\\.version [0-9.]+\n" "\n.version 7.4\n" text "${text}")
string(REGEX REPLACE "\t\\.pragma \"used_bytes_mask [0-9a-fx]+\";\n" "" text "${text}")
file(WRITE ${TO} "${text}")
