-- wrk's requests against StickerService. Arguments after "--": a file of words, one a line, and what to send:
-- repeated (20 queries again and again), different (no query twice), feedback (one vote a request), or a path to which
-- three words are added: as good as different, when there are many words. With PAUSE_MS in the environment each
-- connection pauses before a request, so long on average, as people do: times that are exponentially distributed.
local words, mode = {}, ""
local pause = tonumber(os.getenv("PAUSE_MS"))
local threads, n, salt = 0, 0, 0

function setup(thread)
   thread:set("tid", threads)
   threads = threads + 1
end

function init(args)
   for line in io.lines(args[1]) do words[#words + 1] = line end
   mode = args[2]
   salt = os.time()
   math.randomseed(salt + tid * 7919)
end

if pause then
   function delay()
      return math.floor(-pause * math.log(1 - math.random()) + 0.5)
   end
end

function request()
   n = n + 1
   if mode == "feedback" then
      local body = string.format('{"feedback":[{"query":"%s","%s":["s%d.png"]}]}', words[1 + n % 20],
                                 n % 3 > 0 and "positive" or "negative", math.random(0, 99))
      return wrk.format("POST", "/api/feedback/", nil, body)
   end
   if mode:sub(1, 1) == "/" then
      local phrase = words[math.random(#words)] .. "+" .. words[math.random(#words)] .. "+" .. words[math.random(#words)]
      return wrk.format("GET", mode .. phrase)
   end
   local query = words[1 + n % 20]
   if mode == "different" then
      query = words[math.random(#words)] .. "+" .. words[math.random(#words)] .. "+" .. tid .. "x" .. salt .. "x" .. n
   end
   return wrk.format("GET", "/api/search/?query=" .. query)
end
