#!/bin/sh
# Checks who includes whom under src/ (docs/ARCHITECTURE.md): a room sees only the rooms below it, and only
# some files see the headers of databases, of HTTP libraries and of SIMD. Names file and line.
#   sh tests/check_includes.sh [ROOT]
root=${1:-$(dirname "$0")/..}
cd "$root" || exit 1
find src -name '*.[ch]' | LC_ALL=C sort | xargs awk '
BEGIN {
    rooms["base"] = "base"
    rooms["config"] = "base config"
    rooms["sandbox"] = "base image sandbox"
    rooms["words"] = "base text words"
    rooms["eval"] = "base eval"
    rooms["mcp"] = "base http mcp"
    split("db vectors tokenize http web bucket text image", leaves, " ")
    for (i in leaves)
        rooms[leaves[i]] = "base " leaves[i]
    rooms["fts"] = "base db fts"
    rooms["search_store"] = "base db fts search_store"
    rooms["sticker_store"] = "base db fts sticker_store"
    rooms["store_copy"] = "base db fts search_store sticker_store store_copy"
    rooms["backup"] = "base db fts bucket search_store sticker_store backup"
    rooms["training"] = "base text sticker_store training"
    rooms["model"] = "base image tokenize model"
    below = "base http web bucket text image sandbox "
    rooms["rank"] = "base text words vectors model search_store rank"
    rooms["search_service"] = below "model vectors words rank search_store search_service"
    rooms["import"] = "base bucket text image sandbox sticker_store import"
    core = below "mcp sticker_store import sticker_service"
    rooms["sticker_service"] = core
    split("api compat gallery admin", faces, " ")
    for (i in faces)
        rooms["sticker_service/" faces[i]] = core " sticker_service/" faces[i]
    rooms["cmd"] = below "mcp model tokenize vectors words rank search_store sticker_store store_copy backup training import search_service sticker_service config eval cmd"
    # where the parts of a room meet: the table of routes
    also["src/sticker_service/sticker_service.c"] = " sticker_service/api sticker_service/compat sticker_service/gallery sticker_service/admin "
    # header: the files that may see it
    only["sqlite3.h"] = "^src/(db/|fts/fts_)sqlite"
    only["libpq-fe.h"] = "^src/db/postgres"
    only["librsvg/rsvg.h"] = "^src/image/"
    only["libxml/parser.h"] = "^src/image/"
    only["microhttpd.h"] = "^src/http/"
    only["curl/curl.h"] = "^src/(http|bucket)/"
    only["immintrin.h"] = "^src/(model/kernels|vectors|image)/"
    only["arm_neon.h"] = "^src/(model/kernels|vectors|image)/"
}
# The room of a path whose first room is its part `first`; of a room with rooms inside, the inner one.
function room_of(path, first,    part, inner) {
    split(path, part, "/")
    inner = part[first] "/" part[first + 1]
    return inner in rooms ? inner : part[first]
}
function complain(what) {
    printf "%s:%d: %s\n", FILENAME, FNR, what
    bad = 1
}
/^[ \t]*#[ \t]*include[ \t]/ {
    line = $0
    sub(/^[ \t]*#[ \t]*include[ \t]*/, "", line)
    name = substr(line, 2)
    sub(/[">].*/, "", name)
    room = room_of(FILENAME, 2)
    if (!(room in rooms)) {
        complain("the room src/" room "/ has no rule in tests/check_includes.sh")
    } else if (substr(line, 1, 1) == "\"") {
        count++
        if (index(name, "/") == 0) {
            complain("\"" name "\" must be written \"room/" name "\"")
        } else {
            to = room_of(name, 1)
            if (index(" " rooms[room] also[FILENAME] " ", " " to " ") == 0)
                complain(room " may not include \"" name "\"; it may include: " rooms[room])
        }
    }
    if (name in only && FILENAME !~ only[name])
        complain("<" name "> belongs to " only[name] " alone")
}
END {
    if (!count) {
        print "check_includes: found no includes at all"
        bad = 1
    }
    if (!bad)
        printf "includes: %d follow the arrows\n", count
    exit bad
}'
