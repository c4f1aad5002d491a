#!/bin/sh
# Turns the commands that make would run (make -n) into compile_commands.json: an entry for each C file that one of them
# compiles. Of a file that is compiled twice the first command counts, but for what the build's own tools share with src/.
#   make -n -B all | sh scripts/compile_commands.sh >compile_commands.json
awk -v folder="$PWD" '
function quote(s) {
    gsub(/\\/, "\\\\", s)
    gsub(/"/, "\\\"", s)
    return "\"" s "\""
}
$0 ~ / -o / && $1 ~ /(cc|gcc|clang)(-[0-9]+)?$/ {
    for (i = 2; i <= NF; i++)
        if ($i ~ /\.c$/ && !($i in seen) && ($i !~ /^src\// || / -c /)) {
            seen[$i] = 1
            printf "%s\n  {\"directory\": %s, \"file\": %s, \"command\": %s}", n++ ? "," : "[", quote(folder), quote($i), quote($0)
        }
}
END {
    if (!n) {
        print "compile_commands: no command compiles anything" >"/dev/stderr"
        exit 1
    }
    print "\n]"
}'
