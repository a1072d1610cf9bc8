# Copies a PTX text from FROM to TO with the version of the language that drivers from CUDA 11.4 on accept.
file(READ ${FROM} text)
string(REGEX REPLACE "\n\\.version [0-9.]+\n" "\n.version 7.4\n" text "${text}")
file(WRITE ${TO} "${text}")
