-- wrk's requests against StickerService. Arguments after "--": a file with a phrase in each line, and what to send:
--   once           a search for each phrase; each thread takes its share, and the first that has sent all of it ends wrk
--   repeated       searches for the first 20 again and again
--   vote FILENAMES votes for stickers of this file for the first 1,000 phrases
local ffi = require("ffi")
ffi.cdef("int kill(int pid, int signal); int getpid(void);")

local phrases, filenames, mode = {}, {}, ""
local threads, n = 0, 0

function setup(thread)
   thread:set("first", threads)
   threads = threads + 1
   thread:set("step", tonumber(os.getenv("WRK_THREADS")))
end

function init(args)
   for line in io.lines(args[1]) do phrases[#phrases + 1] = line end
   mode = args[2]
   if args[3] then
      for line in io.lines(args[3]) do filenames[#filenames + 1] = line end
   end
   math.randomseed(os.time() + first)
   n = first
end

local function quoted(text)
   return '"' .. text:gsub('[\\"]', "\\%0") .. '"'
end

local function escaped(text)
   return text:gsub("[^%w]", function(c) return string.format("%%%02X", c:byte()) end)
end

function request()
   local at = 1 + n
   n = n + step
   if mode == "vote" then
      local body = string.format('{"feedback":[{"query":%s,"%s":["%s"]}]}', quoted(phrases[1 + n % 1000]),
                                 n % 3 > 0 and "positive" or "negative", filenames[math.random(#filenames)])
      return wrk.format("POST", "/api/feedback/", nil, body)
   end
   local phrase = mode == "repeated" and phrases[1 + n % 20] or phrases[at]
   if not phrase then
      ffi.C.kill(ffi.C.getpid(), 2) -- SIGINT: wrk prints what it has
      phrase = phrases[1]
   end
   return wrk.format("GET", "/api/search/?query=" .. escaped(phrase))
end
